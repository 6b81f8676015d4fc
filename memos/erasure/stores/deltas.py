"""Deltas trained on what is erased: their runs are retired, what else they had learned is learned anew, and the delta
itself, a cube like any other, goes.
"""

from collections.abc import AsyncIterator, Sequence
from typing import ClassVar

from memos.deltas import service
from memos.deltas import store as runs
from memos.erasure.reach import Columns, InTheDatabase, Item, Reached, Tools
from memos.erasure.stores import store
from memos.kit.unit_of_work import UnitOfWork


class DeltaStore(InTheDatabase):
    name: ClassVar[str] = "delta_runs"
    columns: ClassVar[Columns] = {"distil_runs": ("user_id", "agent_id")}

    async def reach(self, work: UnitOfWork, reached: Reached) -> AsyncIterator[Item]:
        for run in await runs.learned_from(work, reached.ids("versions", "erase")):
            yield Item(self.name, run["id"], "erase", "learned from an erased version", {"cube_id": run["cube_id"]})
            if run["cube_id"] is not None:
                yield Item("cubes", run["cube_id"], "erase", "a delta that learned from an erased version")

    async def erase(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> None:
        """All runs at once: which versions are to be forgotten is known from the plan."""
        await service.untrain(work, await store.planned(work, tools.erasure_id, "versions"), reason="erasure")

    async def residue(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> list[str]:
        left = await store.unretired_runs(work, [item.id for item in items])
        return [f"run {id} is not retired" for id in left]
