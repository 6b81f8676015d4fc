"""Retention policies over REST: a rule with its numbers, whose cubes it looks at, and what it does about them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from memos.cubes.changes import Kind
from memos.kit.schema import WHOLE, Answer, Body, Name, UserId, shown

Action = Literal["archive", "expire", "erase", "report", "thin"]
RunStatus = Literal["queued", "running", "done", "failed"]
Most = Annotated[int, Field(ge=0, le=10**9), WHOLE]
Bytes = Annotated[int, Field(ge=0, le=10**15), WHOLE]
Seconds = Annotated[float, Field(gt=0, le=10**10)]


class ExpiresAt(Body):
    """What is past its own `expires_at`. Built in for every tenant; here with a scope or an interval of its own."""

    kind: Literal["expires_at"]


class Ttl(Body):
    """What was made longer ago than this."""

    kind: Literal["ttl"]
    ttl_s: Seconds


class CountBudget(Body):
    """At most so many: the lowest priority goes first, then the oldest."""

    kind: Literal["count_budget"]
    most: Most


class ByteBudget(Body):
    """At most so many bytes over all versions: the lowest priority goes first, then the oldest."""

    kind: Literal["byte_budget"]
    most_bytes: Bytes


class Ordered(Body):
    """At most so many, and the order in which they go."""

    kind: Literal["fifo", "least_recently_used", "least_often_used", "most_visited_first", "least_visited_first"]
    most: Most


class Reinforce(Body):
    """At most so many: every use adds to a memory's strength, which halves every `half_life_s`; the weakest go."""

    kind: Literal["reinforce"]
    most: Most
    half_life_s: Seconds = 604_800.0


class Thin(Body):
    """Of a state's versions: all of the last `all_s`, then one an hour until `hourly_s`, then one a day. Reports only:
    each version that could go is replayed, and the decision says whether that gave its hash."""

    kind: Literal["thin"]
    all_s: Seconds = 86_400.0
    hourly_s: Seconds = 604_800.0


Rule = Annotated[ExpiresAt | Ttl | CountBudget | ByteBudget | Ordered | Reinforce | Thin, Field(discriminator="kind")]
Every = Annotated[float, Field(ge=1, le=10**9, description="Seconds between two runs by itself; null: on request.")]


class PolicyCreate(Body):
    model_config = shown(
        {"name": "a thousand facts each", "rule": {"kind": "least_recently_used", "most": 1000},
         "cube_kind": "plaintext", "per_user": True, "every_s": 3600}
    )  # fmt: skip

    name: Name
    rule: Rule
    user_id: UserId | None = Field(None, description="Whose cubes; everybody's if left out.")
    cube_kind: Kind | None = Field(
        None, description="Which cubes. If left out, all but the states of conversations, which `activation` includes."
    )
    per_user: bool = Field(False, description="The numbers hold for each user apart, and not for all together.")
    action: Action | None = Field(
        None,
        description="archive (the default), expire or erase. A rule that thins reports (the default) or thins, which "
        "drops payloads that replaying their turns was proven to give again. expires_at expires.",
    )
    every_s: Every | None = None
    enabled: bool = True


class PolicyPatch(Body):
    """What is left out stays. A scope does not change: make another policy."""

    model_config = shown({"enabled": False})

    name: Name | None = None
    rule: Rule | None = None
    per_user: bool | None = None
    action: Action | None = None
    every_s: Every | None = None
    enabled: bool | None = None


class Policy(Answer):
    id: str
    name: str
    rule: dict[str, Any]
    user_id: str | None
    cube_kind: Kind | None
    per_user: bool
    action: Action
    every_s: float | None
    enabled: bool
    builtin: bool
    last_run_at: datetime | None
    created_by: str
    created_at: datetime
    updated_at: datetime


class RunRequest(Body):
    model_config = shown({"dry_run": True})

    dry_run: bool = Field(False, description="List every decision with its reason, and change nothing.")


class PolicyRun(Answer):
    """One run. `as_of` is the moment it decides by; `done` and `skipped` count its decisions by how they ended."""

    id: str
    policy_id: str
    dry_run: bool
    status: RunStatus
    as_of: datetime
    considered: int | None
    decided: int | None
    done: int
    skipped: int
    error: dict[str, Any] | None
    created_by: str
    created_at: datetime
    done_at: datetime | None


class PolicyDecision(Answer):
    id: str
    run_id: str
    policy_id: str
    cube_id: str
    version_id: str | None
    action: Action
    reason: str
    outcome: Literal["done", "skipped", "dry_run"] | None = Field(description="Null while it waits to be carried out.")
    outcome_reason: str | None
    outcome_at: datetime | None
    created_at: datetime
