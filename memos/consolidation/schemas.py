"""Consolidation over REST: a run over one user's memories, its plan with what became of it, and what it proposes."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from memos.kit.schema import WHOLE, Answer, Body, UserId, shown

StepKind = Literal["merge", "supersede", "fold", "propose"]
Outcome = Literal["done", "skipped", "dry_run"]
RunStatus = Literal["queued", "running", "done", "failed"]
ProposalStatus = Literal["open", "accepted", "dismissed"]
ALL_STEPS: tuple[StepKind, ...] = ("merge", "supersede", "fold", "propose")


class ConsolidationCreate(Body):
    model_config = shown({"user_id": "ada", "dry_run": True})

    user_id: UserId
    dry_run: bool = Field(False, description="Only plans: the steps are listed and nothing changes.")
    steps: list[StepKind] = Field(
        list(ALL_STEPS),
        min_length=1,
        max_length=len(ALL_STEPS),
        description="merge: near-duplicates become one. supersede: of two statements that exclude each other the later "
        "one holds. fold: episodes are said in facts, if the generator can. propose: what is often read and stable is "
        "proposed for a delta.",
    )
    similarity: float = Field(0.92, gt=0, le=1, description="Least cosine of two texts that are near-duplicates.")
    min_reads: Annotated[int, Field(ge=1, le=10**9), WHOLE] = 10
    stable_s: float = Field(604_800.0, ge=0, le=10**10, description="How long a text was not changed to be stable.")
    most: Annotated[int, Field(ge=2, le=5000), WHOLE] = Field(
        2000, description="How many memories are looked at: the newest."
    )


class ConsolidationStep(Answer):
    """One step of the plan: its cubes, at the versions that were looked at, and what became of it."""

    number: int
    kind: StepKind
    cube_ids: list[str]
    version_ids: list[str]
    reason: str
    outcome: Outcome | None = Field(description="Null while it waits to be carried out.")
    outcome_reason: str | None
    outcome_at: datetime | None
    made_cube_ids: list[str]


class Consolidation(Answer):
    """A run. `considered` memories, `planned` steps."""

    id: str
    user_id: str
    dry_run: bool
    status: RunStatus
    considered: int | None
    planned: int | None
    error: dict[str, Any] | None
    created_by: str
    created_at: datetime
    done_at: datetime | None


class ConsolidationPlan(Consolidation):
    """A run with its plan."""

    steps: list[ConsolidationStep]


class Proposal(Answer):
    """A text that is often read and stable, proposed to be learned by a delta. `delta_run_id`: what came of that."""

    id: str
    run_id: str
    cube_id: str
    version_id: str
    user_id: str
    status: ProposalStatus
    reason: str
    delta_run_id: str | None
    created_at: datetime
    decided_at: datetime | None
    decided_by: str | None
