"""Episodes: the memories that a turn became. Both go with their turn; that of the answer goes when an answer is taken
back. What is derived from them goes as from any other version.
"""

from collections.abc import AsyncIterator, Sequence
from typing import ClassVar

from memos.erasure.reach import Columns, InTheDatabase, Item, Reached, Tools
from memos.erasure.stores import store
from memos.kit.unit_of_work import UnitOfWork


class EpisodeStore(InTheDatabase):
    """What it finds are cubes, which `CubeStore` erases: nothing is left to do here."""

    name: ClassVar[str] = "episodes"
    columns: ClassVar[Columns] = {}

    async def reach(self, work: UnitOfWork, reached: Reached) -> AsyncIterator[Item]:
        for row in await store.episodes_of(work, reached.ids("turns", "erase")):
            yield Item("cubes", row["id"], "erase", "what was said in an erased turn", {"turn_id": row["turn_id"]})
        for row in await store.episodes_of(work, reached.ids("turns", "redact"), answers_only=True):
            yield Item("cubes", row["id"], "erase", "an answer that was taken back", {"turn_id": row["turn_id"]})

    async def erase(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> None:
        """No item is of this store."""

    async def residue(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> list[str]:
        return []
