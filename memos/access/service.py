"""Who acts, and what they may do with a cube: the actor of a request, and grants.

The database holds the rule too (migration 0006), for every query of a unit of work that was opened with the caller's
`tenant_id`. What is here decides what has no row to protect, such as who may grant, and says so in words.
"""

from dataclasses import replace
from urllib.parse import unquote_to_bytes

from sqlalchemy import RowMapping

from memos.access import store
from memos.access.schemas import Grant, GrantCreate, grant_view
from memos.cubes import changes
from memos.kernel import access as rules
from memos.kernel.access import Actor, Permission
from memos.keys.service import Principal
from memos.kit.errors import Conflict, Forbidden, Invalid, NotFound
from memos.kit.ids import new_id
from memos.kit.unit_of_work import NotYours, UnitOfWork

MOST_CHARS = 200
EXTENDED = "utf-8''"  # what follows is percent-encoded, as in RFC 8187


class BadActor(Invalid):
    """X-Memos-User or X-Memos-Agent does not name anybody."""

    code = "bad_actor"
    hint = "Send one id of 1 to 200 characters; write others than printable ASCII as utf-8'' and percent-encoded UTF-8."


class NotOfThisKey(Forbidden):
    """This key is limited to another user or agent."""

    code = "not_of_this_key"
    hint = "Leave X-Memos-User and X-Memos-Agent out, or use a key that is not limited."


class CubeSecret(Conflict):
    """A secret cube is its owner's alone."""

    code = "cube_secret"
    hint = "Set its sensitivity to normal or sensitive first."


def named(values: list[str]) -> str | None:
    """The id in the values of one header, which came as Latin-1. Raises BadActor."""
    if not values:
        return None
    try:
        (value,) = values
        raw = value.encode("latin-1")
        encoded = value.lower().startswith(EXTENDED)
        found = (unquote_to_bytes(raw[len(EXTENDED) :]) if encoded else raw).decode()
    except ValueError as error:
        raise BadActor from error
    if not 1 <= len(found) <= MOST_CHARS or "\x00" in found:
        raise BadActor
    return found


def acting(caller: Principal, user_id: str | None, agent_id: str | None) -> Principal:
    """The caller on behalf of somebody. A key limited to a user or an agent acts for that one and nobody else: raises
    NotOfThisKey."""
    held = caller.actor
    for wanted, limit in ((user_id, held.user_id), (agent_id, held.agent_id)):
        if wanted is not None and limit is not None and wanted != limit:
            raise NotOfThisKey
    if held.kind == "person" and held.user_id is None and user_id is not None:
        raise NotOfThisKey("this key is limited to an agent that acts for itself")
    if user_id is None and agent_id is None:
        return caller
    actor = Actor("person", user_id or held.user_id, agent_id or held.agent_id, held.roles)
    return replace(caller, actor=actor)


async def may(work: UnitOfWork, actor: Actor, cube: RowMapping, wanted: Permission) -> bool:
    """Whether the actor may read, or change, a cube whose row is at hand."""
    grants = [
        rules.Grant(row["grantee_kind"], row["grantee"], row["permission"])
        for row in (await store.all_in_force(work, cube["id"]) if actor.limited else ())
    ]
    return rules.allows(actor, holding(cube), grants, wanted)


def holding(cube: RowMapping) -> rules.Holding:
    return rules.Holding(cube["user_id"], cube["agent_id"], cube["visibility"], cube["sensitivity"] == "secret")


async def grant(work: UnitOfWork, actor: Actor, cube_id: str, wanted: GrantCreate, by: str) -> Grant:
    """Lets somebody read or change a cube; an owner's cube becomes a shared one. The same grant again is the one that
    is there; another permission for the same grantee replaces it. Raises NotYours; CubeFrozen where sharing it would
    change a frozen cube; CubeSecret."""
    cube = await changes.lock(work, cube_id)
    _refuse_others(actor, cube)
    if cube["sensitivity"] == "secret":
        raise CubeSecret(f"cube {cube_id} is secret")
    kind, grantee = wanted.named()
    held = await store.in_force(work, cube_id=cube_id, kind=kind, grantee=grantee)
    if held is not None and held["permission"] == wanted.permission:
        return grant_view(held)
    if held is not None:
        await _revoke(work, held, by)
    if cube["visibility"] == "owner":
        await changes.set_attributes(work, cube, {"visibility": "shared"}, reason="granted", by=by)
    made = await store.insert(
        work, id=new_id("grant"), cube_id=cube_id, kind=kind, grantee=grantee, permission=wanted.permission, by=by
    )
    changes.record(work, cube_id, "grant", reason="granted", by=by, details=_details(made))
    return grant_view(made)


async def revoke(work: UnitOfWork, actor: Actor, cube_id: str, grant_id: str, by: str) -> Grant:
    """Takes a grant back; one taken back already stays as it is. Raises NotFound, NotYours."""
    cube = await changes.lock(work, cube_id)
    _refuse_others(actor, cube)
    held = await store.get(work, cube_id, grant_id)
    if held is None:
        raise NotFound(f"cube {cube_id} has no grant {grant_id}")
    return grant_view(held if held["revoked_at"] else await _revoke(work, held, by))


async def grants(
    work: UnitOfWork, actor: Actor, cube: RowMapping, *, before: str | None, limit: int
) -> list[RowMapping]:
    """Newest first, those taken back included. Raises NotYours: to whom a cube is granted is its owner's matter."""
    _refuse_others(actor, cube)
    return list(await store.listing(work, cube_id=cube["id"], before=before, limit=limit))


def _refuse_others(actor: Actor, cube: RowMapping) -> None:
    if actor.kind == "person" and not rules.owns(actor, holding(cube)):
        raise NotYours("only its owner says who may see this cube")


async def _revoke(work: UnitOfWork, held: RowMapping, by: str) -> RowMapping:
    row = await store.revoke(work, held["cube_id"], held["id"], by)
    if row is None:
        raise NotFound(f"there is no grant {held['id']}")
    changes.record(work, held["cube_id"], "revoke", reason="revoked", by=by, details=_details(held))
    return row


def _details(row: RowMapping) -> dict[str, str]:
    """No name: a grantee can be a user, and events stay when a user goes."""
    return {"grant_id": row["id"], "grantee_kind": row["grantee_kind"], "permission": row["permission"]}
