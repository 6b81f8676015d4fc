"""What the time machine answers, as values: the past of a cube and a conversation, and what differs."""

from datetime import datetime
from typing import Any

from pydantic import Field

from memos.sdk.models import Conversation, Cube, Model, Version


class CubeThen(Model):
    """A cube as it was. `head_version` was its newest; `version` is that one or, with `valid_at`, the one that was so
    then; `content` is the text of `version`."""

    as_of: datetime
    valid_at: datetime | None = None
    id: str
    kind: str
    user_id: str | None = None
    agent_id: str | None = None
    conversation_id: str | None = None
    origin: str
    model: str | None = None
    created_at: datetime
    lifecycle: str
    frozen: bool
    semantic_type: str | None = None
    visibility: str
    sensitivity: str
    priority: int
    tags: list[str] = Field(default_factory=list)
    expires_at: datetime | None = None
    head_version: int
    version: Version
    content: str | None = None


class HeldTurn(Model):
    """A turn that a memory held, and the version that took it in."""

    turn_id: str
    seq: int
    conversation_id: str
    version: int


class ConversationThen(Model):
    """A conversation as it was: its state, and the turns that it held, oldest first."""

    as_of: datetime
    id: str
    user_id: str
    agent_id: str | None = None
    title: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    created_at: datetime
    epoch: int
    fingerprint: str | None = None
    state_cube_id: str
    state_version: int
    lifecycle: str
    frozen: bool
    version: Version
    turns: list[HeldTurn]


class TextOperation(Model):
    """One piece of a text diff. `action`: equal, insert, delete or replace."""

    action: str
    before: str
    after: str


class TextDiff(Model):
    """Two texts beside each other: line by line in `unified`, word by word in `operations`."""

    unified: str
    operations: list[TextOperation]
    coarse: bool


class TensorMoved(Model):
    """How far a tensor moved: Euclidean norms of the difference, and of the tensor before and after."""

    name: str
    norm: float
    before: float
    after: float


class SlotMoved(Model):
    """How far a slot of a memory moved; `drift` is against the slot's own norm before."""

    layer: int
    slot: int
    norm: float
    drift: float


class CubeDiff(Model):
    """What differs between two versions of a cube; what moved most comes first."""

    cube_id: str
    kind: str
    from_version: int
    to_version: int
    same: bool
    text: TextDiff | None = None
    tensors: list[TensorMoved] | None = None
    slots: list[SlotMoved] | None = None


class CubeRolledBack(Model):
    """A cube after a rollback, and the version that was appended."""

    cube: Cube
    version: Version


class Forked(Model):
    """A cube that began with a version of another."""

    cube: Cube
    from_cube_id: str
    at_version: int


class StatesMerged(Model):
    """A conversation that took in what another was told."""

    conversation: Conversation
    from_conversation_id: str
    strategy: str
    merged_turns: int
    turns: list[int] = Field(default_factory=list)
    version: int | None = None
