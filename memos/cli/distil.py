"""Deltas: train one of some cubes and wait for it, or list the trainings."""

import time
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from memos.cli.history import Limit, page_size
from memos.cli.session import Session

if TYPE_CHECKING:
    from rich.console import RenderableType

    from memos.sdk import DeltaRun

POLL_S = 0.5


def distil(
    session: Session,
    cubes: Annotated[list[str], typer.Argument(metavar="CUBE...", help="Ids of the cubes to learn.")],
    user: Annotated[str | None, typer.Option("--user", help="Whose conversations the delta is mounted for.")] = None,
    agent: Annotated[
        str | None, typer.Option("--agent", help="The agent for whose conversations it is mounted.")
    ] = None,
    rank: Annotated[int | None, typer.Option("--rank", help="Of the low-rank factors.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Of training.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Equal cubes and an equal seed are one run.")] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Return once the training is queued.")] = False,
) -> None:
    """Trains a delta that knows what these cubes hold; it is mounted for the user or the agent when it is done."""
    client = session.client
    run = client.deltas.create(cubes, user_id=user, agent_id=agent, rank=rank, steps=steps, seed=seed)
    with session.waiting("training the delta"):
        while not no_wait and run.status not in ("done", "failed"):
            time.sleep(POLL_S)
            run = client.deltas.get(run.id)
    session.emit(run, lambda: _line(run))
    if run.status == "failed":
        raise typer.Exit(1)


def deltas(
    session: Session,
    user: Annotated[str | None, typer.Option("--user", help="Only those of this user.")] = None,
    limit: Limit = 50,
) -> None:
    """Lists trainings of deltas, newest first: how far each is, and the parameter cube that it made."""
    found = session.client.deltas.list(user_id=user, page_size=page_size(limit))
    session.emit_items(islice(found, limit), _table)


def _line(run: "DeltaRun") -> str:
    if run.status == "failed":
        return f"{run.id} failed: {(run.error or {}).get('detail')}"
    if run.cube_id is None:
        return f"{run.id} {run.status}"
    right = run.figures.get("right_after")
    learned = "" if right is None else f"; {right:.0%} of its held-out questions right"
    return f"{run.cube_id} is mounted{learned}"


def _table(runs: "list[DeltaRun]") -> "RenderableType":
    from memos.cli.tables import short, table

    return table(
        ("id", "owner", "status", "step", "learned", "cube"),
        (
            (
                run.id,
                short(run.user_id or run.agent_id),
                run.status,
                f"{run.progress.step}/{run.progress.steps}",
                str(len(run.version_ids)),
                run.cube_id or "",
            )
            for run in runs
        ),
        whole=("id", "cube"),
    )
