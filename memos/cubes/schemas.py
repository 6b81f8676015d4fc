"""MemCubes, their versions and their lineage over REST."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from memos.cubes.changes import Kind as Kind
from memos.cubes.changes import Sensitivity, Visibility
from memos.kernel.lifecycle import Lifecycle
from memos.kit.schema import WHOLE, WITHOUT_NUL, Answer, Body, Moment, Text, UserId, shown

MOST_TAGS = 50
MOST_PARENTS = 100
MOST_PARTS = 100
Label = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=WITHOUT_NUL)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=WITHOUT_NUL)]
Tags = Annotated[list[Label], Field(max_length=MOST_TAGS)]
Priority = Annotated[int, Field(ge=-1000, le=1000), WHOLE]
CubeRef = Annotated[str, StringConstraints(pattern=r"^cube_[0-9a-f]{32}$")]


class CubeCreate(Body):
    """A plaintext memory. The other kinds are made from one: by turns, by conversion, by training."""

    model_config = shown({"text": "Ada's dog is called Biscuit.", "user_id": "ada", "semantic_type": "fact"})

    text: Text
    user_id: UserId | None = Field(None, description="Whose it is. Without user and agent, it must not be `owner`'s.")
    agent_id: UserId | None = None
    semantic_type: Label | None = Field(None, description="fact, episode, preference, or a word of yours.")
    tags: Tags = Field(default_factory=list)
    priority: Priority = 0
    sensitivity: Sensitivity = "normal"
    visibility: Visibility = "owner"
    expires_at: Moment | None = None
    valid_from: Moment | None = Field(None, description="World time: since when it has been so.")
    valid_to: Moment | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class VersionCreate(Body):
    model_config = shown({"text": "Ada's dog is called Waffle."})

    text: Text
    valid_from: Moment | None = None
    valid_to: Moment | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class CubeUpdate(Body):
    """What is left out stays; null takes a semantic type or an expiry away."""

    model_config = shown({"priority": 5, "tags": ["pets"]})

    # The defaults are never used: what is not in the request is not changed.
    tags: Tags = Field(default_factory=list)
    priority: Priority = 0
    sensitivity: Sensitivity = "normal"
    visibility: Visibility = "owner"
    semantic_type: Label | None = None
    expires_at: Moment | None = None
    reason: Reason = "asked for"


class TransitionRequest(Body):
    model_config = shown({"to": "archived", "reason": "no longer needed"})

    to: Literal["activated", "archived", "expired"] = Field(
        description="A cube becomes `merged` by POST /v1/cubes/merge, and `erased` by POST /v1/erasures."
    )
    reason: Reason


class FreezeRequest(Body):
    model_config = shown({"frozen": True, "reason": "evidence"})

    frozen: bool
    reason: Reason


class ConvertRequest(Body):
    model_config = shown({"to": "activation"})

    to: Kind


class Part(Body):
    text: Text
    semantic_type: Label | None = Field(None, description="The source's, when left out.")
    tags: Tags | None = Field(None, description="The source's, when left out.")


class SplitRequest(Body):
    model_config = shown({"parts": [{"text": "Ada has a dog."}, {"text": "It is called Biscuit."}]})

    parts: list[Part] = Field(min_length=2, max_length=MOST_PARTS)


class MergeRequest(Body):
    model_config = shown({"cube_ids": ["cube_" + "0" * 32, "cube_" + "1" * 32], "text": "Ada's dog is called Biscuit."})

    cube_ids: list[CubeRef] = Field(min_length=2, max_length=MOST_PARENTS)
    text: Text | None = Field(None, description="What they come to; their texts on lines of their own, when left out.")


class MoveRequest(Body):
    """Why a cube is promoted or demoted."""

    model_config = shown({"reason": "often asked for"})

    reason: Reason = "asked for"


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


class Split(Answer):
    """What a cube was split into. The source is archived."""

    source: Cube
    parts: list[Cube]


class Conversion(Answer):
    """A conversion done, or under way: then `cube` is `generated` until it is `activated`, and `job_id` (GET
    /v1/jobs/{id}) or `run_id` says how it goes."""

    source: Cube
    cube: Cube | None = Field(description="What it becomes; null until a training run has made it.")
    status: Literal["queued", "done"]
    job_id: str | None = None
    run_id: str | None = None


class CubeEvent(Answer):
    """One change of a cube that made no version of it."""

    id: str
    cube_id: str
    event: str
    from_lifecycle: str | None
    to_lifecycle: str | None
    reason: str
    details: dict[str, Any]
    created_at: datetime
    created_by: str


class Descriptive(Answer):
    """What it is."""

    kind: Kind
    semantic_type: str | None
    origin: str
    tags: list[str]
    created_at: datetime
    changed_at: datetime
    valid_from: datetime | None
    valid_to: datetime | None


class Governance(Answer):
    """Whose it is, who may see it, and for how long it lives."""

    user_id: str | None
    agent_id: str | None
    visibility: str
    sensitivity: str
    priority: int
    lifecycle: Lifecycle
    frozen: bool
    expires_at: datetime | None


class PlaceOfUse(Answer):
    """One place where it was of use."""

    reads: int
    last: datetime


class Behavioural(Answer):
    """How it is used."""

    reads: int
    last_read_at: datetime | None
    writes: int
    context: dict[str, PlaceOfUse] = Field(
        description="The contextual fingerprint: the sixteen places (conversations, agents, callers) that read it last."
    )


class Relative(Answer):
    """A version of another cube, one edge away."""

    relation: str
    cube_id: str
    version_id: str
    number: int
    kind: Kind


class Trigger(Answer):
    """What made it be."""

    reason: str
    details: dict[str, Any]
    created_by: str
    created_at: datetime


class Provenance(Answer):
    """Where it is from."""

    trigger: Trigger | None
    model: str | None
    parents: list[Relative]
    links: list[Relative] = Field(description="What was made from it.")
    truncated: bool


class CubeMetadata(Answer):
    """Everything that is known about a cube, but for its words."""

    id: str
    descriptive: Descriptive
    governance: Governance
    behavioural: Behavioural
    provenance: Provenance
