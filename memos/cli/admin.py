"""What an admin does: background work, API keys, tenants."""

from itertools import islice
from typing import Annotated

import typer

from memos.cli.command import command
from memos.cli.history import Limit, page_size
from memos.cli.session import Session

jobs_app = typer.Typer(help="Lists background work; `memos jobs retry ID` queues a failed job again.")
keys_app = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True)
tenants_app = typer.Typer(help="Tenants, for operators: create.", no_args_is_help=True)


@command(jobs_app, group=True)
def jobs(
    session: Session,
    status: Annotated[str | None, typer.Option("--status", help="queued, running, done or failed.")] = None,
    limit: Limit = 20,
) -> None:
    """Lists background work; `memos jobs retry ID` queues a failed job again."""
    from memos.cli.tables import jobs_table

    found = session.client.jobs.list(status=status, page_size=page_size(limit))
    session.emit_items(islice(found, limit), jobs_table)


@command(jobs_app, "retry")
def jobs_retry(session: Session, job: Annotated[str, typer.Argument(metavar="ID", help="Id of a failed job.")]) -> None:
    """Queues a failed job again."""
    queued = session.client.jobs.retry(job)
    session.emit(queued, lambda: f"{queued.id} is {queued.status}")


@command(keys_app, "create")
def keys_create(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for.")],
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="admin, app or read; may be given several times. Default: app.")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", help="Limits the key to this user.")] = None,
    agent: Annotated[str | None, typer.Option("--agent", help="Limits the key to this agent.")] = None,
    role: Annotated[list[str] | None, typer.Option("--role", help="A role it has; several times for more.")] = None,
) -> None:
    """Makes an API key and prints its secret, once."""
    made = session.client.keys.create(name, scope or ["app"], user_id=user, agent_id=agent, roles=role)
    if not session.as_json:
        session.say(f"{made.id} ({', '.join(made.scopes)}); keep the secret, it is not shown again:")
    session.emit(made, lambda: made.key)


@command(keys_app, "list")
def keys_list(session: Session, limit: Limit = 100) -> None:
    """Lists the API keys, without their secrets."""
    from memos.cli.tables import keys_table

    found = session.client.keys.list(page_size=page_size(limit))
    session.emit_items(islice(found, limit), keys_table)


@command(keys_app, "revoke")
def keys_revoke(session: Session, key: Annotated[str, typer.Argument(metavar="ID", help="Id of a key.")]) -> None:
    """Revokes an API key, at once and for good."""
    session.client.keys.revoke(key)
    session.emit({"id": key, "revoked": True}, lambda: f"{key} is revoked")


@command(tenants_app, "create")
def tenants_create(session: Session, name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Makes a tenant and prints its first admin key, once. Needs a key with the operator scope."""
    made = session.client.tenants.create(name)
    if not session.as_json:
        session.say(f"{made.tenant.id}; keep its admin key, it is not shown again:")
    session.emit(made, lambda: made.admin_key.key)
