"""The embedding model of memories: what is in force and in use, and the switch to it."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from memos.cli.command import command
from memos.cli.session import Session

if TYPE_CHECKING:
    from rich.console import RenderableType

    from memos.sdk import EmbedderStatus

embedder_app = typer.Typer(help="The embedding model of memories: status, switch.", no_args_is_help=True)
POLL_S = 0.3


@command(embedder_app, "status")
def embedder_status(session: Session) -> None:
    """Shows which model is in force, which ones searches use, and how far a switch is."""
    status = session.client.embedder.status()
    session.emit(status, lambda: _view(status))


@command(embedder_app, "switch")
def embedder_switch(
    session: Session,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Return once the work is queued.")] = False,
) -> None:
    """Embeds anew, for the model in force, what another one embedded, and waits for the end."""
    queued = session.client.embedder.switch()
    if no_wait:
        session.emit(queued, lambda: f"{queued.queued} owners' memories are queued for {queued.model}")
        return
    status = _watched(session)
    session.emit(status, lambda: _view(status))
    if status.switching:
        raise typer.Exit(1)


def _watched(session: Session) -> "EmbedderStatus":
    """A bar on stderr, on a terminal, until nothing is on its way, or nothing more will be without help."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("embedding anew"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=session.err, transient=True, disable=not session.err.is_terminal) as progress:
        bar = progress.add_task("embedding anew", total=None)
        most = 0
        while (status := session.client.embedder.status()).switching:
            if all(scope.status == "failed" for scope in status.switching):
                break
            left = sum((scope.total or 0) - (scope.done or 0) for scope in status.switching)
            most = max(most, sum(scope.total or 0 for scope in status.switching))
            progress.update(bar, total=most or None, completed=max(0, most - left))
            time.sleep(POLL_S)
    return status


def _view(status: "EmbedderStatus") -> "RenderableType":
    from rich.console import Group

    from memos.cli.tables import cell, short, table

    force = status.in_force
    state = "available" if force.available else f"not available: {force.reason}"
    lines = [f"in force  {cell(force.model)} ({state})"]
    if status.dense_off:
        lines.append("some memories are found by their words alone: the model that embedded them is not there")
    in_use = table(
        ("searched by", "owners", "available"),
        ((cell(m.model), str(m.scopes), "yes" if m.available else short(m.reason)) for m in status.in_use),
        whole=("searched by",),
    )
    if not status.switching:
        return Group(*lines, in_use)
    moving = table(
        ("owner's scope", "to", "status", "embedded", "error"),
        (
            (
                scope.scope_id,
                cell(scope.next_embedder),
                cell(scope.status),
                f"{scope.done}/{scope.total}" if scope.total else "-",
                short(str(scope.error.get("detail"))) if scope.error else "-",
            )
            for scope in status.switching
        ),
        whole=("owner's scope",),
    )
    return Group(*lines, in_use, moving)
