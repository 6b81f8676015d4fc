"""Conversations: one that is erased loses title, metadata and user; one that held something erased is rebuilt."""

from collections.abc import AsyncIterator, Sequence
from typing import ClassVar

from memos.erasure.reach import Columns, InTheDatabase, Item, Reached, Tools
from memos.erasure.stores import store
from memos.kit.unit_of_work import UnitOfWork


class ConversationStore(InTheDatabase):
    name: ClassVar[str] = "conversations"
    columns: ClassVar[Columns] = {"conversations": ("user_id", "agent_id", "title", "metadata")}

    async def reach(self, work: UnitOfWork, reached: Reached) -> AsyncIterator[Item]:
        turns, versions = reached.ids("turns", "erase", "redact"), reached.ids("versions", "erase")
        for conversation_id in await store.conversations_of(work, turns, versions):
            yield Item(self.name, conversation_id, "rebuild", "its state goes on without what is erased")

    async def erase(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> None:
        whole = [item.id for item in items if item.action == "erase"]
        await store.clear_conversations(work, whole, tools.erasure_id)

    async def residue(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> list[str]:
        whole = [item.id for item in items if item.action == "erase"]
        return [f"conversation {id} still has a name" for id in await store.named_conversations(work, whole)]


class TitleStore(InTheDatabase):
    """A fork takes its parent's title over unless it is given one."""

    name: ClassVar[str] = "titles"
    columns: ClassVar[Columns] = {"conversations": ("user_id", "agent_id", "title", "metadata")}

    async def reach(self, work: UnitOfWork, reached: Reached) -> AsyncIterator[Item]:
        for row in await store.copied_titles(work, reached.ids("conversations", "erase")):
            yield Item(self.name, row["id"], "redact", "the title of an erased conversation", {"of": row["parent_id"]})

    async def erase(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> None:
        await store.clear_titles(work, [item.id for item in items])

    async def residue(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> list[str]:
        """A title given since is another."""
        return []
