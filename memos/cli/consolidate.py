"""Consolidation of a user's memories, and what it proposes."""

import time
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from memos.cli.command import command
from memos.cli.history import Limit, page_size
from memos.cli.session import Session

if TYPE_CHECKING:
    from rich.console import RenderableType

    from memos.sdk import ConsolidationPlan, Memos, Proposal

proposals_app = typer.Typer(help="Lists what consolidations propose; accept, dismiss.")
ProposalId = Annotated[str, typer.Argument(metavar="ID", help="Id of a proposal.")]
POLL_S = 0.2


def consolidate(
    session: Session,
    user: Annotated[str, typer.Argument(metavar="USER", help="Whose memories.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only plan: list the steps, and change nothing.")] = False,
    step: Annotated[
        list[str] | None,
        typer.Option("--step", help="merge, supersede, fold or propose; may be given several times. Default: all."),
    ] = None,
    similarity: Annotated[
        float | None, typer.Option("--similarity", help="Least cosine of two texts that are near-duplicates.")
    ] = None,
) -> None:
    """Puts a user's memories in order, waits for the end, and shows the plan with what became of each step."""
    with session.waiting("consolidating"):
        made = session.client.consolidations.create(user, dry_run=dry_run, steps=step or None, similarity=similarity)
        run = _ended(session.client, made.id)
    session.emit(run, lambda: _plan_view(run))
    if run.status == "failed":
        raise typer.Exit(1)


@command(proposals_app, group=True)
def proposals(
    session: Session,
    status: Annotated[str | None, typer.Option("--status", help="open, accepted or dismissed.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="Only about this user's memories.")] = None,
    limit: Limit = 20,
) -> None:
    """Lists what consolidations propose to be learned by a delta."""
    found = session.client.proposals.list(status=status, user_id=user, page_size=page_size(limit))
    session.emit_items(islice(found, limit), _proposals_table)


@command(proposals_app, "accept")
def proposals_accept(session: Session, proposal: ProposalId) -> None:
    """Has a delta trained on the proposed memory, for its user."""
    decided = session.client.proposals.accept(proposal)
    session.emit(decided, lambda: f"{decided.id} is {decided.status}; the training is run {decided.delta_run_id}")


@command(proposals_app, "dismiss")
def proposals_dismiss(session: Session, proposal: ProposalId) -> None:
    """Leaves the memory as it is."""
    decided = session.client.proposals.dismiss(proposal)
    session.emit(decided, lambda: f"{decided.id} is {decided.status}")


def _ended(client: "Memos", run_id: str) -> "ConsolidationPlan":
    while (run := client.consolidations.get(run_id)).status not in ("done", "failed"):
        time.sleep(POLL_S)
    return run


def _plan_view(run: "ConsolidationPlan") -> "RenderableType":
    from rich.console import Group

    from memos.cli.tables import cell, short, table

    said = f"{run.id} looked at {run.considered} memories and planned {run.planned} steps"
    if run.error:
        said = f"{run.id} failed: {run.error.get('detail')}"
    rows = (
        (str(s.number), s.kind, "\n".join(s.cube_ids), short(s.reason), cell(s.outcome), short(s.outcome_reason),
         "\n".join(s.made_cube_ids) or "-")
        for s in run.steps
    )  # fmt: skip
    columns = ("step", "kind", "cubes", "reason", "outcome", "because", "made")
    return Group(said, table(columns, rows, whole=("cubes", "made")))


def _proposals_table(items: "list[Proposal]") -> "RenderableType":
    from memos.cli.tables import cell, short, table

    return table(
        ("id", "user", "cube", "status", "reason", "training", "created"),
        (
            (p.id, short(p.user_id), p.cube_id, p.status, short(p.reason), cell(p.delta_run_id), cell(p.created_at))
            for p in items
        ),
        whole=("id", "cube"),
    )
