"""What the service answers about policies and consolidation, as values. See `models` for the base of all of them."""

from datetime import datetime
from typing import Any

from pydantic import Field

from memos.sdk.models import Model


class Policy(Model):
    """A retention rule with its numbers, whose cubes it looks at, and what it does about them."""

    id: str
    name: str
    rule: dict[str, Any]
    user_id: str | None = None
    cube_kind: str | None = None
    per_user: bool
    action: str
    every_s: float | None = None
    enabled: bool
    builtin: bool
    last_run_at: datetime | None = None
    created_by: str
    created_at: datetime
    updated_at: datetime


class PolicyRun(Model):
    """One run of a policy; `done` and `skipped` count its decisions by how they ended."""

    id: str
    policy_id: str
    dry_run: bool
    status: str
    as_of: datetime
    considered: int | None = None
    decided: int | None = None
    done: int
    skipped: int
    error: dict[str, Any] | None = None
    created_by: str
    created_at: datetime
    done_at: datetime | None = None


class PolicyDecision(Model):
    """What a policy decided about one cube, why, and how that ended."""

    id: str
    run_id: str
    policy_id: str
    cube_id: str
    version_id: str | None = None
    action: str
    reason: str
    outcome: str | None = None
    outcome_reason: str | None = None
    outcome_at: datetime | None = None
    created_at: datetime


class ConsolidationStep(Model):
    """One step of a consolidation's plan, and what became of it."""

    number: int
    kind: str
    cube_ids: list[str]
    version_ids: list[str]
    reason: str
    outcome: str | None = None
    outcome_reason: str | None = None
    outcome_at: datetime | None = None
    made_cube_ids: list[str] = Field(default_factory=list)


class Consolidation(Model):
    """A run over one user's memories."""

    id: str
    user_id: str
    dry_run: bool
    status: str
    considered: int | None = None
    planned: int | None = None
    error: dict[str, Any] | None = None
    created_by: str
    created_at: datetime
    done_at: datetime | None = None


class ConsolidationPlan(Consolidation):
    """A run over one user's memories, with its plan."""

    steps: list[ConsolidationStep]


class Proposal(Model):
    """A text that is often read and stable, proposed to be learned by a delta."""

    id: str
    run_id: str
    cube_id: str
    version_id: str
    user_id: str
    status: str
    reason: str
    delta_run_id: str | None = None
    created_at: datetime
    decided_at: datetime | None = None
    decided_by: str | None = None
