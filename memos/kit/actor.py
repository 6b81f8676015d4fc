"""Who is acting, in a form that a transaction can bind. The tenant's id that a caller hands to the unit of work carries
its actor along (`TenantView`), so nobody who opens a transaction for a caller can leave the actor out; the row-level
security of the database does the rest (migration 0006).

The service's own work, and jobs, use the bare id: they see the whole tenant.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self

from sqlalchemy import TextClause

from memos.kernel.access import Actor

if TYPE_CHECKING:
    from memos.kit.unit_of_work import UnitOfWork


def settings_of(actor: Actor) -> dict[str, str]:
    """What a transaction binds for row-level security."""
    return {
        "actor": actor.kind,
        "user": actor.user_id or "",
        "agent": actor.agent_id or "",
        "roles": ",".join(sorted(actor.roles)),
    }


class Witness(Protocol):
    """Told of everything one unit of work does; may add to it before it commits."""

    def saw(self, statement: TextClause, parameters: Mapping[str, Any]) -> None: ...

    def before_commit(self, work: "UnitOfWork") -> None: ...

    def committed(self) -> None: ...


class Witnesses(Protocol):
    def of_unit(self) -> Witness: ...


class TenantView(str):
    """The id of a tenant, as one actor sees it. Equal to the bare id, which `str()` gives back."""

    actor: Actor
    witnesses: Witnesses | None

    def __new__(cls, tenant_id: str, actor: Actor, witnesses: Witnesses | None = None) -> Self:
        made = super().__new__(cls, tenant_id)
        made.actor = actor
        made.witnesses = witnesses
        return made
