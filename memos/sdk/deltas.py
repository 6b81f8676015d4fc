"""What the service answers about deltas, as values. See `models` for the base of all of them."""

from datetime import datetime
from typing import Any

from memos.sdk.models import Model


class DeltaProgress(Model):
    """How far a training is."""

    step: int
    steps: int


class DeltaRun(Model):
    """A training that makes memories a part of what the model knows; `cube_id` is the parameter cube that it made,
    which is mounted while it is activated."""

    id: str
    status: str
    progress: DeltaProgress
    error: dict[str, Any] | None = None
    figures: dict[str, float]
    user_id: str | None = None
    agent_id: str | None = None
    version_ids: list[str]
    cube_id: str | None = None
    model: str | None = None
    replaces: str | None = None
    retired_at: datetime | None = None
    rank: int
    steps: int
    seed: int
    reason: str
    created_at: datetime
    started_at: datetime | None = None
    done_at: datetime | None = None
