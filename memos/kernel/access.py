"""Who may read and who may change a cube. The schema's policies and the trigger of cubes hold the same rule.

    owner    its user, in person or through the agent it was made with; of a cube without a user, its agent while it
             acts for no user
    shared   the owner, and whom it is granted to
    tenant   everybody of the tenant may read it; to change it needs the owner or a grant to write; only the application
             or an admin makes one so
    secret   its owner alone, and admins, whose reading is audited: no visibility and no grant opens it

A key that acts for the tenant's application, and for nobody in particular, reads and changes all but secret cubes.
Nobody is asked about the service's own work.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

ActorKind = Literal["service", "admin", "application", "person"]
GranteeKind = Literal["user", "agent", "role"]
Permission = Literal["read", "write"]
Visibility = Literal["owner", "shared", "tenant"]


@dataclass(frozen=True, slots=True)
class Actor:
    """`application`: a key of the tenant, for nobody in particular. `person`: a user, an agent, or a user through an
    agent. `roles` are the key's."""

    kind: ActorKind
    user_id: str | None = None
    agent_id: str | None = None
    roles: frozenset[str] = frozenset()

    @property
    def limited(self) -> bool:
        """True if the actor does not see everything of the tenant."""
        return self.kind in ("application", "person")


SERVICE = Actor("service")


@dataclass(frozen=True, slots=True)
class Holding:
    """What of a cube decides who may do what with it."""

    user_id: str | None
    agent_id: str | None
    visibility: Visibility
    secret: bool


@dataclass(frozen=True, slots=True)
class Grant:
    kind: GranteeKind
    grantee: str
    permission: Permission


def owns(actor: Actor, held: Holding) -> bool:
    if held.user_id is None:
        return held.agent_id is not None and held.agent_id == actor.agent_id and actor.user_id is None
    through = actor.agent_id is None or held.agent_id in (None, actor.agent_id)
    return held.user_id == actor.user_id and through


def allows(actor: Actor, held: Holding, grants: Iterable[Grant], wanted: Permission) -> bool:
    """`grants` are the cube's that are in force."""
    if actor.kind in ("service", "admin"):
        return True
    if actor.kind == "application":
        return not held.secret
    if owns(actor, held):
        return True
    if held.secret or held.visibility == "owner":
        return False
    if held.visibility == "tenant" and wanted == "read":
        return True
    return any(_for(actor, grant) and (wanted == "read" or grant.permission == "write") for grant in grants)


def _for(actor: Actor, grant: Grant) -> bool:
    if grant.kind == "role":
        return grant.grantee in actor.roles
    return grant.grantee == (actor.user_id if grant.kind == "user" else actor.agent_id)
