"""A user's name where it stands beside no conversation and no cube: keys limited to the user, policies, runs. Only an
erasure of a user reaches them; the rows are found when it is asked for, since nothing keeps the name afterwards.
"""

from collections.abc import AsyncIterator, Sequence
from typing import ClassVar

from memos.erasure.names import store
from memos.erasure.reach import Columns, InTheDatabase, Item, Reached, Tools
from memos.kit.unit_of_work import UnitOfWork


class NameStore(InTheDatabase):
    name: ClassVar[str] = "names"
    columns: ClassVar[Columns] = {
        **{table: ("user_id",) for table in store.NAMING_TABLES if table != "cube_grants"},
        "api_keys": ("user_id", "agent_id"),
        "recall_scopes": ("user_id", "agent_id"),
        "cube_grants": ("grantee",),
    }

    async def reach(self, work: UnitOfWork, reached: Reached) -> AsyncIterator[Item]:
        for _ in ():
            yield _

    async def erase(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> None:
        await store.clear_names(work, [item.id for item in items], tools.erasure_id)

    async def residue(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> list[str]:
        left = await store.still_named(work, [item.id for item in items])
        return [f"{id} still names the user" for id in left]
