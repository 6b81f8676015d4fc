"""From what a caller sent to texts that can be written: whose they are, what kind they are, who said them when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memos.cubes.bulk.rows import NewText
from memos.cubes.life import BackToFront, Ownerless, unique
from memos.kernel.access import Actor
from memos.kit.errors import Invalid, TooLarge
from memos.memories.sameness import EPISODE
from memos.memories.schemas import MemoryItem, Message, version_metadata

FACT = "fact"


class NoDirection(Invalid):
    """A vector of zeros, or of numbers that are too large, points nowhere."""

    code = "no_direction"
    hint = "Send the numbers that the embedding model made, or leave `embedding` out: memos makes them."


class TextOrMessages(Invalid):
    """A memory is made of one text, or of messages."""

    code = "text_or_messages"
    hint = "Send either text or messages; embedding and supersedes go with a text, and each message may have its own."


@dataclass(slots=True)
class Draft:
    """A text to be written, the thread that its caller named, and the older memory that it replaces."""

    new: NewText
    thread: str | None = None
    supersedes: str | None = None


def drafts(items: Sequence[MemoryItem], actor: Actor, most_chars: int) -> list[Draft]:
    """One for each text and each message, in their order. Raises TextOrMessages, BackToFront, NoDirection, TooLarge,
    Ownerless."""
    for item in items:
        _check(item)
    made = [draft for item in items for draft in _drafts(item, actor)]
    for draft in made:
        new = draft.new
        if len(new.text) > most_chars:
            raise TooLarge(f"a text has {len(new.text)} characters; {most_chars} is the most")
        if new.visibility == "owner" and new.user_id is None and new.agent_id is None:
            raise Ownerless
    return made


def owner(user_id: str | None, agent_id: str | None, actor: Actor) -> tuple[str | None, str | None]:
    """Whose a memory is: as asked for, else the caller's own."""
    if actor.kind == "person" and user_id is None and agent_id in (None, actor.agent_id):
        return actor.user_id, actor.agent_id
    return user_id, agent_id


def unit_vector(numbers: Sequence[float] | None) -> NDArray[np.float32] | None:
    """float32 [d], of length one. Raises NoDirection."""
    if numbers is None:
        return None
    vector = np.array(numbers, np.float64)
    largest = float(np.abs(vector).max(initial=0.0))
    if not 0 < largest < np.inf:
        raise NoDirection
    vector /= largest  # or the squares of large numbers would be no numbers
    return np.asarray(vector / np.sqrt(vector @ vector), np.float32)


def _check(item: MemoryItem) -> None:
    if (item.text is None) == (item.messages is None):
        raise TextOrMessages
    if item.messages is not None and (item.embedding is not None or item.supersedes is not None):
        raise TextOrMessages
    if item.valid_from is not None and item.valid_to is not None and item.valid_to < item.valid_from:
        raise BackToFront


def _drafts(item: MemoryItem, actor: Actor) -> Iterator[Draft]:
    if item.messages is None:
        episode = item.speaker is not None or item.thread is not None
        new = _new(item, actor, item.text or "", item.semantic_type or (EPISODE if episode else FACT))
        new.metadata = version_metadata(item.metadata, speaker=item.speaker, thread=item.thread, role=item.role)
        new.vector = unit_vector(item.embedding)
        yield Draft(new, item.thread, item.supersedes)
        return
    thread = item.thread
    for message in item.messages:
        new = _new(item, actor, message.content, item.semantic_type or EPISODE)
        # Without a name of its own the thread is called after its first message.
        thread = thread or new.cube_id
        _said(new, item, message, thread)
        yield Draft(new, item.thread)


def _new(item: MemoryItem, actor: Actor, text: str, semantic_type: str) -> NewText:
    user_id, agent_id = owner(item.user_id, item.agent_id, actor)
    return NewText(
        text,
        user_id,
        agent_id,
        semantic_type=semantic_type,
        visibility=item.visibility,
        sensitivity=item.sensitivity,
        priority=item.priority,
        tags=unique(item.tags),
        expires_at=item.expires_at,
        valid_from=item.valid_from,
        valid_to=item.valid_to,
    )


def _said(new: NewText, item: MemoryItem, message: Message, thread: str) -> None:
    new.origin = "assistant" if message.role == "assistant" else "user"
    new.metadata = version_metadata(
        item.metadata, speaker=message.name or item.speaker or message.role, thread=thread, role=message.role
    )
    new.valid_from = message.created_at or item.valid_from
    if new.valid_from is not None and new.valid_to is not None and new.valid_to < new.valid_from:
        raise BackToFront
    new.vector = unit_vector(message.embedding)
