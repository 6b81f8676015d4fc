"""Cubes: an erased one becomes a tombstone without tags, owner and context; one that loses its newest versions goes
back to the newest that is whole. With it go the words of its events and its grants.
"""

from collections.abc import AsyncIterator, Sequence
from typing import ClassVar

from memos.cubes import changes
from memos.erasure.reach import Columns, InTheDatabase, Item, Reached, Tools
from memos.erasure.stores import store
from memos.kit.unit_of_work import UnitOfWork


class CubeStore(InTheDatabase):
    name: ClassVar[str] = "cubes"
    columns: ClassVar[Columns] = {"memcubes": ("user_id", "agent_id", "tags", "context", "semantic_type", "dedup_key")}

    async def reach(self, work: UnitOfWork, reached: Reached) -> AsyncIterator[Item]:
        for cube_id in await store.states_of(work, reached.ids("conversations", "erase")):
            yield Item(self.name, cube_id, "erase", "the state of an erased conversation")
        for row in await store.losing_heads(work, reached.ids("versions", "erase")):
            if row["whole"] is None:
                yield Item(self.name, row["id"], "erase", "nothing of it is left")
            else:
                details = {"to_version": row["whole"]}
                yield Item(self.name, row["id"], "rebuild", "goes back to its newest whole version", details)

    async def erase(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> None:
        living = await store.living_cubes(work, [item.id for item in items if item.action == "erase"])
        await store.bury_cubes(work, [row["id"] for row in living])
        for row in living:
            changes.record(
                work, row["id"], "transition", reason="erased", by=tools.erasure_id, of=row["lifecycle"], to="erased"
            )

    async def residue(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> list[str]:
        whole = [item.id for item in items if item.action == "erase"]
        return [f"cube {id} is still there" for id in await store.unburied_cubes(work, whole)]


class EventStore(InTheDatabase):
    """What was changed on an erased cube: tags and the like stand in its events, and callers' reasons."""

    name: ClassVar[str] = "events"
    columns: ClassVar[Columns] = {"cube_events": ("reason", "details")}

    async def reach(self, work: UnitOfWork, reached: Reached) -> AsyncIterator[Item]:
        for cube_id in reached.ids("cubes", "erase"):
            yield Item(self.name, cube_id, "erase", "the events of an erased cube")

    async def erase(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> None:
        await store.clear_events(work, [item.id for item in items])

    async def residue(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> list[str]:
        left = await store.telling_events(work, [item.id for item in items])
        return [f"an event of cube {id} still has words" for id in left]


class GrantStore(InTheDatabase):
    """Who might read or write an erased cube: names."""

    name: ClassVar[str] = "grants"
    columns: ClassVar[Columns] = {"cube_grants": ("grantee",)}

    async def reach(self, work: UnitOfWork, reached: Reached) -> AsyncIterator[Item]:
        for grant_id in await store.grants_of(work, reached.ids("cubes", "erase")):
            yield Item(self.name, grant_id, "erase", "of an erased cube")

    async def erase(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> None:
        await store.clear_grants(work, [item.id for item in items], tools.erasure_id)

    async def residue(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> list[str]:
        left = await store.naming_grants(work, [item.id for item in items])
        return [f"grant {id} still names somebody" for id in left]
