"""Cubes by hand: list, show, make, revise, label, archive, freeze, merge, split, convert."""

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memos.cli.command import command
from memos.cli.history import Limit, page_size
from memos.cli.session import Session
from memos.cli.tables import cell, short, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from memos.sdk import Conversion, Cube, CubeEvent, CubeMetadata

cubes_app = typer.Typer(help="Lists cubes; the subcommands make and change them.")
CubeId = Annotated[str, typer.Argument(metavar="CUBE", help="Id of a cube.")]
Why = Annotated[str, typer.Option("--reason", help="Why; it stays in the cube's events.")]
User = Annotated[str | None, typer.Option("--user", help="Whose it is.")]
Agent = Annotated[str | None, typer.Option("--agent", help="Whose it is: an agent's.")]
Type = Annotated[str | None, typer.Option("--type", help="Semantic type: fact, episode, or a word of yours.")]
Tag = Annotated[list[str] | None, typer.Option("--tag", help="May be given several times.")]
Priority = Annotated[int | None, typer.Option("--priority", help="From -1000 to 1000.")]
Sensitivity = Annotated[str | None, typer.Option("--sensitivity", help="normal, sensitive or secret.")]
Visibility = Annotated[str | None, typer.Option("--visibility", help="owner, shared or tenant.")]
Expires = Annotated[str | None, typer.Option("--expires-at", help="A moment: 2027-01-31T12:00:00Z.")]


@command(cubes_app, group=True)
def cubes(
    session: Session,
    kind: Annotated[str | None, typer.Option("--kind", help="plaintext, activation or parameter.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="Only this user's.")] = None,
    limit: Limit = 20,
) -> None:
    """Lists cubes, newest first; the subcommands make and change them."""
    found = session.client.cubes.list(kind=kind, user_id=user, page_size=page_size(limit))
    session.emit_items(islice(found, limit), cubes_table)


@command(cubes_app)
def show(session: Session, cube: CubeId) -> None:
    """Shows all that is known of a cube: what it is, who may see it, how it is used, where it is from."""
    found = session.client.cubes.metadata(cube)
    session.emit(found, lambda: metadata_table(found))


@command(cubes_app)
def create(
    session: Session,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to remember.")],
    user: User = None,
    agent: Agent = None,
    semantic_type: Type = None,
    tag: Tag = None,
    priority: Priority = None,
    sensitivity: Sensitivity = None,
    visibility: Visibility = None,
    expires_at: Expires = None,
) -> None:
    """Remembers a text as a cube of its own and prints its id."""
    made = session.client.cubes.create(
        text, user_id=user, agent_id=agent, semantic_type=semantic_type, tags=tag, priority=priority,
        sensitivity=sensitivity, visibility=visibility, expires_at=expires_at,
    )  # fmt: skip
    session.emit(made, lambda: made.id)


@command(cubes_app)
def revise(
    session: Session,
    cube: CubeId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What it is to say.")],
    expected: Annotated[
        int | None, typer.Option("--expected", min=0, help="Number of the newest version you know of; else the newest.")
    ] = None,
) -> None:
    """Gives a plaintext cube a new version."""
    number = session.client.cubes.get(cube).head_version if expected is None else expected
    made = session.client.cubes.revise(cube, text, expected=number)
    session.emit(made, lambda: f"{made.cube_id} is at v{made.number}")


@command(cubes_app)
def label(
    session: Session,
    cube: CubeId,
    reason: Why = "asked for",
    semantic_type: Type = None,
    tag: Tag = None,
    priority: Priority = None,
    sensitivity: Sensitivity = None,
    visibility: Visibility = None,
    expires_at: Expires = None,
) -> None:
    """Changes what a cube is labelled with; what is not given stays."""
    given: dict[str, Any] = {
        "semantic_type": semantic_type, "tags": tag, "priority": priority, "sensitivity": sensitivity,
        "visibility": visibility, "expires_at": expires_at,
    }  # fmt: skip
    changes = {name: value for name, value in given.items() if value is not None}
    changed = session.client.cubes.update(cube, reason=reason, **changes)
    session.emit(changed, lambda: cubes_table([changed]))


@command(cubes_app)
def move(
    session: Session,
    cube: CubeId,
    state: Annotated[str, typer.Argument(metavar="STATE", help="activated, archived or expired.")],
    reason: Why = "asked for",
) -> None:
    """Archives a cube, activates it again, or lets it expire."""
    moved = session.client.cubes.transition(cube, state, reason)
    session.emit(moved, lambda: f"{moved.id} is {moved.lifecycle}")


@command(cubes_app)
def freeze(session: Session, cube: CubeId, reason: Why = "asked for") -> None:
    """Keeps a cube exactly as it is. A conversation whose state is frozen takes no turn."""
    frozen = session.client.cubes.freeze(cube, reason)
    session.emit(frozen, lambda: f"{frozen.id} is frozen")


@command(cubes_app)
def unfreeze(session: Session, cube: CubeId, reason: Why = "asked for") -> None:
    """Lets a frozen cube change again."""
    thawed = session.client.cubes.freeze(cube, reason, frozen=False)
    session.emit(thawed, lambda: f"{thawed.id} may change")


@command(cubes_app)
def merge(
    session: Session,
    cubes: Annotated[list[str], typer.Argument(metavar="CUBE...", help="Ids of plaintext cubes of one owner.")],
    text: Annotated[str | None, typer.Option("--text", help="What they come to; else all their texts.")] = None,
) -> None:
    """Makes one plaintext cube of several, which stay as merged, and prints its id."""
    made = session.client.cubes.merge(cubes, text=text)
    session.emit(made, lambda: made.id)


@command(cubes_app)
def split(
    session: Session,
    cube: CubeId,
    parts: Annotated[list[str], typer.Argument(metavar="TEXT...", help="What each part says.")],
) -> None:
    """Makes a cube for each part of a plaintext cube, which is archived, and prints their ids."""
    made = session.client.cubes.split(cube, parts)
    session.emit(made, lambda: "\n".join(part.id for part in made.parts))


@command(cubes_app)
def convert(
    session: Session,
    cube: CubeId,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="plaintext, activation or parameter.")],
) -> None:
    """Makes a cube of another kind from a cube, which stays as it is."""
    made = session.client.cubes.convert(cube, kind)
    session.emit(made, lambda: converted(made))


@command(cubes_app)
def promote(session: Session, cube: CubeId, reason: Why = "asked for") -> None:
    """Converts toward the faster kind (plaintext, activation, parameter) and archives the source when that is done."""
    made = session.client.cubes.promote(cube, reason=reason)
    session.emit(made, lambda: converted(made))


@command(cubes_app)
def demote(session: Session, cube: CubeId, reason: Why = "asked for") -> None:
    """Converts back to plaintext and archives the source."""
    made = session.client.cubes.demote(cube, reason=reason)
    session.emit(made, lambda: converted(made))


@command(cubes_app)
def events(session: Session, cube: CubeId, limit: Limit = 50) -> None:
    """Lists what happened to a cube besides its versions, newest first."""
    found = session.client.cubes.events(cube, page_size=page_size(limit))
    session.emit_items(islice(found, limit), events_table)


def converted(made: "Conversion") -> str:
    """The new cube's id, or whose end tells it."""
    if made.cube is None:
        return f"run {made.run_id} is at work on it: `memos deltas` says how it goes"
    return made.cube.id if made.status == "done" else f"{made.cube.id} is being made by job {made.job_id}"


def cubes_table(items: "list[Cube]") -> "RenderableType":
    return table(
        ("id", "kind", "type", "user", "agent", "life", "version", "visible to", "tags", "created"),
        (
            (
                c.id,
                c.kind,
                short(c.semantic_type),
                short(c.user_id),
                short(c.agent_id),
                f"{c.lifecycle}, frozen" if c.frozen else c.lifecycle,
                f"v{c.head_version}",
                f"{c.visibility}, {c.sensitivity}",
                short(", ".join(c.tags)),
                cell(c.created_at),
            )
            for c in items
        ),
        whole=("id",),
    )


def events_table(items: "list[CubeEvent]") -> "RenderableType":
    return table(
        ("when", "event", "from", "to", "reason", "by"),
        (
            (cell(e.created_at), e.event, cell(e.from_lifecycle), cell(e.to_lifecycle), short(e.reason), e.created_by)
            for e in items
        ),
        whole=("when", "by"),
    )


def metadata_table(found: "CubeMetadata") -> "RenderableType":
    rows = []
    for group in ("descriptive", "governance", "behavioural"):
        for name, value in getattr(found, group):
            if name != "context":
                rows.append((group, name.replace("_", " "), short(", ".join(value)) if name == "tags" else cell(value)))
    for place, use in found.behavioural.context.items():
        rows.append(("behavioural", "read in", f"{place}: {use.reads} times, last {cell(use.last)}"))
    told = found.provenance
    if told.trigger is not None:
        rows.append(("provenance", "trigger", f"{short(told.trigger.reason)}, by {told.trigger.created_by}"))
    rows.append(("provenance", "model", cell(told.model)))
    for side, relatives in (("came from", told.parents), ("became", told.links)):
        rows += [("provenance", side, f"{r.relation} {r.cube_id} v{r.number} ({r.kind})") for r in relatives]
    return table(("group", "what", "value"), rows, whole=("group",))
