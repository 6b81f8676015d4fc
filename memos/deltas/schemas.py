"""Distillation runs over REST: what is to become a delta, for whom, and how far it is."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from memos.kit.schema import WHOLE, Answer, Body, UserId, shown

RANK, STEPS, SEED = 16, 200, 0
MOST_RANK, MOST_STEPS = 64, 2000
MOST_INPUTS = 200
CubeRef = Annotated[str, StringConstraints(pattern=r"^cube_[0-9a-f]{32}$")]
VersionRef = Annotated[str, StringConstraints(pattern=r"^ver_[0-9a-f]{32}$")]
RunStatus = Literal["queued", "running", "done", "failed"]


class DeltaCreate(Body):
    model_config = shown({"user_id": "ada", "cube_ids": ["cube_019abcdef0123456789abcdef0123456"]})

    cube_ids: list[CubeRef] = Field([], max_length=MOST_INPUTS, description="The newest version of each is learned.")
    version_ids: list[VersionRef] = Field([], max_length=MOST_INPUTS, description="Versions to learn, by id.")
    user_id: UserId | None = Field(None, description="Whose conversations it is mounted for; or give `agent_id`.")
    agent_id: UserId | None = Field(None, description="The agent for whose conversations it is mounted.")
    rank: Annotated[int, Field(ge=1, le=MOST_RANK), WHOLE] = Field(RANK, description="Of each low-rank factor.")
    steps: Annotated[int, Field(ge=1, le=MOST_STEPS), WHOLE] = Field(STEPS, description="Of training.")
    seed: Annotated[int, Field(ge=0, le=2**31 - 1), WHOLE] = Field(
        SEED, description="Equal cubes and an equal seed are one run."
    )


class DeltaProgress(Answer):
    step: int
    steps: int


class DeltaRun(Answer):
    """A distillation run; `cube_id` is the parameter cube that it made, mounted while that cube is activated."""

    id: str
    status: RunStatus
    progress: DeltaProgress
    error: dict[str, Any] | None
    figures: dict[str, float] = Field(description="What the training found of itself, when it is done.")
    user_id: str | None
    agent_id: str | None
    version_ids: list[str] = Field(description="What is learned, oldest first: the newest wins.")
    cube_id: str | None
    model: str | None = Field(description="Fingerprint of the model it is for; null until it has begun.")
    replaces: str | None = Field(description="The parameter cube that this run's takes the place of.")
    retired_at: datetime | None = Field(description="Since when its inputs are to be forgotten; it mounts nothing.")
    rank: int
    steps: int
    seed: int
    reason: str
    created_at: datetime
    started_at: datetime | None
    done_at: datetime | None
