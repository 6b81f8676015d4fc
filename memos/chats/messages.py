"""What a list of chat messages says: the exchanges so far, the new input, and what the application tells the model.

Notable choices:

* A conversation is known by what its user and its assistant said. System messages are not part of that: many clients
  put the time of day into theirs, and would begin a new conversation with every message.
* The digests are keyed, and chained: that of an exchange stands for all before it. A pass over the whole history costs
  a hash each, and one look-up finds the longest part of it that is known.
* The digest of an exchange ends with the user's message. What was answered is compared with the turn itself, trimmed:
  clients trim.

Pure; it refuses what is not text (Unsupported) and a list that does not end with the user (NoUserMessage).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from memos.chats.errors import NoUserMessage, Unsupported
from memos.chats.schemas import ChatMessage
from memos.kernel.canonical import canonical_json

Digest = Callable[[bytes], bytes]
TOLD = frozenset({"system", "developer"})


@dataclass(frozen=True, slots=True)
class Exchange:
    """`through` stands for whose it is and everything up to `input`."""

    input: str
    output: str
    through: bytes


@dataclass(frozen=True, slots=True)
class Said:
    """`input` is the new turn, `through` stands for all of it."""

    before: Sequence[Exchange]
    input: str
    through: bytes
    system: str


def said(messages: Sequence[ChatMessage], digest: Digest, *, user_id: str, agent_id: str | None) -> Said:
    """Splits a history at its last user message."""
    system = "\n\n".join(text for one in messages if one.role in TOLD and (text := _text(one)))
    spoken = [(one.role, _text(one)) for one in messages if one.role in ("user", "assistant")]
    if not spoken or spoken[-1][0] != "user" or not spoken[-1][1].strip():
        raise NoUserMessage(param="messages")
    chain = digest(canonical_json(["chat", user_id, agent_id]))
    before = []
    for asked, answered in _exchanges(spoken[:-1]):
        through = digest(chain + canonical_json(["user", asked]))
        before.append(Exchange(asked, answered, through))
        chain = digest(through + canonical_json(["assistant", answered.strip()]))
    last = spoken[-1][1]
    return Said(before, last, digest(chain + canonical_json(["user", last])), system)


def _exchanges(spoken: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Pairs of what was asked and what was answered. An answer to nothing, a greeting say, has an empty input; what got
    no answer has an empty output; answers in a row are one."""
    asked: str | None = None
    answers: list[str] = []
    for role, text in spoken:
        if role == "assistant":
            asked = asked or ""
            answers.append(text)
        else:
            if asked is not None:
                yield asked, "\n\n".join(answers)
            asked, answers = text, []
    if asked is not None:
        yield asked, "\n\n".join(answers)


def _text(message: ChatMessage) -> str:
    if message.content is None or isinstance(message.content, str):
        return message.content or ""
    return "\n".join(_part(part) for part in message.content)


def _part(part: dict[str, Any]) -> str:
    kind, text = part.get("type"), part.get("text")
    if kind == "refusal":
        text = part.get("refusal")
    if kind not in ("text", "input_text", "output_text", "refusal") or not isinstance(text, str):
        raise Unsupported("a part of a message's content is not text", param="messages")
    return text
