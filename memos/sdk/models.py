"""What the service answers, as values. Fields that a newer service adds are kept and do no harm; the SDK and the
service may be of different versions. Refuses to hold behaviour: a model never talks to the service.
"""

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class Model(BaseModel):
    """The base of every answer: immutable, and tolerant of fields it does not know."""

    # Validators are built at first use: importing the SDK would take twice as long otherwise.
    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)


class Page(Model, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None = None


class Origin(Model):
    """Where a fork began."""

    conversation_id: str
    at_turn: int


class Conversation(Model):
    """A conversation; its memory is the activation cube `state_cube_id`."""

    id: str
    user_id: str
    agent_id: str | None = None
    title: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    created_at: datetime
    epoch: int
    turn_count: int
    pending_turns: int
    state_cube_id: str
    state_version: int
    fingerprint: str
    forked_from: Origin | None = None


class RolledBack(Model):
    """A conversation after a rollback."""

    conversation: Conversation
    superseded_turns: int


class ReadMemory(Model):
    """A recalled memory that an answer read."""

    cube_id: str
    version: int
    text: str | None = None
    score: float | None = None


class TurnMemory(Model):
    """What a turn read from memory and what it wrote. `recall`: hybrid, by meaning and words; words, by words alone;
    off; or failed, the turn was answered without. `recall_error`: the code of what kept it from being hybrid."""

    read: list[ReadMemory] = Field(default_factory=list)
    recall: str | None = None
    recall_error: str | None = None
    state_version: int | None = None
    lag: int | None = None
    written_version: int | None = None


class Usage(Model):
    """Tokens that a turn took."""

    prompt_tokens: int
    completion_tokens: int


class Turn(Model):
    """One input and its answer."""

    id: str
    conversation_id: str
    seq: int
    status: str
    input: str
    output: str | None = None
    finish_reason: str | None = None
    memory: TurnMemory = Field(default_factory=TurnMemory)
    usage: Usage | None = None
    timings_ms: dict[str, float] = Field(default_factory=dict)
    created_at: datetime
    error: dict[str, Any] | None = None


class ImportedTurn(Model):
    """A turn from elsewhere, to be remembered without generating."""

    input: str
    output: str
    created_at: datetime | None = None


class Imported(Model):
    """The turns that an import made."""

    turns: list[Turn]


class VersionRead(Model):
    """A memory version in an explanation. `text` and `signals`, the parts of its score, are a recalled memory's."""

    version_id: str
    cube_id: str
    number: int
    kind: str
    rank: int
    score: float | None = None
    text: str | None = None
    signals: dict[str, float] | None = None


class SlotOrigin(Model):
    """The turn that last wrote a slot of a memory, and with which words."""

    turn_id: str
    seq: int
    version_id: str
    version: int
    gate: float
    words: list[str] = Field(default_factory=list)


class ReadSlot(Model):
    """A slot of the memory that an answer read. `written_at` is None for one that no turn wrote to speak of."""

    layer: int
    slot: int
    share: float
    written_at: SlotOrigin | None = None


class SlotsUnavailable(Model):
    """Why it cannot be said now which slots an answer read."""

    code: str
    detail: str


class Explanation(Model):
    """What an answer came from, and what it became."""

    turn_id: str
    seq: int
    status: str
    read: list[VersionRead] = Field(default_factory=list)
    wrote: VersionRead | None = None
    lag: int | None = None
    finish_reason: str | None = None
    timings_ms: dict[str, float] = Field(default_factory=dict)
    state_turns: list[int] = Field(default_factory=list)
    model: str
    slots: list[ReadSlot] | None = None
    slots_unavailable: SlotsUnavailable | None = None


class Cube(Model):
    """A MemCube: one governed memory and its versions."""

    id: str
    kind: str
    user_id: str | None = None
    agent_id: str | None = None
    conversation_id: str | None = None
    lifecycle: str
    frozen: bool
    head_version: int
    semantic_type: str | None = None
    origin: str = "user"
    visibility: str = "owner"
    sensitivity: str = "normal"
    priority: int
    tags: list[str] = Field(default_factory=list)
    expires_at: datetime | None = None
    model: str | None = None
    created_at: datetime
    reads: int = 0
    last_read_at: datetime | None = None
    writes: int = 0


class Version(Model):
    """One immutable version of a cube, hashed and chained to its parent."""

    id: str
    cube_id: str
    number: int
    operation: str
    parent_id: str | None = None
    hash: str
    parent_hash: str | None = None
    commitment: str
    payload_sha256: str | None = None
    size_bytes: int
    fingerprint: str | None = None
    conversation_id: str | None = None
    epoch: int | None = None
    turn_id: str | None = None
    turn_seq: int | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    created_at: datetime
    created_by: str


class WrittenSlot(Model):
    """What one slot of a memory took in when a version was made."""

    layer: int
    slot: int
    gate: float
    words: list[str] = Field(default_factory=list)


class VersionRecord(Version):
    """A version with the slots that were written; the health of its memory is in `metadata`."""

    written: list[WrittenSlot] | None = None


class LineageNode(Model):
    """A version in a lineage graph."""

    id: str
    cube_id: str
    number: int
    kind: str
    operation: str
    conversation_id: str | None = None
    turn_id: str | None = None
    turn_seq: int | None = None
    epoch: int | None = None
    created_at: datetime


class LineageEdge(Model):
    """`child` came from `parent`; both are version ids."""

    child: str
    parent: str
    relation: str


class Lineage(Model):
    """A lineage graph. `truncated`: it goes on beyond the depth or the node limit."""

    nodes: list[LineageNode]
    edges: list[LineageEdge]
    truncated: bool = False


class Renamed(Model):
    """Something of an archive, and what it is now."""

    archived_id: str
    id: str


class ImportedArchive(Model):
    """What an archive became. `left_out`: versions whose content had been erased before it was made."""

    archive_sha256: str
    format_version: int
    conversations: list[Renamed]
    cubes: list[Renamed]
    versions: int
    turns: int
    payloads: int
    payload_bytes: int
    left_out: int


class Job(Model):
    """A piece of background work."""

    id: str
    task: str
    subject: str
    turn_id: str | None = None
    status: str
    dispatches: int
    failures: int
    error: dict[str, Any] | None = None
    progress: dict[str, int] | None = None
    available_at: datetime
    created_at: datetime
    done_at: datetime | None = None


class Key(Model):
    """An API key, without its secret."""

    id: str
    name: str
    prefix: str
    scopes: list[str]
    user_id: str | None = None
    agent_id: str | None = None
    roles: list[str] = Field(default_factory=list)
    created_at: datetime
    revoked_at: datetime | None = None


class NewKey(Key):
    """A key just made. `key` is the secret itself, shown once."""

    key: str


class Tenant(Model):
    """A tenant: no other tenant sees its data."""

    id: str
    name: str
    created_at: datetime


class NewTenant(Model):
    """A tenant just made, with its first admin key."""

    tenant: Tenant
    admin_key: NewKey


class Stats(Model):
    """Counts and ages, as the service reports them; the fields are the service's own."""


class Readiness(Model):
    """Whether a turn can be taken now, and the state of each part."""

    status: str
    version: str | None = None
    checks: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """True when a turn can be taken."""
        return self.status == "ready"
