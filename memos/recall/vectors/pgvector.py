"""Vectors that are compared in the database, by pgvector: for deployments where one process cannot hold them. The index
in the process then knows words, times and names alone, and is told the cosines of each search (`Compared`).

Notable choices:

* `embeddings` stays the truth, and nobody who writes it knows of this. Before a search, what a scope has gained since
  is copied, up to its revision; whoever erases an embedding takes the copy with it (a foreign key).
* A scope of fewer than `GRAPH_FROM` vectors is compared whole, a larger one by the graph (HNSW) over all scopes, which
  is searched on until enough of the scope's own were found.
* The database finds more than was asked for: it does not know which memories live, and the process drops the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from memos.kit.db import Database
from memos.kit.errors import Unavailable
from memos.recall.vectors import store
from memos.recall.vectors.port import Vector

GRAPH_FROM = 10_000  # vectors of one scope
COPIED_AT_ONCE = 1_000
LEAST_BREADTH = 200
MOST_BREADTH = 1_000  # the extension's own limit
SCANNED = 100_000  # vectors of the graph that one search looks at, at most
SAMPLE = 2_048
MOST_KNOWN = 100_000


class NoPgvector(Unavailable):
    """The database has no pgvector, and `recall_index` says that it compares vectors."""

    code = "no_pgvector"
    hint = "Install the extension and run the migrations again, or set MEMOS_RECALL_INDEX=memory."


@dataclass(frozen=True, slots=True)
class Compared:
    """Cosines by version of the nearest, and of those that were asked for by name; mean and standard deviation of all,
    from a sample. `whole`: there are no nearer ones, nor any others."""

    cosines: dict[str, float]
    mean: float
    deviation: float
    whole: bool


class DatabaseVectors:
    """One for a process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[tuple[str, str], int] = {}  # revision that a scope's copy is known to have reached

    def forget(self) -> None:
        self._known.clear()

    async def follow(self, tenant_id: str, scope_id: str, model: str, revision: int) -> None:
        """Copies what is missing, at least up to this revision of the scope; a part in each transaction. Raises
        NoPgvector."""
        if self._known.get((scope_id, model), -1) >= revision:
            return
        while (reached := await self._copy(tenant_id, scope_id, model)) is None:
            pass
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[scope_id, model] = reached

    async def search(
        self,
        tenant_id: str,
        scope_id: str,
        model: str,
        vector: Vector,
        most: int,
        *,
        size: int,
        also: Sequence[str] = (),
    ) -> Compared:
        """The `most` nearest of a scope that was followed and has about `size` vectors, and those of the versions
        `also`."""
        graph = size >= GRAPH_FROM and len(vector) in store.GRAPHS
        async with self._database.unit_of_work(tenant_id) as work:
            rows = await store.nearest(
                work,
                len(vector),
                graph=graph,
                breadth=min(MOST_BREADTH, max(LEAST_BREADTH, 4 * most)),
                at_most=SCANNED,
                scope_id=scope_id,
                model=model,
                vector=literal(vector),
                most=most,
                also=list(also),
                sample=SAMPLE,
            )
        near = sum(row["near"] for row in rows)
        cosines = {row["version_id"]: float(row["cosine"]) for row in rows}
        if not rows:
            return Compared({}, 0.0, 0.0, True)
        return Compared(cosines, float(rows[0]["mean"]), float(rows[0]["deviation"]), near < most and not graph)

    async def _copy(self, tenant_id: str, scope_id: str, model: str) -> int | None:
        """None: there is more. Else the revision that is reached."""
        async with self._database.unit_of_work(tenant_id) as work:
            if not await store.present(work):
                raise NoPgvector
            mark = await store.mark(work, scope_id, model)
            if mark is None:
                return -1
            rows = await store.missing(
                work,
                scope_id=scope_id,
                model=model,
                revision=mark["revision"],
                version_id=mark["version_id"],
                limit=COPIED_AT_ONCE,
            )
            if not rows:
                return int(mark["reached"])
            vectors = [literal(np.frombuffer(row["vector"], "<f4")) for row in rows]
            versions = [row["version_id"] for row in rows]
            await store.add(work, scope_id=scope_id, model=model, version_ids=versions, vectors=vectors)
            last = rows[-1]
            await store.move_mark(
                work, scope_id=scope_id, model=model, revision=last["revision"], version_id=last["version_id"]
            )
            return int(mark["reached"]) if len(rows) < COPIED_AT_ONCE else None


def literal(vector: Vector) -> str:
    """As the extension reads it; float32 to the last bit."""
    return f"[{','.join(map(repr, vector.astype(np.float32).tolist()))}]"
