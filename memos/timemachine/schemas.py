"""The past over REST: a cube, a conversation or a user as they were; what differs between two versions; and going back,
forking and merging.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from memos.conversations.schemas import Conversation
from memos.cubes.schemas import Cube, Kind, Version
from memos.kit.schema import Answer, Body, Integer, UserId, shown


class CubeThen(Answer):
    """A cube as it was: what is not here (how often it was read) is counted and not remembered."""

    as_of: datetime = Field(description="System time: what memos knew at this moment.")
    valid_at: datetime | None = Field(description="World time: what was so at this moment, as known at `as_of`.")
    id: str
    kind: Kind
    user_id: str | None
    agent_id: str | None
    conversation_id: str | None
    origin: str
    model: str | None
    created_at: datetime
    lifecycle: str
    frozen: bool
    semantic_type: str | None
    visibility: str
    sensitivity: str
    priority: int
    tags: list[str]
    expires_at: datetime | None
    head_version: int = Field(description="The newest version at `as_of`.")
    version: Version = Field(description="That version; with `valid_at`, the one that was so then.")
    content: str | None = Field(description="The text of `version`; null for tensors, and for what has been erased.")


class HeldTurn(Answer):
    """A turn that a memory held, by its place in the conversation's line. A fork also holds turns of its parent."""

    turn_id: str
    seq: int
    conversation_id: str = Field(description="Whose state took it in: this one's, or that of a fork's parent.")
    version: int = Field(description="The version of that state.")


class ConversationThen(Answer):
    """A conversation as it was."""

    as_of: datetime
    id: str
    user_id: str
    agent_id: str | None
    title: str | None
    metadata: dict[str, Any]
    created_at: datetime
    epoch: int
    fingerprint: str | None = Field(description="The model that had made the memory.")
    state_cube_id: str
    state_version: int
    lifecycle: str
    frozen: bool
    version: Version
    turns: list[HeldTurn] = Field(description="The turns that the memory held, oldest first.")


class CubeRollback(Body):
    model_config = shown({"to_version": 0})

    to_version: Integer = Field(ge=0, le=2**31 - 1, description="The number of the version to restore.")


class CubeRolledBack(Answer):
    cube: Cube
    version: Version = Field(description="The version that was appended.")


class CubeFork(Body):
    model_config = shown({"at_version": 0})

    at_version: Integer = Field(ge=0, le=2**31 - 1, description="The number of the version to begin with.")
    user_id: UserId | None = Field(None, description="Whose the new cube is; else the source's.")
    agent_id: UserId | None = None


class Forked(Answer):
    cube: Cube
    from_cube_id: str
    at_version: int


class TextOperation(Answer):
    """One piece of a text diff; all `before` together are the one text, all `after` the other."""

    action: Literal["equal", "insert", "delete", "replace"]
    before: str
    after: str


class TextDiff(Answer):
    unified: str = Field(description="Line by line, as `diff -u` writes it; empty for equal texts.")
    operations: list[TextOperation] = Field(description="Word by word.")
    coarse: bool = Field(description="True if a part was too long to be matched and counts as replaced as a whole.")


class TensorMoved(Answer):
    """Euclidean norms: of the difference, and of the tensor before and after."""

    name: str
    norm: float
    before: float
    after: float


class SlotMoved(Answer):
    """How far one slot of the memory moved."""

    layer: int
    slot: int
    norm: float = Field(description="Euclidean norm of the difference.")
    drift: float = Field(description="That norm against the slot's own before.")


class CubeDiff(Answer):
    """What differs between two versions; what moved most comes first."""

    cube_id: str
    kind: Kind
    from_version: int
    to_version: int
    same: bool = Field(description="Both versions hold the very same payload.")
    text: TextDiff | None = None
    tensors: list[TensorMoved] | None = None
    slots: list[SlotMoved] | None = Field(None, description="Of a state; slots that did not move are left out.")


class MergeRequest(Body):
    model_config = shown({"from_conversation_id": "conv_" + "0" * 32, "strategy": "replay"})

    from_conversation_id: Annotated[str, StringConstraints(pattern=r"^conv_[0-9a-f]{32}$")]
    strategy: Literal["replay", "average"] = Field(
        "replay",
        description="replay: the other's turns are taken in one by one, and facts are kept. average: the mean of both "
        "states, slot by slot, at once; facts that both wrote into one slot blur.",
    )


class StatesMerged(Answer):
    conversation: Conversation = Field(description="`pending_turns` are those still to be taken in.")
    from_conversation_id: str
    strategy: str
    merged_turns: int = Field(description="How many turns of the other this conversation did not hold.")
    turns: list[int] = Field(description="The seqs under which `replay` took them over.")
    version: int | None = Field(description="The version that `average` made.")
