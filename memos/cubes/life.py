"""The life of a cube as callers lead it: made, revised, described anew, archived, expired, frozen, split, merged.

Each function is one transaction's work. A cube that others come from is kept: it is archived or merged, and lineage
leads back to it.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping

from memos.cubes import changes, store
from memos.cubes.changes import BeingMade, IllegalTransition, NewCube
from memos.cubes.schemas import (
    Cube,
    CubeCreate,
    CubeUpdate,
    FreezeRequest,
    MergeRequest,
    Split,
    SplitRequest,
    TransitionRequest,
    Version,
    VersionCreate,
)
from memos.cubes.service import cube_view, get, version_view
from memos.cubes.versions import CALLERS_METADATA, text_payload
from memos.kernel.lifecycle import legal_from
from memos.kit.errors import Conflict, Invalid, TooLarge
from memos.kit.unit_of_work import UnitOfWork

SENSITIVITIES = ("normal", "sensitive", "secret")
VISIBILITIES = ("owner", "shared", "tenant")  # ever wider


class WrongKind(Conflict):
    """A cube of this kind cannot be changed like that."""

    code = "wrong_kind"
    hint = "Only plaintext is written by hand; convert the cube first with POST /v1/cubes/{id}/convert."


class Ownerless(Invalid):
    """A memory that only its owner may see needs an owner."""

    code = "owner_missing"
    hint = "Send user_id or agent_id, or another visibility."


class BackToFront(Invalid):
    """It ends before it begins."""

    code = "valid_to_before_valid_from"
    hint = "Send a valid_to that is not before valid_from."


class NamedTwice(Invalid):
    """A cube is named twice."""

    code = "named_twice"
    hint = "Name each cube once."


class DifferentOwners(Conflict):
    """Memories of different owners are not merged."""

    code = "different_owners"
    hint = "Merge what belongs to one user and one agent."


async def create(work: UnitOfWork, wanted: CubeCreate, *, by: str, most_chars: int) -> Cube:
    """Raises TooLarge, Ownerless or BackToFront."""
    _check_text(wanted.text, most_chars)
    _check_times(wanted)
    _check_owner(wanted.visibility, wanted.user_id, wanted.agent_id)
    new = NewCube(
        kind="plaintext",
        payload=text_payload(wanted.text),
        created_by=by,
        user_id=wanted.user_id,
        agent_id=wanted.agent_id,
        semantic_type=wanted.semantic_type,
        visibility=wanted.visibility,
        sensitivity=wanted.sensitivity,
        priority=wanted.priority,
        tags=unique(wanted.tags),
        expires_at=wanted.expires_at,
        valid_from=wanted.valid_from,
        valid_to=wanted.valid_to,
        metadata=callers(wanted.metadata),
    )
    return cube_view(await changes.create(work, new))


async def revise(
    work: UnitOfWork, cube_id: str, wanted: VersionCreate, *, expected: int, by: str, most_chars: int
) -> Version:
    """A new version after the one numbered `expected`. Raises HeadMoved, CubeFrozen, NotLive or WrongKind."""
    _check_text(wanted.text, most_chars)
    _check_times(wanted)
    cube = await changes.lock(work, cube_id)
    _check_plaintext(cube)
    version = await changes.append(
        work,
        cube,
        operation="revise",
        payload=text_payload(wanted.text),
        by=by,
        expected=expected,
        metadata=callers(wanted.metadata),
        valid_from=wanted.valid_from,
        valid_to=wanted.valid_to,
    )
    return version_view(version)


async def update(work: UnitOfWork, cube_id: str, wanted: CubeUpdate, *, by: str) -> Cube:
    cube = await changes.lock(work, cube_id)
    changed = {name: getattr(wanted, name) for name in wanted.model_fields_set & store.ATTRIBUTES}
    if "tags" in changed:
        changed["tags"] = unique(changed["tags"])
    _check_owner(changed.get("visibility", cube["visibility"]), cube["user_id"], cube["agent_id"])
    await changes.set_attributes(work, cube, changed, reason=wanted.reason, by=by)
    return await get(work, cube_id)


async def transition(work: UnitOfWork, cube_id: str, wanted: TransitionRequest, *, by: str) -> Cube:
    """Raises IllegalTransition with the legal ones, or BeingMade for a cube that a job has not finished."""
    cube = await changes.lock(work, cube_id)
    if cube["lifecycle"] == "generated":
        raise BeingMade(f"cube {cube_id} is being made")
    await changes.transition(work, cube, wanted.to, reason=wanted.reason, by=by)
    return await get(work, cube_id)


async def freeze(work: UnitOfWork, cube_id: str, wanted: FreezeRequest, *, by: str) -> Cube:
    """Raises TurnsPending for a conversation's state whose turns are not all in it."""
    cube = await changes.lock(work, cube_id)
    await changes.set_frozen(work, cube, wanted.frozen, reason=wanted.reason, by=by)
    return await get(work, cube_id)


async def split(work: UnitOfWork, cube_id: str, wanted: SplitRequest, *, by: str, most_chars: int) -> Split:
    """Cubes of their own for the parts; the source is archived."""
    for part in wanted.parts:
        _check_text(part.text, most_chars)
    cube = await changes.lock(work, cube_id)
    _check_plaintext(cube)
    changes.refuse_unchangeable(cube)
    head = await store.version_by_id(work, cube["head_version_id"])
    made: list[RowMapping] = []
    for part in wanted.parts:
        own: dict[str, Any] = {} if part.semantic_type is None else {"semantic_type": part.semantic_type}
        own |= {} if part.tags is None else {"tags": unique(part.tags)}
        new = NewCube(
            kind="plaintext",
            payload=text_payload(part.text),
            created_by=by,
            operation="split",
            parents=[(head["id"], "splits")],
            origin=cube["origin"],
            valid_from=head["valid_from"],
            valid_to=head["valid_to"],
            reason="split",
            details={"from": [cube_id]},
            **(inherited(cube) | own),
        )
        made.append(await changes.create(work, new))
    into = {"into": [row["id"] for row in made]}
    await changes.transition(work, cube, "archived", reason="split", by=by, details=into)
    return Split(source=await get(work, cube_id), parts=[cube_view(row) for row in made])


async def merge(work: UnitOfWork, wanted: MergeRequest, *, by: str, most_chars: int) -> Cube:
    """One cube from several of one owner, which become `merged`. Raises IllegalTransition, CubeFrozen, NotLive,
    WrongKind or DifferentOwners, and then changes none of them."""
    if len(set(wanted.cube_ids)) < len(wanted.cube_ids):
        raise NamedTwice
    # Always in the order of their ids, so that two merges never wait for each other in a circle.
    locked = {cube_id: await changes.lock(work, cube_id) for cube_id in sorted(wanted.cube_ids)}
    cubes = [locked[cube_id] for cube_id in wanted.cube_ids]
    for cube in cubes:
        _check_plaintext(cube)
        changes.refuse_unchangeable(cube)
        if cube["lifecycle"] != "activated":
            legal = sorted(legal_from(cube["lifecycle"], frozen=False))
            raise IllegalTransition(f"cube {cube['id']} is {cube['lifecycle']} and cannot become merged", legal=legal)
    if len({(cube["user_id"], cube["agent_id"]) for cube in cubes}) > 1:
        raise DifferentOwners
    heads = [await store.version_by_id(work, cube["head_version_id"]) for cube in cubes]
    text = wanted.text or "\n".join(head["content"] for head in heads)
    _check_text(text, most_chars)
    new = NewCube(
        kind="plaintext",
        payload=text_payload(text),
        created_by=by,
        operation="merge",
        parents=[(head["id"], "merges") for head in heads],
        reason="merge",
        details={"from": wanted.cube_ids},
        **_together(cubes, heads),
    )
    made = await changes.create(work, new)
    for cube in cubes:
        await changes.transition(work, cube, "merged", reason="merge", by=by, details={"into": [made["id"]]})
    return cube_view(made)


def inherited(cube: RowMapping) -> dict[str, Any]:
    """What a cube made from this one has in common with it, as fields of NewCube."""
    names = ("user_id", "agent_id", "semantic_type", "visibility", "sensitivity", "priority", "tags", "expires_at")
    return {name: cube[name] for name in names}


def callers(metadata: dict[str, Any]) -> dict[str, Any]:
    """As a version keeps what its caller wrote beside the text."""
    return {CALLERS_METADATA: metadata} if metadata else {}


def unique(tags: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(tags))


def _together(cubes: Sequence[RowMapping], heads: Sequence[RowMapping]) -> dict[str, Any]:
    """Of several: as sensitive as the most sensitive, as hidden as the most hidden; it lives and holds as long as the
    longest."""
    types, origins = {cube["semantic_type"] for cube in cubes}, {cube["origin"] for cube in cubes}
    ends = [cube["expires_at"] for cube in cubes]
    since, until = [head["valid_from"] for head in heads], [head["valid_to"] for head in heads]
    return {
        "user_id": cubes[0]["user_id"],
        "agent_id": cubes[0]["agent_id"],
        "semantic_type": types.pop() if len(types) == 1 else None,
        "origin": origins.pop() if len(origins) == 1 else "admin",
        "visibility": min((cube["visibility"] for cube in cubes), key=VISIBILITIES.index),
        "sensitivity": max((cube["sensitivity"] for cube in cubes), key=SENSITIVITIES.index),
        "priority": max(cube["priority"] for cube in cubes),
        "tags": unique([tag for cube in cubes for tag in cube["tags"]])[:50],
        "expires_at": None if None in ends else max(ends),
        "valid_from": None if None in since else min(since),
        "valid_to": None if None in until else max(until),
    }


def _check_text(text: str, most_chars: int) -> None:
    if len(text) > most_chars:
        raise TooLarge(f"the text has {len(text)} characters; {most_chars} is the most")


def _check_times(wanted: CubeCreate | VersionCreate) -> None:
    if wanted.valid_from is not None and wanted.valid_to is not None and wanted.valid_to < wanted.valid_from:
        raise BackToFront


def _check_owner(visibility: str, user_id: str | None, agent_id: str | None) -> None:
    if visibility == "owner" and user_id is None and agent_id is None:
        raise Ownerless


def _check_plaintext(cube: RowMapping) -> None:
    if cube["kind"] != "plaintext":
        raise WrongKind(f"cube {cube['id']} is {cube['kind']}")
