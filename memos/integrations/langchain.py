"""LangChain's chat history over memos: each message is a memory of its user, in the thread of its session, so what was
said in any session is found by recall, and goes with an erasure of the user.
"""

from collections.abc import Sequence

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import BaseMessage, message_to_dict, messages_from_dict

from memos.integrations import calls
from memos.integrations.calls import Json
from memos.sdk import Memos

ROLES = {"human": "user", "ai": "assistant"}
EMPTY = "(no text)"  # a message that only calls tools; what it holds is in its metadata


class MemosChatMessageHistory(BaseChatMessageHistory):
    """The messages of one session of one user, for `RunnableWithMessageHistory` and the like."""

    def __init__(self, session_id: str, user_id: str, client: Memos | None = None) -> None:
        self._client = client or Memos()
        self._thread = session_id
        self._user_id = user_id

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]
        """Oldest first."""
        return messages_from_dict([one["metadata"]["langchain"] for one in reversed(self._held())])

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """All of them or none, in their order."""
        items = [
            {
                "text": message.text or EMPTY,
                "user_id": self._user_id,
                "thread": self._thread,
                "role": ROLES.get(message.type, message.type),
                "speaker": ROLES.get(message.type, message.type),
                "semantic_type": "episode",
                "metadata": {"langchain": message_to_dict(message)},
            }
            for message in messages
        ]
        if items:
            self._client._send(calls.add(items))

    def clear(self) -> None:
        """Puts the session's messages away."""
        for one in self._held():
            self._client._send(calls.delete(one["id"]))

    def _held(self) -> list[Json]:
        """Newest first."""
        held: list[Json] = []
        cursor: str | None = None
        while True:
            page = self._client._send(calls.listing(user_id=self._user_id, thread=self._thread, cursor=cursor))
            held += [one for one in page["items"] if "langchain" in one["metadata"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return held
