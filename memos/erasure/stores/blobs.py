"""Objects: of erased versions, and those that belong to a held conversation, or to nothing at all since before the
hold: a computation that came to nothing leaves its state behind.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import ClassVar

from memos.cubes.versions import blob_key
from memos.erasure.reach import Columns, Item, Reached, Tools
from memos.erasure.stores import store
from memos.kit.unit_of_work import UnitOfWork


class BlobStore:
    name: ClassVar[str] = "blobs"
    columns: ClassVar[Columns] = {}

    async def reach(self, work: UnitOfWork, reached: Reached) -> AsyncIterator[Item]:
        for blob_id in await store.blobs_of(work, reached.ids("versions", "erase")):
            yield Item(self.name, blob_id, "erase", "the payload of an erased version")
        for blob_id in await store.orphans(work, reached.ids("conversations", "erase", "rebuild"), reached.before):
            yield Item(self.name, blob_id, "erase", "an object that no version refers to")

    async def erase(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> None:
        await store.drop_blobs(work, [item.id for item in items])

    async def outside(self, tools: Tools, items: Sequence[Item]) -> None:
        await asyncio.to_thread(self._delete, tools, items)

    def _delete(self, tools: Tools, items: Sequence[Item]) -> None:
        for item in items:
            tools.blobs.delete(blob_key(item.id))

    async def residue(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> list[str]:
        rows = [f"blob {id} still has a row" for id in await store.rows_of_blobs(work, [item.id for item in items])]
        left = await asyncio.to_thread(self._left, tools, items)
        return rows + [f"object {id} is still stored" for id in left]

    def _left(self, tools: Tools, items: Sequence[Item]) -> list[str]:
        return [item.id for item in items if tools.blobs.size_bytes(blob_key(item.id)) is not None]
