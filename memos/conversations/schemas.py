"""Conversations over REST."""

from datetime import datetime
from typing import Any

from pydantic import Field

from memos.kit.schema import Answer, Body, Integer, Title, UserId, shown


class ConversationCreate(Body):
    model_config = shown({"user_id": "ada", "title": "Dogs", "metadata": {"channel": "web"}})

    user_id: UserId = Field(description="Whose conversation it is; any string of yours.")
    agent_id: UserId | None = None
    title: Title | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class Origin(Answer):
    """Where a fork began."""

    conversation_id: str
    at_turn: int


class Conversation(Answer):
    id: str
    user_id: str
    agent_id: str | None
    title: str | None
    metadata: dict[str, Any]
    created_at: datetime
    epoch: int = Field(description="Raised by every rollback.")
    turn_count: int = Field(description="The seq of the newest turn.")
    pending_turns: int = Field(description="Turns not yet in the memory.")
    state_cube_id: str
    state_version: int
    fingerprint: str = Field(description="The model this conversation is pinned to.")
    forked_from: Origin | None


class RollbackRequest(Body):
    model_config = shown({"to_turn": 0})

    to_turn: Integer = Field(ge=0, le=2**31 - 1, description="The seq of the last turn to keep; 0 is the start.")


class ForkRequest(Body):
    model_config = shown({"at_turn": 0, "title": "Another way"})

    at_turn: Integer = Field(
        ge=0, le=2**31 - 1, description="The seq of the last turn the fork shares; 0 is the start."
    )
    title: Title | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class RolledBack(Answer):
    conversation: Conversation
    superseded_turns: int = Field(description="How many turns are now listed as superseded.")
