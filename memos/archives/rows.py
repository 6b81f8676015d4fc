"""The rows of an archive of format version 1, as they stand in its members, one JSON object a line.

These classes are the format. They may not change: an archive of this version loads for ever. A new column is a new
format version with classes of its own, whose reader makes its rows from these.
"""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from memos.kernel.lifecycle import Lifecycle
from memos.kit.schema import unstorable

Hex = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{2})+$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Moment = AwareDatetime
Number = Annotated[int, Field(ge=0, le=2**31 - 1)]
Count = Annotated[int, Field(ge=0, le=2**62)]
Short = Annotated[str, StringConstraints(min_length=1, max_length=200)]


ConversationId = Annotated[str, StringConstraints(pattern=r"^conv_[0-9a-f]{32}$")]
TurnId = Annotated[str, StringConstraints(pattern=r"^turn_[0-9a-f]{32}$")]
CubeId = Annotated[str, StringConstraints(pattern=r"^cube_[0-9a-f]{32}$")]
VersionId = Annotated[str, StringConstraints(pattern=r"^ver_[0-9a-f]{32}$")]


class Row(BaseModel):
    """Refuses what it does not know, and text that the database cannot hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        wrong = next(unstorable(value), None)
        if wrong is not None:
            raise ValueError(wrong.encode("utf-8", "replace").decode())
        return value


class ConversationRow(Row):
    id: ConversationId
    user_id: Short
    agent_id: Short | None
    title: str | None
    metadata: dict[str, Any]
    fingerprint: str
    epoch: Number
    next_seq: Annotated[int, Field(ge=1, le=2**31 - 1)]
    replay_to: Number
    parent_id: ConversationId | None
    parent_seq: Number | None
    created_at: Moment


class TurnRow(Row):
    """A turn that is being answered, or was erased, is in no archive."""

    id: TurnId
    conversation_id: ConversationId
    seq: Annotated[int, Field(ge=1, le=2**31 - 1)]
    epoch: Number
    origin: Literal["live", "import", "merge"]
    status: Literal["answered", "applied", "failed", "cancelled", "skipped", "superseded"]
    input: str
    output: str | None
    finish_reason: Literal["stop", "length", "cancelled"] | None
    consistency: Literal["latest", "eventual"]
    base_version_id: VersionId | None
    written_version_id: VersionId | None
    lag: Number | None
    prompt_tokens: Number | None
    completion_tokens: Number | None
    timings_ms: dict[str, Any]
    error: dict[str, Any] | None
    superseded_epoch: Number | None
    created_at: Moment
    answered_at: Moment | None
    applied_at: Moment | None


class CubeRow(Row):
    id: CubeId
    kind: Literal["plaintext", "activation", "parameter"]
    user_id: Short | None
    agent_id: Short | None
    conversation_id: ConversationId | None
    lifecycle: Lifecycle
    frozen: bool
    priority: Annotated[int, Field(ge=-32768, le=32767)]
    expires_at: Moment | None
    tags: Annotated[list[str], Field(max_length=50)]
    sensitivity: Literal["normal", "sensitive", "secret"]
    semantic_type: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None
    origin: Literal["user", "assistant", "admin", "import", "conversion", "consolidation"]
    visibility: Literal["owner", "shared", "tenant"]
    context: dict[str, Any]
    model: str | None
    reads: Count
    last_read_at: Moment | None
    created_at: Moment


class VersionRow(Row):
    """One that was erased keeps its place, its hash and its commitment, and nothing else."""

    id: VersionId
    cube_id: CubeId
    number: Number
    operation: Literal[
        "create", "revise", "advance", "merge", "split", "convert", "distil", "rollback", "fork", "import", "migrate"
    ]
    parent_hash: Sha256 | None
    hash: Sha256
    commitment: Sha256
    nonce: Hex | None
    payload: Literal["start", "blob", "text", "erased"]
    content: str | None
    payload_sha256: Sha256 | None
    size_bytes: Count
    fingerprint: str | None
    metadata: dict[str, Any]
    written: list[dict[str, Any]] | None
    conversation_id: ConversationId | None
    epoch: Number | None
    turn_id: TurnId | None
    turn_seq: Number | None
    valid_from: Moment | None
    valid_to: Moment | None
    created_at: Moment
    created_by: str


class EdgeRow(Row):
    child: VersionId
    parent: VersionId
    relation: Literal[
        "revises", "advances", "merges", "splits", "converts", "distils", "recalls", "imports", "restores", "forks",
        "supersedes",
    ]  # fmt: skip


class ReadRow(Row):
    turn_id: TurnId
    version_id: VersionId
    rank: Number
    score: float | None


class EventRow(Row):
    cube_id: CubeId
    event: Literal["create", "transition", "freeze", "unfreeze", "change", "grant", "revoke"]
    from_lifecycle: Lifecycle | None
    to_lifecycle: Lifecycle | None
    reason: str
    details: dict[str, Any]
    created_at: Moment
    created_by: str


# Member by member, in their order in the file.
TABLES: dict[str, type[Row]] = {
    "conversations.jsonl": ConversationRow,
    "turns.jsonl": TurnRow,
    "cubes.jsonl": CubeRow,
    "versions.jsonl": VersionRow,
    "edges.jsonl": EdgeRow,
    "reads.jsonl": ReadRow,
    "events.jsonl": EventRow,
}


class Subject(Row):
    """What was asked for."""

    kind: Literal["cubes", "conversation", "user"]
    ids: list[str]


class Member(Row):
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9._/]{1,100}$")]
    bytes: Count
    sha256: Sha256


class Manifest(Row):
    """`sha256` is over everything else in it, and so over every member."""

    format: Literal["memos-archive"]
    version: int
    subject: Subject
    counts: dict[str, int]
    members: list[Member]
    sha256: Sha256
