"""The time machine: a memory as it was, what differs between two versions, two conversations made one."""

from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from memos.cli.history import ConversationId, Limit, page_size
from memos.cli.session import Session
from memos.cli.tables import cell, short, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from memos.sdk import ConversationThen, CubeDiff, CubeThen, StatesMerged

Moment = Annotated[str, typer.Argument(metavar="MOMENT", help="A moment that is over: 2026-01-31T12:00:00Z.")]
CubeId = Annotated[str, typer.Argument(metavar="CUBE", help="Id of a cube.")]


def asof(
    session: Session,
    subject: Annotated[
        str, typer.Argument(metavar="CUBE|CONVERSATION|USER", help="Id of a cube or a conversation, or a user's name.")
    ],
    moment: Moment,
    valid_at: Annotated[
        str | None, typer.Option("--valid-at", help="Of a cube: what it said was so at this moment in the world.")
    ] = None,
    limit: Limit = 20,
) -> None:
    """Shows a cube, a conversation or all memory of a user as it was known at a moment."""
    client = session.client
    if subject.startswith("conv_"):
        then = client.conversations.as_of(subject, moment)
        session.emit(then, lambda: conversation_table(then))
    elif subject.startswith("cube_"):
        cube = client.cubes.as_of(subject, moment, valid_at=valid_at)
        session.emit(cube, lambda: cube_table(cube))
    else:
        found = client.users.memory(subject, as_of=moment, page_size=page_size(limit))
        session.emit_items(islice(found, limit), cubes_table)


def diff(
    session: Session,
    cube: CubeId,
    before: Annotated[int, typer.Argument(metavar="FROM", min=0, help="Number of a version.")],
    after: Annotated[int, typer.Argument(metavar="TO", min=0, help="Number of a version.")],
    limit: Limit = 20,
) -> None:
    """Shows what differs between two versions of a cube: lines of a text, slots of a state, tensors of a delta."""
    with session.waiting("comparing"):
        found = session.client.cubes.diff(cube, before, after, limit=limit)
    session.emit(found, lambda: difference(found))


def merge(
    session: Session,
    conversation: ConversationId,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="Id of the conversation whose turns are taken in.")],
    strategy: Annotated[str, typer.Option("--strategy", help="replay, which keeps facts, or average.")] = "replay",
) -> None:
    """Takes into a conversation's memory what another one of the same user was told since both were one."""
    if strategy not in ("replay", "average"):
        raise typer.BadParameter("must be replay or average", param_hint="--strategy")
    with session.waiting("merging"):
        done = session.client.conversations.merge(
            conversation, other, strategy="replay" if strategy == "replay" else "average"
        )
    session.emit(done, lambda: merged(done))


def cube_table(then: "CubeThen") -> "RenderableType":
    facts = [
        ("cube", f"{then.id} ({then.kind} of {cell(then.user_id)})"),
        ("as of", cell(then.as_of)),
        *([("valid at", cell(then.valid_at))] if then.valid_at else []),
        ("version", f"v{then.version.number} of v{then.head_version}, {then.version.operation}"),
        ("life", f"{then.lifecycle}{', frozen' if then.frozen else ''}"),
        ("tags", ", ".join(then.tags)),
        ("content", cell(then.content)),
    ]
    return table(("", "then"), facts, whole=("",))


def cubes_table(items: "list[CubeThen]") -> "RenderableType":
    return table(
        ("id", "kind", "version", "lifecycle", "content"),
        ((c.id, c.kind, f"v{c.version.number}", c.lifecycle, short(c.content)) for c in items),
        whole=("id", "kind", "version"),
    )


def conversation_table(then: "ConversationThen") -> "RenderableType":
    facts = [
        ("conversation", then.id),
        ("as of", cell(then.as_of)),
        ("state", f"{then.state_cube_id} v{then.state_version}, epoch {then.epoch}"),
        ("life", f"{then.lifecycle}{', frozen' if then.frozen else ''}"),
        ("turns", ", ".join(str(turn.seq) for turn in then.turns) or "none"),
    ]
    return table(("", "then"), facts, whole=("",))


def difference(found: "CubeDiff") -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    if found.same:
        return f"v{found.from_version} and v{found.to_version} hold the same"
    if found.text is not None:
        styles = {"+": "green", "-": "red", "@": "cyan"}
        lines = found.text.unified.splitlines()
        return Group(*(Text(cell(line), style=styles.get(line[:1], "")) for line in lines))
    tensors = table(
        ("tensor", "moved", "before", "after"),
        ((t.name, *(f"{value:.4g}" for value in (t.norm, t.before, t.after))) for t in found.tensors or []),
        whole=("tensor",),
    )
    slots = table(
        ("layer", "slot", "moved", "of itself"),
        ((str(s.layer), str(s.slot), f"{s.norm:.4g}", f"{s.drift:.1%}") for s in found.slots or []),
        whole=("layer", "slot"),
    )
    return Group(tensors, slots) if found.slots else tensors


def merged(done: "StatesMerged") -> str:
    now = done.conversation
    how = f"as turns {done.turns[0]} to {done.turns[-1]}" if done.turns else f"as state v{done.version}"
    return f"{now.id} takes in {done.merged_turns} turns of {done.from_conversation_id}, {how}"
