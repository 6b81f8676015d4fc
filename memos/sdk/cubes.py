"""What the service answers about the life of cubes, as values; see `models` for the base of all, and for `Cube`."""

from datetime import datetime
from typing import Any

from pydantic import Field

from memos.sdk.models import Cube, Model


class Split(Model):
    """What a cube was split into. The source is archived."""

    source: Cube
    parts: list[Cube]


class Conversion(Model):
    """A conversion done, or `queued`: then `cube` is `generated` until it is `activated`, and `job_id`, or `run_id` of
    a training, says how it goes."""

    source: Cube
    cube: Cube | None = None
    status: str
    job_id: str | None = None
    run_id: str | None = None


class CubeEvent(Model):
    """One change of a cube that made no version of it."""

    id: str
    cube_id: str
    event: str
    from_lifecycle: str | None = None
    to_lifecycle: str | None = None
    reason: str
    details: dict[str, Any] = Field(default_factory=dict)
    created_at: datetime
    created_by: str


class Descriptive(Model):
    """What a cube is."""

    kind: str
    semantic_type: str | None = None
    origin: str
    tags: list[str] = Field(default_factory=list)
    created_at: datetime
    changed_at: datetime
    valid_from: datetime | None = None
    valid_to: datetime | None = None


class Governance(Model):
    """Whose a cube is, who may see it, and for how long it lives."""

    user_id: str | None = None
    agent_id: str | None = None
    visibility: str
    sensitivity: str
    priority: int
    lifecycle: str
    frozen: bool
    expires_at: datetime | None = None


class PlaceOfUse(Model):
    """How often, and when last, a cube was read in one place."""

    reads: int
    last: datetime


class Behavioural(Model):
    """How a cube is used. `context`: the places that read it last, by id."""

    reads: int
    last_read_at: datetime | None = None
    writes: int
    context: dict[str, PlaceOfUse] = Field(default_factory=dict)


class Relative(Model):
    """A version of another cube, one edge away."""

    relation: str
    cube_id: str
    version_id: str
    number: int
    kind: str


class Trigger(Model):
    """What made a cube be."""

    reason: str
    details: dict[str, Any] = Field(default_factory=dict)
    created_by: str
    created_at: datetime


class Provenance(Model):
    """Where a cube is from, and what was made from it (`links`)."""

    trigger: Trigger | None = None
    model: str | None = None
    parents: list[Relative] = Field(default_factory=list)
    links: list[Relative] = Field(default_factory=list)
    truncated: bool = False


class CubeMetadata(Model):
    """Everything that is known about a cube, but for its words."""

    id: str
    descriptive: Descriptive
    governance: Governance
    behavioural: Behavioural
    provenance: Provenance
