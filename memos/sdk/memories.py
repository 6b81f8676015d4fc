"""What the service answers about memories, as values. See `models` for the base of all of them."""

from datetime import datetime
from typing import Any

from pydantic import Field

from memos.sdk.models import Model


class MemorySource(Model):
    """Where a memory is from."""

    speaker: str | None = None
    role: str | None = None
    thread: str | None = None
    conversation_id: str | None = None


class Memory(Model):
    """A memory as it is now. `repeats`: how often it was said again; `superseded`: a newer one replaces it."""

    id: str
    text: str | None = None
    version: int
    user_id: str | None = None
    agent_id: str | None = None
    semantic_type: str | None = None
    tags: list[str] = Field(default_factory=list)
    metadata: dict[str, Any] = Field(default_factory=dict)
    source: MemorySource
    visibility: str
    sensitivity: str
    priority: int
    lifecycle: str
    frozen: bool
    superseded: bool
    repeats: int
    reads: int
    last_read_at: datetime | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    expires_at: datetime | None = None
    created_at: datetime
    updated_at: datetime


class AddedMemory(Model):
    """One of what was sent. `duplicate`: the memory of this id says it already, and was counted."""

    id: str
    version: int
    duplicate: bool


class AddedMemories(Model):
    """What was sent, in its order. `embedded`: false, if some are found by their words alone until their vectors are
    there. `revision`: the `min_version` of a search that must find them."""

    memories: list[AddedMemory]
    embedded: bool
    revision: int | None = None
    batch_id: str | None = None


class BatchStatus(Model):
    """How many of a large batch have their vectors."""

    id: str
    status: str
    total: int
    done: int
    duplicates: int
    error: dict[str, Any] | None = None
    created_at: datetime


class FoundMemory(Model):
    """A memory that was found; with `explain`, `signals` are the parts of its score."""

    id: str
    text: str
    score: float
    version: int
    created_at: datetime
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    user_id: str | None = None
    agent_id: str | None = None
    semantic_type: str | None = None
    tags: list[str] = Field(default_factory=list)
    metadata: dict[str, Any] = Field(default_factory=dict)
    superseded: bool
    source: MemorySource
    signals: dict[str, float] | None = None


class FoundMemories(Model):
    """The best first. `embedded`: false, if words alone decided."""

    results: list[FoundMemory]
    revision: int
    embedded: bool


class MemoryVersion(Model):
    """What a memory said once."""

    version: int
    operation: str
    text: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    created_at: datetime
    created_by: str
