"""Changes of a cube, each in the caller's transaction and under the cube's row lock: a new cube, a new version, a step
of its life, the frozen flag, its attributes. Every change that is not a version leaves a row in `cube_events`.

The versions of a conversation's state have their own writers (`memos.conversations`, `memos.turns.advance`), which hold
the conversation's lock; everything else that makes or changes a cube comes through here. `lock` takes a state's
conversation before the state, as those writers do, so that no two of them wait for each other in a circle.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import RowMapping

from memos.conversations import store as conversations
from memos.conversations.errors import UnderErasure
from memos.cubes import store
from memos.cubes.versions import Operation, Payload, VersionStep, version_columns
from memos.kernel.lifecycle import LIVE, Lifecycle, legal_from, may_become
from memos.kit.errors import Conflict, NotFound
from memos.kit.ids import new_id
from memos.kit.unit_of_work import UnitOfWork

Kind = Literal["plaintext", "activation", "parameter"]
Origin = Literal["user", "assistant", "admin", "import", "conversion", "consolidation"]
Visibility = Literal["owner", "shared", "tenant"]
Sensitivity = Literal["normal", "sensitive", "secret"]
# (version id, relation): what a new version came from, besides the version before it.
Parents = Sequence[tuple[str, str]]


class CubeFrozen(Conflict):
    """The cube is frozen: it does not change."""

    code = "cube_frozen"
    hint = 'Unfreeze it first with POST /v1/cubes/{id}/freeze and {"frozen": false}.'


class IllegalTransition(Conflict):
    """A cube cannot go there from where it is."""

    code = "illegal_transition"
    hint = "Choose one of the states that `context.legal` names."


class NotLive(Conflict):
    """Only a living cube takes a new version."""

    code = "cube_not_live"
    hint = "Activate it first with POST /v1/cubes/{id}/transition, if `context.legal` has `activated`."


class HeadMoved(Conflict):
    """Somebody else made a version meanwhile."""

    code = "head_moved"
    hint = "Read the newest version, apply your change to it, and send its number in If-Match."


class TurnsPending(Conflict):
    """The conversation has turns that are not in its memory yet."""

    code = "turns_pending"
    hint = "Wait as Retry-After says: what was said must be in the memory before it is frozen."
    retry_after_s = 1.0


class BeingMade(Conflict):
    """The cube is still being made."""

    code = "cube_being_made"
    hint = "Wait as Retry-After says, until its lifecycle is no longer `generated`."
    retry_after_s = 1.0


@dataclass(frozen=True, slots=True)
class NewCube:
    """A cube to be and its first version. `parents` are versions it is made from; `user_id`, `agent_id` own it. Without
    `activate` it stays `generated`, for a job to finish. `details` go into its first event: ids and our words."""

    kind: Kind
    payload: Payload
    created_by: str
    user_id: str | None = None
    agent_id: str | None = None
    operation: Operation = "create"
    parents: Parents = ()
    origin: Origin = "user"
    semantic_type: str | None = None
    visibility: Visibility = "owner"
    sensitivity: Sensitivity = "normal"
    priority: int = 0
    tags: Sequence[str] = ()
    expires_at: datetime | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    fingerprint: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    reason: str = "created"
    details: Mapping[str, Any] = field(default_factory=dict)
    activate: bool = True


async def create(work: UnitOfWork, new: NewCube) -> RowMapping:
    """The new cube's row, locked."""
    step = VersionStep(
        cube_id=new_id("cube"),
        operation=new.operation,
        payload=new.payload,
        created_by=new.created_by,
        fingerprint=new.fingerprint,
        metadata=dict(new.metadata),
        valid_from=new.valid_from,
        valid_to=new.valid_to,
    )
    columns = version_columns(step, None, at=await store.now(work))
    store.insert_full_cube(
        work,
        id=step.cube_id,
        kind=new.kind,
        user_id=new.user_id,
        agent_id=new.agent_id,
        head_version_id=columns["id"],
        origin=new.origin,
        semantic_type=new.semantic_type,
        visibility=new.visibility,
        sensitivity=new.sensitivity,
        priority=new.priority,
        tags=list(new.tags),
        expires_at=new.expires_at,
        model=new.fingerprint,
    )
    _insert(work, columns, new.parents)
    by, reason = new.created_by, new.reason
    begun = {name: _plain(getattr(new, name)) for name in sorted(store.ATTRIBUTES)}  # what `as_of` begins with
    record(work, step.cube_id, "create", reason=reason, by=by, details={**new.details, "to": begun}, to="generated")
    cube = await lock(work, step.cube_id)
    if not new.activate:
        return cube
    await transition(work, cube, "activated", reason=reason, by=by)
    return await lock(work, step.cube_id)


async def lock(work: UnitOfWork, cube_id: str) -> RowMapping:
    """The cube's row, locked until the transaction ends. Raises NotFound, also for one that was erased, and
    UnderErasure while an erasure holds it."""
    seen = await store.get_cube(work, cube_id)
    if seen is not None and seen["conversation_id"] is not None:
        await conversations.lock(work, seen["conversation_id"])
    row = await store.lock_cube(work, cube_id)
    if row is None or row["lifecycle"] == "erased":
        raise NotFound(f"there is no cube {cube_id}")
    if row["held"]:
        raise UnderErasure(f"something of cube {cube_id} is being erased")
    return row


async def append(
    work: UnitOfWork,
    cube: RowMapping,
    *,
    operation: Operation,
    payload: Payload,
    by: str,
    parents: Parents = (),
    expected: int | None = None,
    fingerprint: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    written: list[dict[str, Any]] | None = None,
    relation: str = "revises",
    valid_from: datetime | None = None,
    valid_to: datetime | None = None,
) -> RowMapping:
    """A new version at the head of a locked, living cube; its row. `relation` is what it does to the version before it.
    Raises CubeFrozen, NotLive, or HeadMoved when `expected` is not the number of the head."""
    refuse_unchangeable(cube)
    if expected is not None and expected != cube["head_version"]:
        raise HeadMoved(f"cube {cube['id']} is at version {cube['head_version']}, not {expected}")
    parent = await store.version_by_id(work, cube["head_version_id"])
    step = VersionStep(
        cube_id=cube["id"],
        operation=operation,
        payload=payload,
        created_by=by,
        fingerprint=fingerprint,
        metadata=dict(metadata or {}),
        written=written,
        valid_from=valid_from,
        valid_to=valid_to,
    )
    columns = version_columns(step, parent, at=parent["moment"])
    _insert(work, columns, [(parent["id"], relation), *parents])
    store.move_head(work, cube_id=cube["id"], version_id=columns["id"], number=columns["number"], expected=parent["id"])
    return await store.version_by_id(work, columns["id"])


async def transition(
    work: UnitOfWork, cube: RowMapping, to: Lifecycle, *, reason: str, by: str, details: Mapping[str, Any] | None = None
) -> None:
    """A step of a locked cube's life. Raises IllegalTransition with the legal ones."""
    now: Lifecycle = cube["lifecycle"]
    if not may_become(now, to, frozen=cube["frozen"]):
        legal = sorted(legal_from(now, frozen=cube["frozen"]))
        state = f"{now} and frozen" if cube["frozen"] else now
        raise IllegalTransition(f"cube {cube['id']} is {state} and cannot become {to}", legal=legal)
    await store.set_lifecycle(work, cube_id=cube["id"], lifecycle=to)
    record(work, cube["id"], "transition", reason=reason, by=by, details=details, of=now, to=to)


async def set_frozen(work: UnitOfWork, cube: RowMapping, frozen: bool, *, reason: str, by: str) -> None:
    """Raises TurnsPending for a state that has turns still to take in, BeingMade for a cube that a job is making:
    frozen, neither could ever be finished."""
    if cube["frozen"] != frozen:
        if frozen and cube["lifecycle"] == "generated":
            raise BeingMade(f"cube {cube['id']} is being made")
        if frozen and cube["conversation_id"] is not None:
            conversation = await conversations.get(work, cube["conversation_id"])
            if conversation is not None and conversation["pending_turns"]:
                raise TurnsPending(f"{conversation['pending_turns']} turns are not in the memory yet")
        await store.set_frozen(work, cube_id=cube["id"], frozen=frozen)
        record(work, cube["id"], "freeze" if frozen else "unfreeze", reason=reason, by=by)


async def set_attributes(
    work: UnitOfWork, cube: RowMapping, changed: Mapping[str, Any], *, reason: str, by: str
) -> None:
    """New values for some of `store.ATTRIBUTES`; the old ones stay in the event. Raises CubeFrozen."""
    if cube["frozen"]:
        raise CubeFrozen(f"cube {cube['id']} is frozen")
    differ = {name: value for name, value in changed.items() if cube[name] != value}
    if differ:
        await store.set_attributes(work, cube_id=cube["id"], values=differ)
        before = {name: _plain(cube[name]) for name in differ}
        after = {name: _plain(value) for name, value in differ.items()}
        record(work, cube["id"], "change", reason=reason, by=by, details={"from": before, "to": after})


def refuse_unchangeable(cube: RowMapping) -> None:
    if cube["frozen"]:
        raise CubeFrozen(f"cube {cube['id']} is frozen")
    if cube["lifecycle"] not in LIVE:
        legal = sorted(legal_from(cube["lifecycle"], frozen=False))
        raise NotLive(f"cube {cube['id']} is {cube['lifecycle']}", legal=legal)


def record(
    work: UnitOfWork,
    cube_id: str,
    event: str,
    *,
    reason: str,
    by: str,
    details: Mapping[str, Any] | None = None,
    of: Lifecycle | None = None,
    to: Lifecycle | None = None,
) -> None:
    """Adds to the cube's history. `details` hold ids and our own words, never what a user said."""
    store.insert_event(
        work,
        id=new_id("event"),
        cube_id=cube_id,
        event=event,
        from_lifecycle=of,
        to_lifecycle=to,
        reason=reason,
        details=dict(details or {}),
        created_by=by,
    )


def _insert(work: UnitOfWork, columns: dict[str, Any], parents: Parents) -> None:
    store.insert_version(work, columns)
    for parent_id, relation in parents:
        store.insert_edge(work, child_id=columns["id"], parent_id=parent_id, relation=relation)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
