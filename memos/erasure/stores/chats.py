"""By what a chat client's history is known again: keyed digests of what was said, of every conversation that loses
something. A client that sends its history once more then begins anew.
"""

from collections.abc import AsyncIterator, Sequence
from typing import ClassVar

from memos.chats import store as chats
from memos.erasure.reach import Columns, InTheDatabase, Item, Reached, Tools
from memos.kit.unit_of_work import UnitOfWork


class ChatStore(InTheDatabase):
    """An item is a conversation's id: the digests are chained, so all that follow what is erased stand for it too."""

    name: ClassVar[str] = "chats"
    columns: ClassVar[Columns] = {"chat_turns": ("through", "request")}

    async def reach(self, work: UnitOfWork, reached: Reached) -> AsyncIterator[Item]:
        for conversation_id in await chats.known_in(work, reached.ids("conversations", "erase", "rebuild")):
            yield Item(self.name, conversation_id, "erase", "digests of what was said in it")

    async def erase(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> None:
        await chats.forget(work, [item.id for item in items])

    async def residue(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> list[str]:
        left = await chats.known_in(work, [item.id for item in items], tools.erasure_id)
        return [f"conversation {id} still has digests of what was said before" for id in left]
