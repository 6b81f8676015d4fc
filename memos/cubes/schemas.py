"""MemCubes, their versions and their lineage over REST."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from memos.kit.schema import Answer

Kind = Literal["plaintext", "activation", "parameter"]


class Cube(Answer):
    id: str
    kind: Kind
    user_id: str | None
    agent_id: str | None
    conversation_id: str | None
    lifecycle: str
    frozen: bool
    head_version: int
    semantic_type: str | None
    origin: str
    visibility: str
    sensitivity: str
    priority: int
    tags: list[str]
    expires_at: datetime | None
    model: str | None
    created_at: datetime
    reads: int
    last_read_at: datetime | None
    writes: int


class Version(Answer):
    id: str
    cube_id: str
    number: int
    operation: str
    parent_id: str | None
    hash: str
    parent_hash: str | None
    commitment: str
    payload_sha256: str | None = Field(description="Null when what it held was erased.")
    size_bytes: int
    fingerprint: str | None
    conversation_id: str | None
    epoch: int | None
    turn_id: str | None
    turn_seq: int | None
    metadata: dict[str, Any]
    valid_from: datetime | None
    valid_to: datetime | None
    created_at: datetime
    created_by: str


class WrittenSlot(Answer):
    """What one slot of the memory took in when a version was made."""

    layer: int
    slot: int
    gate: float = Field(description="How much of the slot was replaced, 0 to 1.")
    words: list[str] = Field(description="Of what was said, those the slot took in most; the first most.")


class VersionRecord(Version):
    """A version with everything that is known of its making. `metadata.health` says how the memory is."""

    written: list[WrittenSlot] | None = Field(
        description="The slots that the version's turn went into; null for a version that took no turn in."
    )


class LineageNode(Answer):
    id: str
    cube_id: str
    number: int
    kind: Kind
    operation: str
    conversation_id: str | None
    turn_id: str | None
    turn_seq: int | None
    epoch: int | None
    created_at: datetime


class LineageEdge(Answer):
    child: str
    parent: str
    relation: str


class Lineage(Answer):
    nodes: list[LineageNode]
    edges: list[LineageEdge]
    truncated: bool = Field(description="True when the graph went on beyond `depth` or the node limit.")
