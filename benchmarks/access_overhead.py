"""What access and audit add to a turn: python -m benchmarks.access_overhead

Two embedded services of the same code run side by side. In one, the policies and the trigger of actors are dropped, and
rows of the audit log go nowhere. Turns of an admin's key, the application's key and a user's token are taken on both,
interleaved, so that all meet the same load. Published are the ratios of the one service to the other: of the time until
the answer, and of the CPU that API and Postgres spend until the turn is in the memory, which a busy machine disturbs
less.
"""

import argparse
import contextlib
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks.report import machine, publish, spread
from memos.embedded.datadir import read_service
from memos.embedded.process import processes_in
from tests.support.evidence import connect
from tests.support.topology import Topology, embedded
from tests.support.writers import Client

_POLICIES = "SELECT polname, polrelid::regclass::text FROM pg_policy WHERE NOT polpermissive"
_SETTLED = "SELECT count(*) FROM turns WHERE status IN ('accepted', 'answered')"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=300)
    wanted = parser.parse_args()
    figures: dict[str, Any] = {"benchmark": "access_overhead", "machine": machine(), "turns": wanted.turns}
    with embedded({}) as guarded, embedded({}) as open_:
        _open(open_)
        figures |= measure(guarded, open_, wanted.turns)
    publish(figures)
    return 0


def _open(topology: Topology) -> None:
    """Takes access and audit away."""
    with connect(topology.admin_url) as connection:
        for name, table in connection.execute(_POLICIES).fetchall():
            connection.execute(f"DROP POLICY {name} ON {table}")
        connection.execute("DROP TRIGGER memcubes_actor ON memcubes")
        connection.execute("CREATE RULE nowhere AS ON INSERT TO audit_log DO INSTEAD NOTHING")


def measure(guarded: Topology, open_: Topology, turns: int) -> dict[str, Any]:
    services = {"with": guarded, "without": open_}
    callers = {(which, who): client for which, one in services.items() for who, client in _callers(one).items()}
    places = {name: _made(client, "/v1/conversations", {"user_id": "ada"})["id"] for name, client in callers.items()}
    spent: dict[tuple[str, str], list[float]] = {name: [] for name in callers}
    worked: dict[tuple[str, str], list[float]] = {name: [] for name in callers}
    with connect(guarded.admin_url) as here, connect(open_.admin_url) as there:
        for number in range(-10, turns):
            for name in random.sample(list(callers), len(callers)):
                topology, connection = (guarded, here) if name[0] == "with" else (open_, there)
                before = _cpu_ms(topology)
                took_ms = _timed(lambda name=name: _turn(callers[name], places[name]))  # type: ignore[misc]
                while (connection.execute(_SETTLED).fetchone() or (0,))[0]:
                    time.sleep(0.005)
                used = _cpu_ms(topology)
                if number >= 0:
                    spent[name].append(took_ms)
                    worked[name].append(sum(used[pid] - before.get(pid, 0.0) for pid in used))
    return {"turn_ms": _compared(spent), "cpu_ms": _compared(worked)}


def _callers(topology: Topology) -> dict[str, Client]:
    admin = _client(topology, topology.api_key)
    application = _made(admin, "/v1/keys", {"name": "app", "scopes": ["app"]})["key"]
    token = _made(admin, "/v1/tokens", {"user_id": "ada", "ttl_s": 86_400})["token"]
    return {"admin": admin, "application": _client(topology, application), "user": _client(topology, token)}


def _compared(values: dict[tuple[str, str], list[float]]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for who in ("admin", "application", "user"):
        with_, without = spread(values["with", who]), spread(values["without", who])
        ratio = round(with_["median"] / without["median"], 3)
        told[who] = {"with": with_, "without": without, "ratio_of_medians": ratio}
    return told


def _cpu_ms(topology: Topology) -> dict[int, float]:
    """On-CPU time of the API and of every Postgres process, by process."""
    data_dir = topology.blobs.parent
    service = read_service(data_dir)
    assert service is not None
    pids = [service.pid, *(found.pid for found in processes_in(data_dir / "postgres" / "cluster", "postgres"))]
    spent: dict[int, float] = {}
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            spent[pid] = int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6
    return spent


def _client(topology: Topology, key: str) -> Client:
    return Client(topology.urls, key, random.Random(0))


def _made(client: Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    status, data = client.post(path, body)
    assert status == 201, data
    made: dict[str, Any] = json.loads(data)
    return made


def _turn(client: Client, conversation: str) -> None:
    body = {"input": f"hello {uuid4().hex}", "consistency": "eventual"}
    _made(client, f"/v1/conversations/{conversation}/turns", body)


def _timed(call: Callable[[], None]) -> float:
    began_s = time.perf_counter()
    call()
    return (time.perf_counter() - began_s) * 1000


if __name__ == "__main__":
    sys.exit(main())
