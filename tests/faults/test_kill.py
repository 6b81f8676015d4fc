"""kill -9 of every process, at random moments and at named places, under eight writers: nothing that was acknowledged
is lost, no key takes effect twice, no line of versions breaks (P1, P2, P3, P8).

Thirty deaths here; `python -m benchmarks.kill9 --cycles 300` dies more often. A death that interrupts no open work is
repeated and never counted.
"""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from memos.embedded.postgres import EmbeddedPostgres
from migrations.runner import upgrade
from tests.embedded.harness import folder
from tests.faults.cycle import Cycle, Kill, loop, plan, summary
from tests.faults.points import VARIABLE, arm, fired, points_of
from tests.support.evidence import connect
from tests.support.redis import redis_server
from tests.support.topology import REPOSITORY, Topology, embedded, split

# Short, so that a cycle is short: what was cut off is given up and started again within seconds.
QUICK = {"lease_s": "2.0", "relay_poll_s": "0.1", "turn_wait_s": "10"}
DISTRIBUTED = QUICK | {"watchdog_idle_s": "3"}
POINTS = points_of("api", "worker", "model")


def _survives(topology: Topology, kills: Sequence[Kill], seed: int) -> None:
    cycles: list[Cycle] = []
    for cycle in loop(topology, kills, seed):
        print(cycle)
        cycles.append(cycle)
        assert not cycle.violations, f"seed {seed}, {cycle}"
        assert not cycle.given_up, f"seed {seed}, {cycle}"
    figures = summary(cycles)
    print(figures)
    missed = {kill.name for kill in kills} - {cycle.kill for cycle in cycles if cycle.counts}
    assert not missed, f"seed {seed}: no open work was interrupted by {missed}"


@pytest.mark.timeout(600)
def test_every_process_dies_at_every_point() -> None:
    """API with relay, model worker, Postgres and one backend of it; every named point once."""
    seed = random.randrange(2**20)
    with split(QUICK) as topology:
        _survives(topology, plan(22, seed, points=POINTS, victims=["api", "model", "postmaster", "backend"]), seed)


@pytest.mark.timeout(400)
def test_every_process_of_the_distributed_placement_dies() -> None:
    """Two APIs, relay and consumer over Redis: each a process of its own."""
    seed = random.randrange(2**20)
    kills = [Kill(victim=name) for name in ("relay", "consumer", "api-1", "postmaster")]
    kills += [Kill(point="jobs_claimed"), Kill(point="answer_committed")]
    random.Random(seed).shuffle(kills)
    with redis_server() as redis, split(DISTRIBUTED, apis=2, redis_url=redis.url) as topology:
        _survives(topology, kills, seed)


@pytest.mark.timeout(300)
def test_the_embedded_service_dies() -> None:
    """`memos serve` and its Postgres with it; then its Postgres alone, which it starts again."""
    seed = random.randrange(2**20)
    with embedded(QUICK) as topology:
        _survives(topology, [Kill(victim="service"), Kill(victim="postmaster")], seed)


@pytest.mark.parametrize("point", points_of("migration"))
def test_a_killed_migration_leaves_nothing_half_done(point: str, tmp_path: Path) -> None:
    """The next one makes the schema that an undisturbed one makes."""
    with folder() as root:
        server = EmbeddedPostgres(root / "postgres")
        server.start()
        try:
            armed = tmp_path / "crash"
            arm(armed, point)
            died = _migrate(server.admin_url, {VARIABLE: str(armed)})
            assert died == -signal.SIGKILL
            assert fired(armed).exists()
            upgrade(server.admin_url)
            killed = _schema(server.admin_url)
            with connect(server.admin_url.replace("/memos?", "/postgres?")) as admin:
                admin.execute("CREATE DATABASE undisturbed")
            undisturbed = server.admin_url.replace("/memos?", "/undisturbed?")
            upgrade(undisturbed)
            assert killed == _schema(undisturbed)
            assert any("memcube_versions" in line for line in killed)
        finally:
            server.stop()


def _migrate(admin_url: str, env: dict[str, str]) -> int:
    command = [sys.executable, "-m", "tests.faults.process", "migration", "tests.faults.migrate"]
    where = {"MEMOS_DATABASE_ADMIN_URL": admin_url}
    return subprocess.run(command, env=os.environ | where | env, cwd=REPOSITORY, check=False).returncode


_SCHEMA = """
    SELECT 'column ' || table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable AS what
      FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT 'constraint ' || conrelid::regclass || ' ' || pg_get_constraintdef(oid)
      FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT 'policy ' || tablename || ' ' || policyname || ' ' || coalesce(qual, '') FROM pg_policies
    UNION ALL SELECT 'function ' || proname || ' ' || md5(prosrc) || ' ' || coalesce(proacl::text, '')
      FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT 'table ' || relname || ' ' || relrowsecurity || relforcerowsecurity || ' ' ||
      coalesce(relacl::text, '') FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    UNION ALL SELECT 'revision ' || version_num FROM alembic_version"""


def _schema(admin_url: str) -> list[str]:
    with connect(admin_url) as connection:
        return sorted(str(row[0]) for row in connection.execute(_SCHEMA))
