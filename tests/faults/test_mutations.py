"""The mutation list: each guard of the promises is taken away, in a scratch database or by a patch, and the named check
that must notice does. The same scenarios find nothing on the service as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from memos.conversations import store as conversation_store
from memos.generation.echo import EchoEngine, EchoState
from memos.generation.engine import Step
from memos.idempotency import store as key_store
from memos.idempotency.service import StoredAnswer
from memos.kit import unit_of_work
from memos.outbox import store as outbox
from memos.turns import service as turn_service
from memos.turns import store as turn_store
from memos.turns.advance import AdvanceTask
from tests.faults import scenarios
from tests.faults.scenarios import Patch, Scenario
from tests.support.evidence import connect
from tests.support.postgres import Addresses, Cluster

Mutate = Callable[[Patch, Addresses], None]


@dataclass(frozen=True)
class Mutation:
    """`caught_by`: the names of what `scenario` finds when `mutate` was applied; any one of them is enough."""

    scenario: Scenario
    caught_by: frozenset[str]
    mutate: Mutate


MUTATIONS: dict[str, Mutation] = {}


def mutation(scenario: Scenario, *caught_by: str) -> Callable[[Mutate], Mutate]:
    def add(mutate: Mutate) -> Mutate:
        MUTATIONS[mutate.__name__] = Mutation(scenario, frozenset(caught_by), mutate)
        return mutate

    return add


def _alter(database: Addresses, *statements: str) -> None:
    with connect(database.admin) as admin:
        for statement in statements:
            admin.execute(statement)


# Every unique key and foreign key of versions and heads; the primary keys stay.
UNGUARD = """
    DO $$ DECLARE c record; BEGIN
      FOR c IN SELECT conrelid::regclass AS place, conname FROM pg_constraint
               WHERE contype IN ('f', 'u') AND 'memcube_versions'::regclass IN (conrelid, confrelid)
                  OR contype IN ('f', 'u') AND conrelid = 'memcubes'::regclass
               ORDER BY contype LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', c.place, c.conname);
      END LOOP;
    END $$"""


@mutation(scenarios.racing_advances, "worker_refused_by_a_constraint")
def head_lock_removed(patch: Patch, database: Addresses) -> None:
    """The schema's constraints still hold the line, and whoever runs into them is heard."""
    patch.setattr(conversation_store, "_LOCK", text(str(conversation_store._LOCK).replace("FOR UPDATE", "")))


@mutation(scenarios.racing_advances, "chain_broken", "turn_not_applied_once")
def head_lock_and_constraints_removed(patch: Patch, database: Addresses) -> None:
    head_lock_removed(patch, database)
    _alter(database, UNGUARD, "DROP INDEX one_state_per_turn", "DROP TRIGGER memcubes_head ON memcubes")


@mutation(scenarios.traffic, "job_missing")
def outbox_row_skipped(patch: Patch, database: Addresses) -> None:
    async def record(*arguments: Any, **named: Any) -> None:
        pass

    patch.setattr(outbox, "record", record)


@mutation(scenarios.no_tenant_bound, "refused_by_the_database")
def tenant_bind_skipped(patch: Patch, database: Addresses) -> None:
    """Forced row-level security then takes and shows no row at all: it fails closed, and loudly."""
    patch.setattr(unit_of_work, "_BIND", text("SELECT set_config('memos.nothing', :tenant, true)"))


@mutation(scenarios.no_tenant_bound, "rows_seen_unbound")
def tenant_bind_outlives_its_transaction(patch: Patch, database: Addresses) -> None:
    patch.setattr(unit_of_work, "_BIND", text("SELECT set_config('memos.tenant', :tenant, false)"))


@mutation(scenarios.lost_commit, "acknowledged_turn_lost")
def acknowledged_before_the_commit(patch: Patch, database: Addresses) -> None:
    finish = key_store.finish
    runs: list[Any] = []
    answer = turn_service.TurnService._answer

    async def answer_early(service: Any, run: Any, *arguments: Any) -> StoredAnswer:
        runs.append(run)
        return await answer(service, run, *arguments)

    def finish_early(work: Any, *, key: str, status: int, body: bytes) -> None:
        finish(work, key=key, status=status, body=body)
        runs[-1].finish(StoredAnswer(status, body))

    patch.setattr(turn_service.TurnService, "_answer", answer_early)
    patch.setattr(key_store, "finish", finish_early)


@mutation(scenarios.same_key_twice, "key_took_effect_twice")
def unique_key_dropped(patch: Patch, database: Addresses) -> None:
    """Without the key the statement that relies on it would fail at once; so it goes, too."""
    _alter(database, "ALTER TABLE idempotency_keys DROP CONSTRAINT idempotency_keys_pkey")
    patch.setattr(key_store, "_CLAIM", text(str(key_store._CLAIM).partition("ON CONFLICT")[0]))


@mutation(scenarios.slow_memory, "latest_read_stale_state")
def wait_of_latest_skipped(patch: Patch, database: Addresses) -> None:
    pin = turn_store.pin

    async def never_behind(*arguments: Any, **named: Any) -> Any:
        return {**await pin(*arguments, **named), "behind": 0}

    patch.setattr(turn_store, "pin", never_behind)


@mutation(scenarios.slow_memory, "lag_untrue", "latest_read_stale_state")
def lag_miscounted(patch: Patch, database: Addresses) -> None:
    patch.setattr(turn_store, "_PIN", text(str(turn_store._PIN).replace("p.seq < t.seq", "p.seq < t.seq - 1")))


@mutation(scenarios.traffic, "state_holds_wrong_turns")
def turn_taken_in_twice_by_the_model(patch: Patch, database: Addresses) -> None:
    advance = EchoEngine.advance

    def twice(engine: EchoEngine, state: EchoState, said: str, output: str) -> Step[EchoState]:
        return advance(engine, advance(engine, state, said, output).state, said, output)

    patch.setattr(EchoEngine, "advance", twice)


@mutation(scenarios.traffic, "turn_not_applied_once")
def turn_applied_twice(patch: Patch, database: Addresses) -> None:
    """The worker commits each turn a second time, on top of its own version; nothing in the schema stops it."""
    _alter(database, "DROP INDEX one_state_per_turn")
    commit = AdvanceTask._commit

    async def commit_twice(task: Any, tenant: str, where: str, head: Any, turn: Any, blob: str, result: Any) -> bool:
        done = await commit(task, tenant, where, head, turn, blob, result)
        async with task.database.unit_of_work(tenant) as work:
            again = await turn_service_head(work, where)
        return done and await commit(task, tenant, where, again, turn, blob, result)

    patch.setattr(AdvanceTask, "_commit", commit_twice)


async def turn_service_head(work: Any, conversation_id: str) -> Any:
    from memos.cubes import store

    return await store.head(work, conversation_id)


@pytest.mark.parametrize("scenario", sorted({m.scenario.__name__ for m in MUTATIONS.values()}))
def test_the_service_as_it_is_passes(
    scenario: str, postgres_cluster: Cluster, tmp_path: Path, monkeypatch: Patch
) -> None:
    found = getattr(scenarios, scenario)(postgres_cluster.database(), tmp_path, monkeypatch)
    assert found == set()


@pytest.mark.parametrize("name", list(MUTATIONS))
def test_a_mutation_is_caught(name: str, postgres_cluster: Cluster, tmp_path: Path, monkeypatch: Patch) -> None:
    database, wanted = postgres_cluster.database(), MUTATIONS[name]
    wanted.mutate(monkeypatch, database)
    found = wanted.scenario(database, tmp_path, monkeypatch)
    assert found & wanted.caught_by, f"{name} went unnoticed by {set(wanted.caught_by)}; noticed were {found}"
