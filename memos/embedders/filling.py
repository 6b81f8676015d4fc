"""Makes the vectors that a scope lacks, some at a time: read without holding anything, embed outside of any
transaction, store under the scope's lock what is still to be read then.

Whoever is killed in between loses one batch; what is stored is not made again, since only what lacks a vector is looked
for. A batch is what an erasure waits for, and not the whole: each batch asks anew what may be read.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import RowMapping

from memos.embedders import store
from memos.generation.port import Generator
from memos.kit.db import Database
from memos.kit.in_flight import InFlight

BATCH = 64
Told = Callable[[int], Awaitable[None]]  # how many more were stored


async def _untold(stored: int) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Filler:
    """`in_flight`: where each batch is to be found while it is in memory."""

    database: Database
    generator: Generator
    in_flight: InFlight = field(default_factory=InFlight)

    async def newest(
        self,
        tenant_id: str,
        scope_id: str,
        model: str,
        *,
        since: int = -1,
        background: bool = False,
        told: Told = _untold,
    ) -> bool:
        """Every newest version stamped beyond `since` gets its vector by `model`. False: the scope neither uses it nor
        goes to it any more."""
        after = (since, "~")  # beyond every cube
        while True:
            with self.in_flight.one("embed"):
                async with self.database.unit_of_work(tenant_id) as work:
                    rows = await store.lacking(work, scope_id, model, after=after, limit=BATCH)
                if not rows:
                    return True
                stored = await self._batch(tenant_id, scope_id, model, rows, background)
            if stored is None:
                return False
            await told(stored)
            after = (rows[-1]["recall_revision"], rows[-1]["cube_id"])

    async def earlier(self, tenant_id: str, scope_id: str, model: str, *, had: str) -> bool:
        """Versions of the past that have a vector by the model `had` get one by `model`."""
        after = ""
        while True:
            with self.in_flight.one("embed"):
                async with self.database.unit_of_work(tenant_id) as work:
                    rows = await store.earlier(work, scope_id, model, had=had, after=after, limit=BATCH)
                if not rows:
                    return True
                if await self._batch(tenant_id, scope_id, model, rows, True) is None:
                    return False
            after = rows[-1]["version_id"]

    async def _batch(
        self, tenant_id: str, scope_id: str, model: str, rows: Sequence[RowMapping], background: bool
    ) -> int | None:
        made = await self.generator.embed([row["content"] for row in rows], model, background=background)
        async with self.database.unit_of_work(tenant_id) as work:
            scope = await store.lock(work, scope_id)
            if scope is None or model not in (scope["embedder"], scope["next_embedder"]):
                return None
            return await store.put(work, scope_id, [row["version_id"] for row in rows], made)
