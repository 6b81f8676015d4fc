"""Vectors of erased versions: what was said can be guessed from them."""

from collections.abc import AsyncIterator, Sequence
from typing import ClassVar

from memos.erasure.reach import Columns, InTheDatabase, Item, Reached, Tools
from memos.erasure.stores import store
from memos.kit.unit_of_work import UnitOfWork


class EmbeddingStore(InTheDatabase):
    """An item is a version's id: however many models there are, all of its vectors go."""

    name: ClassVar[str] = "embeddings"
    columns: ClassVar[Columns] = {"embeddings": ("vector",), "dense_vectors": ("dense",)}  # these follow those

    async def reach(self, work: UnitOfWork, reached: Reached) -> AsyncIterator[Item]:
        for version_id in await store.embeddings_of(work, reached.ids("versions", "erase")):
            yield Item(self.name, version_id, "erase", "the vectors of an erased version")

    async def erase(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> None:
        await store.drop_embeddings(work, [item.id for item in items])

    async def residue(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> list[str]:
        left = await store.embeddings_of(work, [item.id for item in items])
        return [f"version {id} still has a vector" for id in left]
