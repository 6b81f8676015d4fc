"""Who may see a cube, and who did what: grants, tokens, the audit log."""

from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from memos.cli.command import command
from memos.cli.history import Limit, page_size
from memos.cli.session import Session

if TYPE_CHECKING:
    from rich.console import RenderableType

    from memos.sdk import AuditEntry, AuditVerification, Grant

grants_app = typer.Typer(help="Who else may read or change a cube: give, list, revoke.", no_args_is_help=True)
tokens_app = typer.Typer(help="Tokens limited to one user: create.", no_args_is_help=True)
audit_app = typer.Typer(help="Lists the audit log; `memos audit verify` checks its chain.")

Cube = Annotated[str, typer.Argument(metavar="CUBE", help="Id of a cube.")]
To = Annotated[str, typer.Argument(metavar="WHOM", help="user:NAME, agent:NAME or role:NAME.")]


@command(grants_app, "give")
def grants_give(
    session: Session,
    cube: Cube,
    whom: To,
    write: Annotated[bool, typer.Option("--write", help="Leave to change it, too; else to read it.")] = False,
) -> None:
    """Lets a user, an agent or a role read a cube, or change it."""
    from memos.sdk import MemosError

    kind, _, name = whom.partition(":")
    if kind not in ("user", "agent", "role") or not name:
        raise MemosError(f"{whom!r} names nobody", code="usage", hint="Write user:NAME, agent:NAME or role:NAME.")
    permission = "write" if write else "read"
    made = session.client.grants.create(cube, permission=permission, **{kind: name})
    session.emit(made, lambda: f"{made.id}: {whom} may {made.permission} {made.cube_id}")


@command(grants_app, "list")
def grants_list(session: Session, cube: Cube, limit: Limit = 100) -> None:
    """Lists the grants of a cube, those taken back included."""
    found = session.client.grants.list(cube, page_size=page_size(limit))
    session.emit_items(islice(found, limit), grants_table)


@command(grants_app, "revoke")
def grants_revoke(
    session: Session, cube: Cube, grant: Annotated[str, typer.Argument(metavar="ID", help="Id of a grant.")]
) -> None:
    """Takes a grant back."""
    gone = session.client.grants.revoke(cube, grant)
    session.emit(gone, lambda: f"{gone.id} is revoked")


@command(tokens_app, "create")
def tokens_create(
    session: Session,
    user: Annotated[str, typer.Argument(metavar="USER", help="Whose token it is.")],
    agent: Annotated[str | None, typer.Option("--agent", help="The agent it acts through.")] = None,
    role: Annotated[list[str] | None, typer.Option("--role", help="A role of this key; may be several.")] = None,
    ttl_s: Annotated[int, typer.Option("--ttl-s", min=1, help="Seconds until it ends.")] = 900,
) -> None:
    """Makes a token limited to one user, for a browser, and prints it."""
    made = session.client.tokens.create(user, agent_id=agent, roles=role, ttl_s=ttl_s)
    if not session.as_json:
        session.say(f"{made.id}, until {made.expires_at.isoformat()}:")
    session.emit(made, lambda: made.token)


@command(audit_app, group=True)
def audit(
    session: Session,
    actor: Annotated[str | None, typer.Option("--actor", help="Id of a key, a task, or a digest.")] = None,
    action: Annotated[str | None, typer.Option("--action", help="As entries name it: keys.revoke.")] = None,
    subject: Annotated[str | None, typer.Option("--subject", help="An id, or a digest.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="A user: what names them or touched theirs.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="A moment: 2026-01-31T12:00:00Z.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="A moment before which it was.")] = None,
    limit: Limit = 50,
) -> None:
    """Lists the audit log: who read and who changed what, newest first."""
    found = session.client.audit.list(
        actor=actor, action=action, subject=subject, user_id=user, since=since, until=until, page_size=page_size(limit)
    )
    session.emit_items(islice(found, limit), audit_table)


@command(audit_app, "verify")
def audit_verify(
    session: Session,
    after: Annotated[
        str | None, typer.Option("--after", metavar="SEQ:HASH", help="A link that you trust; else from the start.")
    ] = None,
) -> None:
    """Walks the chain of the audit log; exit code 1, and the first place, if it is not whole."""
    from memos.sdk import MemosError

    with session.waiting("walking the chain"):
        found = session.client.audit.verify(after=after)
        checked = found.checked
        while found.ok and not found.complete and found.head is not None:
            found = session.client.audit.verify(after=f"{found.head.seq}:{found.head.hash}")
            checked += found.checked
    found = found.model_copy(update={"checked": checked})
    session.emit(found, lambda: verified(found))
    if found.broken is not None:
        raise MemosError(
            f"the audit chain is not whole at link {found.broken.seq}: {found.broken.what}",
            code="audit_chain_broken",
            hint="Compare the database with its newest backup; what follows this place proves nothing.",
        )


def verified(found: "AuditVerification") -> str:
    end = f", up to link {found.head.seq}:{found.head.hash}" if found.head else ""
    tail = f"{found.unchained.count} entries are not chained yet" if found.unchained else "not walked to the end"
    return f"{found.checked} links are {'whole' if found.ok else 'whole before the break'}{end}; {tail}"


def grants_table(items: "list[Grant]") -> "RenderableType":
    from memos.cli.tables import cell, short, table

    def whom(grant: "Grant") -> str:
        return ", ".join(f"{kind}:{name}" for kind, name in grant.grantee.items())

    rows = ((g.id, short(whom(g)), g.permission, cell(g.created_at), cell(g.revoked_at)) for g in items)
    return table(("id", "whom", "may", "given", "revoked"), rows, whole=("id",))


def audit_table(items: "list[AuditEntry]") -> "RenderableType":
    from memos.cli.tables import cell, short, table

    rows = ((cell(e.at), e.kind, e.action, e.by, short(" ".join(e.subjects)), cell(e.seq)) for e in items)
    return table(("at", "kind", "action", "by", "subjects", "link"), rows, whole=("at", "action", "by"))
