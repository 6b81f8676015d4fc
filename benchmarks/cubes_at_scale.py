"""Reading 100,000 cubes of 1,000,000 versions: python -m benchmarks.cubes_at_scale

Builds the cubes in an embedded Postgres (correctly chained rows, copied in by the administrator with triggers off,
the chain checked afterwards), and then measures list, lineage to depth 10, `as_of` and diff: the service's own
functions, and the REST route over loopback. With each goes the plan of every statement that one call sends, run again
under EXPLAIN as the service's role. `before` is what the same calls took without the index of migration 0007. The
floor is a transaction that selects nothing, and a route that looks at nothing, met by the same load; `own_ms` is what
a call takes of a processor, ours and the database's, which a busy machine changes little.

Users are of unequal size: the greatest has about 3 in 100 of all cubes. A hundred cubes have long histories, one in
seven begins with a fork or a merge of older ones. Which cubes and moments are asked for is drawn evenly, so most calls
meet pages that nobody has read just before.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx2

from benchmarks.filler import YEAR_S, Filled, fill
from benchmarks.plans import Recorder
from benchmarks.report import machine, publish, spread
from memos.cubes import service, store
from memos.kit.db import Database
from memos.timemachine import diff
from memos.timemachine import service as past
from tests.support.evidence import connect
from tests.support.live import Live, serve
from tests.support.postgres import Cluster, cluster

GOAL_MS = 50.0
INDEX = "versions_by_time"
Asked = dict[str, Any]


class Bench:
    """The calls, each as the service's function and as a request. What is asked for is drawn once for both."""

    def __init__(self, live: Live, filled: Filled, rng: random.Random) -> None:
        self.live = live
        self.filled = filled
        self._rng = rng
        self._database = Database(live.database.app)
        self.calls: dict[str, tuple[Callable[[], Asked], Callable[..., Awaitable[Any]], Callable[..., str]]] = {
            "floor": (dict, self._nothing, lambda: "/healthz"),
            "list": (self._user, self._list, lambda user_id: f"/v1/cubes?user_id={user_id}"),
            "list of everybody's": (dict, self._list, lambda: "/v1/cubes"),
            "list of one kind": (lambda: {"kind": "activation"}, self._list, lambda kind: f"/v1/cubes?kind={kind}"),
            "list of the greatest user": (
                lambda: {"user_id": "user-0"}, self._list, lambda user_id: f"/v1/cubes?user_id={user_id}",
            ),
            "lineage": (self._cube, self._lineage, lambda cube_id: f"/v1/cubes/{cube_id}/lineage?depth=10"),
            "lineage of a long history": (
                self._long, self._lineage, lambda cube_id: f"/v1/cubes/{cube_id}/lineage?depth=10",
            ),
            "as_of of a cube": (
                self._cube_then, self._as_of, lambda cube_id, at: f"/v1/cubes/{cube_id}?as_of={_query(at)}",
            ),
            "as_of of a long history": (
                self._long_then, self._as_of, lambda cube_id, at: f"/v1/cubes/{cube_id}?as_of={_query(at)}",
            ),
            "as_of of a user": (
                self._user_then, self._memory, lambda user_id, at: f"/v1/users/{user_id}/memory?as_of={_query(at)}",
            ),
            "as_of of the greatest user, long ago": (
                lambda: {"user_id": "user-0", "at": filled.begun + timedelta(days=9)}, self._memory,
                lambda user_id, at: f"/v1/users/{user_id}/memory?as_of={_query(at)}",
            ),
            "diff": (
                self._two, self._diff, lambda cube_id, a, b: f"/v1/cubes/{cube_id}/diff?from={a}&to={b}",
            ),
        }  # fmt: skip

    async def close(self) -> None:
        await self._database.aclose()

    async def measured(self, name: str, count: int) -> dict[str, Any]:
        """Milliseconds of the function and of the route, and the plans of one call."""
        draw, function, path = self.calls[name]
        recorder = Recorder(self.live.database.app, self.filled.tenant_id)
        figures: dict[str, list[float]] = {"function_ms": [], "rest_ms": []}
        async with httpx2.AsyncClient(
            base_url=self.live.url, headers={"Authorization": f"Bearer {self.live.key}"}, timeout=60
        ) as client:
            for number in range(-10, count):
                asked, address = draw(), path(**draw())
                began_s = time.perf_counter()
                await function(**asked)
                between_s = time.perf_counter()
                answer = await client.get(address)
                ended_s = time.perf_counter()
                assert answer.status_code in (200, 404), answer.text
                if number >= 0:
                    figures["function_ms"].append((between_s - began_s) * 1000)
                    figures["rest_ms"].append((ended_s - between_s) * 1000)
        own_ms = [await self._own_ms(draw, function) for _ in range(min(count, 25))]
        with recorder:
            await function(**draw())
        spreads = {key: spread(values, 2) for key, values in figures.items()}
        return {**spreads, "own_ms": spread(own_ms, 2), "plans": recorder.plans()}

    async def _own_ms(self, draw: Callable[[], Asked], function: Callable[..., Awaitable[Any]]) -> float:
        """What a call takes of a processor: ours, and the database's by itself."""
        recorder = Recorder(self.live.database.app, self.filled.tenant_id)
        asked = draw()
        with recorder:
            began_s = time.thread_time()
            await function(**asked)
            used_s = time.thread_time() - began_s
        return used_s * 1000 + recorder.database_ms()

    def _user(self) -> Asked:
        return {"user_id": f"user-{self._rng.randrange(self.filled.users)}"}

    def _cube(self) -> Asked:
        return {"cube_id": self._rng.choice(self.filled.cubes)[0]}

    def _long(self) -> Asked:
        return {"cube_id": self._rng.choice(self.filled.longest)[0]}

    def _moment(self, since: datetime) -> datetime:
        end = self.filled.begun + timedelta(seconds=YEAR_S)
        return since + (end - since) * self._rng.random()

    def _cube_then(self) -> Asked:
        cube_id, _, begun = self._rng.choice(self.filled.cubes)
        return {"cube_id": cube_id, "at": self._moment(begun)}

    def _long_then(self) -> Asked:
        cube_id, _, begun = self._rng.choice(self.filled.longest)
        return {"cube_id": cube_id, "at": self._moment(begun)}

    def _user_then(self) -> Asked:
        return self._user() | {"at": self._moment(self.filled.begun)}

    def _two(self) -> Asked:
        cube_id, count, _ = self._rng.choice(self.filled.texts)
        return {"cube_id": cube_id, "a": self._rng.randrange(count), "b": self._rng.randrange(count)}

    async def _nothing(self) -> None:
        await past.settle(self._database, self.filled.tenant_id, None)

    async def _list(self, user_id: str | None = None, kind: str | None = None) -> None:
        async with self._database.unit_of_work(self.filled.tenant_id) as work:
            filters = {"kind": kind, "lifecycle": None, "user_id": user_id, "conversation_id": None, "before": None}
            await store.list_cubes(work, **filters, limit=51)

    async def _lineage(self, cube_id: str) -> None:
        async with self._database.unit_of_work(self.filled.tenant_id) as work:
            await service.lineage(work, cube_id, "both", 10)

    async def _as_of(self, cube_id: str, at: datetime) -> None:
        await past.cube_then(self._database, self.filled.tenant_id, cube_id, at, None)

    async def _memory(self, user_id: str, at: datetime) -> None:
        await past.page_then(self._database, self.filled.tenant_id, at, cursor=None, limit=50, user_id=user_id)

    async def _diff(self, cube_id: str, a: int, b: int) -> None:
        generator = self.live.app.state.runtime.generator
        await diff.versions(self._database, generator, self.filled.tenant_id, cube_id, (a, b), 100)


def _query(at: datetime) -> str:
    return quote(at.isoformat())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cubes", type=int, default=100_000)
    parser.add_argument("--versions", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    with cluster() as postgres:
        publish(run(postgres, **vars(wanted)))
    return 0


def run(postgres: Cluster, *, cubes: int, versions: int, users: int, calls: int, seed: int) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "benchmark": "cubes_at_scale", "machine": machine(), "cubes": cubes, "versions": versions, "users": users,
        "calls": calls, "seed": seed, "goal_ms": GOAL_MS,
    }  # fmt: skip
    with serve(postgres.database()) as live:
        began_s = time.perf_counter()
        filled = fill(live, cubes, versions, users, seed)
        figures["built_in_s"] = round(time.perf_counter() - began_s, 1)
        figures["stored_bytes"] = filled.stored_bytes
        print(f"built in {figures['built_in_s']} s", file=sys.stderr, flush=True)
        asyncio.run(_measure(live, filled, calls, figures))
    for kind in ("own_ms", "function_ms", "rest_ms"):
        worst = {name: found[kind]["p95"] for name, found in figures["now"].items()}
        figures[f"p95_{kind}"] = worst
        figures[f"reached_by_{kind}"] = all(value <= GOAL_MS for value in worst.values())
    return figures


async def _measure(live: Live, filled: Filled, calls: int, figures: dict[str, Any]) -> None:
    bench = Bench(live, filled, random.Random(filled.seed))
    try:
        with connect(live.database.admin) as admin:
            (made,) = admin.execute("SELECT pg_get_indexdef(%s::regclass)", [INDEX]).fetchone() or ("",)
            admin.execute(f"DROP INDEX {INDEX}")
            figures["before"] = await _all(bench, [name for name in bench.calls if "as_of" in name], calls)
            admin.execute(made)
            admin.execute("ANALYZE memcube_versions")
        figures["now"] = await _all(bench, list(bench.calls), calls)
    finally:
        await bench.close()


async def _all(bench: Bench, names: list[str], calls: int) -> dict[str, Any]:
    found = {}
    for name in names:
        found[name] = await bench.measured(name, calls)
        shown = {key: value for key, value in found[name].items() if key != "plans"}
        print(f"{name}: {shown}", file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
