"""Memories over REST.

What a version's `metadata` holds of a memory is written here alone (`version_metadata`): `user` is the caller's own,
beside it stand speaker, thread and role. It is erased with the text.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag, model_validator

from memos.cubes.changes import Sensitivity, Visibility
from memos.cubes.schemas import CubeRef, Label, Priority, Tags
from memos.cubes.versions import CALLERS_METADATA
from memos.kit.schema import WHOLE, WITHOUT_NUL, Answer, Body, Moment, Text, UserId, shown, unstorable

MOST_ITEMS = 10_000
MOST_MESSAGES = 1_000
MOST_DIMENSIONS = 16_000
MOST_HITS = 200
MOST_QUERY_CHARS = 32_000
Word = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=WITHOUT_NUL)]
Embedding = Annotated[
    list[Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=1, max_length=MOST_DIMENSIONS)
]
Query = Annotated[str, StringConstraints(min_length=1, max_length=MOST_QUERY_CHARS, pattern=WITHOUT_NUL)]
TopK = Annotated[int, Field(ge=1, le=MOST_HITS), WHOLE]
# Of a body, what is looked at elsewhere: numbers by their type, inner bodies by themselves.
_ELSEWHERE = frozenset({"embedding", "messages", "items"})


class WithoutInner(Body):
    """A body whose vectors and inner bodies are not walked through twice."""

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        if isinstance(value, dict):
            wrong = next(unstorable({name: held for name, held in value.items() if name not in _ELSEWHERE}), None)
            if wrong is not None:
                raise ValueError(wrong.encode("utf-8", "replace").decode())
        return value


class WithEmbedding(WithoutInner):
    embedding: Embedding | None = Field(
        None, description="Its vector, by the owner's embedding model; left out: memos makes it."
    )


class Message(WithEmbedding):
    """What somebody said."""

    role: Word
    name: Word | None = Field(None, description="Who spoke; left out: the role.")
    content: Text
    created_at: Moment | None = Field(None, description="When it was said; left out: now.")


class MemoryItem(WithEmbedding):
    """One text, or the messages of a conversation."""

    text: Text | None = Field(None, description="What is to be remembered, word for word.")
    messages: list[Message] | None = Field(
        None, min_length=1, max_length=MOST_MESSAGES, description="Instead of a text: each becomes an episode."
    )
    user_id: UserId | None = Field(None, description="Whose it is. Without user and agent, it must not be `owner`'s.")
    agent_id: UserId | None = None
    speaker: Word | None = Field(None, description="Who said it.")
    role: Word | None = None
    thread: Word | None = Field(
        None, description="Memories of one thread are neighbours, in the order of `valid_from`, then of arrival."
    )
    metadata: dict[str, Any] = Field(default_factory=dict)
    tags: Tags = Field(default_factory=list)
    valid_from: Moment | None = Field(None, description="Since when it has been so, or when it was said.")
    valid_to: Moment | None = None
    expires_at: Moment | None = None
    semantic_type: Label | None = Field(
        None, description="fact, preference, ...; left out: episode if it has a speaker or a thread, else fact."
    )
    visibility: Visibility = "owner"
    sensitivity: Sensitivity = "normal"
    priority: Priority = 0
    supersedes: CubeRef | None = Field(None, description="An older memory that is no longer so.")


class MemoryBatch(WithoutInner):
    """Many at once: all of them are written, or none."""

    model_config = shown({"items": [{"text": "Ada's dog is called Biscuit.", "user_id": "ada"}]})

    items: list[MemoryItem] = Field(min_length=1, max_length=MOST_ITEMS)


def _many(value: Any) -> str:
    return "many" if isinstance(value, dict) and "items" in value else "one"


# By what is in it, and not by trying one after the other.
MemoriesCreate = Annotated[
    Annotated[MemoryBatch, Tag("many")] | Annotated[MemoryItem, Tag("one")], Discriminator(_many)
]


class MemoryUpdate(WithEmbedding):
    """What is left out stays; null takes an expiry, a semantic type or a time away. A new text or new metadata make a
    version."""

    model_config = shown({"text": "Ada's dog is called Waffle."})

    # The defaults are never used: what is not in the request is not changed.
    text: Text = ""
    metadata: dict[str, Any] = Field(default_factory=dict)
    valid_from: Moment | None = None
    valid_to: Moment | None = None
    tags: Tags = Field(default_factory=list)
    expires_at: Moment | None = None
    semantic_type: Label | None = None
    visibility: Visibility = "owner"
    sensitivity: Sensitivity = "normal"
    priority: Priority = 0


class MemorySearch(WithEmbedding):
    model_config = shown({"query": "What is Ada's dog called?", "user_id": "ada", "top_k": 5})

    query: Query
    user_id: UserId | None = Field(None, description="Whose memories; left out: the caller's, or the tenant's own.")
    agent_id: UserId | None = None
    filters: dict[str, Any] | None = Field(
        None,
        description='{"AND": [...]}, {"OR": [...]}, {"NOT": {...}}, {"field": value}, {"field": {"gte": value}} over '
        "metadata.*, tags, semantic_type, speaker, thread, conversation_id, agent_id, created_at, valid_from.",
    )
    top_k: TopK = 10
    threshold: float | None = Field(None, description="No hit scores less.")
    as_of: Moment | None = Field(None, description="What memos knew at this moment that is over.")
    history: bool = Field(False, description="Also what was superseded or is over.")
    explain: bool = Field(False, description="With each signal's part of the score.")
    min_version: Annotated[int, Field(ge=0, le=2**53), WHOLE] | None = Field(
        None, description="The `revision` of a write that must be found; a later one serves."
    )


class MemorySource(Answer):
    """Where a memory is from."""

    speaker: str | None
    role: str | None
    thread: str | None
    conversation_id: str | None


class Memory(Answer):
    """A memory as it is now."""

    id: str
    text: str | None = Field(description="Null when it was erased.")
    version: int
    user_id: str | None
    agent_id: str | None
    semantic_type: str | None
    tags: list[str]
    metadata: dict[str, Any]
    source: MemorySource
    visibility: str
    sensitivity: str
    priority: int
    lifecycle: str
    frozen: bool
    superseded: bool
    repeats: int = Field(description="How often it was said again.")
    reads: int
    last_read_at: datetime | None
    valid_from: datetime | None
    valid_to: datetime | None
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime


class AddedMemory(Answer):
    """One of what was sent, in its order."""

    id: str
    version: int
    duplicate: bool = Field(description="It says what the memory of this id says: that one was counted, nothing added.")


class AddedMemories(Answer):
    memories: list[AddedMemory]
    embedded: bool = Field(description="False: some are found by their words alone until a job has made their vectors.")
    revision: int | None = Field(description="Of the owner's scope: `min_version` of a search. Null: several owners.")
    batch_id: str | None = Field(None, description="GET /v1/memories/batches/{id} says how far the vectors are.")


class BatchStatus(Answer):
    """How far the vectors of a batch are. Its memories were all durable, and found by their words, when it was
    answered."""

    id: str
    status: Literal["queued", "running", "done", "failed"]
    total: int
    done: int
    duplicates: int
    error: dict[str, Any] | None
    created_at: datetime


class FoundMemory(Answer):
    """A memory that was found."""

    id: str
    text: str
    score: float = Field(description="Larger is better; about 1 for the same words.")
    version: int
    created_at: datetime
    valid_from: datetime | None
    valid_to: datetime | None
    user_id: str | None
    agent_id: str | None
    semantic_type: str | None
    tags: list[str]
    metadata: dict[str, Any]
    superseded: bool
    source: MemorySource
    signals: dict[str, float] | None = Field(None, description="With `explain`: the parts of the score.")


class FoundMemories(Answer):
    results: list[FoundMemory]
    revision: int = Field(description="Of the owner's scope, as searched.")
    embedded: bool = Field(description="False: the embedder is away, and words alone decided.")


class MemoryVersion(Answer):
    """What it said once."""

    version: int
    operation: str
    text: str | None
    metadata: dict[str, Any]
    valid_from: datetime | None
    valid_to: datetime | None
    created_at: datetime
    created_by: str


def version_metadata(
    user: Mapping[str, Any], *, speaker: str | None = None, thread: str | None = None, role: str | None = None
) -> dict[str, Any]:
    said = {CALLERS_METADATA: dict(user) or None, "speaker": speaker, "thread": thread, "role": role}
    return {name: value for name, value in said.items() if value is not None}
