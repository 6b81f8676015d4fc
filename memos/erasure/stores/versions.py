"""Versions: of an erased cube, of every state that took in an erased turn, and all that came of them. A tombstone keeps
hash, commitment, place and lineage, so that the chain verifies.

What came of a version without words (a state, a delta) is opaque: it goes, whatever `derived` says. What came of it as
text goes if it quotes something erased.
"""

from collections.abc import AsyncIterator, Sequence
from typing import ClassVar

from memos.erasure.reach import Action, Columns, InTheDatabase, Item, Reached, Tools
from memos.erasure.stores import store
from memos.kit.unit_of_work import UnitOfWork


class VersionStore(InTheDatabase):
    name: ClassVar[str] = "versions"
    columns: ClassVar[Columns] = {"memcube_versions": ("content", "written", "metadata", "payload_sha256", "nonce")}

    async def reach(self, work: UnitOfWork, reached: Reached) -> AsyncIterator[Item]:
        for version_id in await store.versions_of(work, reached.ids("cubes", "erase")):
            yield Item(self.name, version_id, "erase", "of an erased cube")
        turns = reached.ids("turns", "erase", "redact")
        for row in await store.took_in(work, turns):
            yield Item(self.name, row["id"], "erase", "took in an erased turn", {"turn_id": row["turn_id"]})
        sources = await store.telling(work, reached.ids("versions", "erase"), turns)
        for row in await store.came_of(work, sources):
            yield Item(self.name, row["id"], "erase", f"{row['relation']} an erased version", {"of": row["parent_id"]})
        for row in await store.texts_of(work, sources):
            quoting = bool(reached.quotes.found(row["content"]))
            if quoting or reached.derived == "erase":
                action: Action = "list" if reached.derived == "list" else "erase"
                why = "quotes what is erased" if quoting else f"{row['relation']} an erased version"
                yield Item(self.name, row["id"], action, why, {"of": row["parent_id"]})

    async def erase(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> None:
        await store.bury_versions(work, [item.id for item in items], tools.erasure_id)

    async def residue(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> list[str]:
        left = await store.unburied(work, [item.id for item in items])
        return [f"version {id} still has a payload" for id in left]
