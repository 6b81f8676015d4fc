"""A user's name where it stands beside no conversation and no cube: keys limited to the user, policies, runs. Only an
erasure of a user reaches them; the rows are found when it is asked for, since nothing keeps the name afterwards.
"""

from collections.abc import AsyncIterator, Sequence
from typing import ClassVar

from memos.erasure.reach import InTheDatabase, Item, Reached, Tools
from memos.erasure.stores import store
from memos.kit.unit_of_work import UnitOfWork


class NameStore(InTheDatabase):
    name: ClassVar[str] = "names"
    tables: ClassVar[tuple[str, ...]] = store.NAMING_TABLES

    async def reach(self, work: UnitOfWork, reached: Reached) -> AsyncIterator[Item]:
        for _ in ():
            yield _

    async def erase(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> None:
        await store.clear_names(work, [item.id for item in items], tools.erasure_id)

    async def residue(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> list[str]:
        left = await store.still_named(work, [item.id for item in items])
        return [f"{id} still names the user" for id in left]
