"""What is remembered of a user, from the command line: `remember` and `recall`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from memos.cli.session import Session

if TYPE_CHECKING:
    from rich.console import RenderableType

    from memos.sdk import AddedMemories, FoundMemories, FoundMemory

User = Annotated[str | None, typer.Option("--user", help="Whose memory.")]
Agent = Annotated[str | None, typer.Option("--agent", help="Through which agent, or whose, without a user.")]
FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]


def remember(
    session: Session,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What is to be remembered, word for word.")],
    user: User = None,
    agent: Agent = None,
    speaker: Annotated[str | None, typer.Option("--speaker", help="Who said it.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="May be given several times.")] = None,
    since: Annotated[
        datetime | None, typer.Option("--since", formats=FORMATS, help="Since when it has been so, in UTC.")
    ] = None,
    replaces: Annotated[str | None, typer.Option("--replaces", help="The memory that is no longer so.")] = None,
) -> None:
    """Remembers a text; what is remembered already is counted and not stored twice."""
    made = session.client.memories.add(
        text,
        user_id=user,
        agent_id=agent,
        speaker=speaker,
        tags=tag,
        valid_from=_utc(since),
        supersedes=replaces,
    )
    session.emit(made, lambda: _told(made))


def recall(
    session: Session,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What is asked.")],
    user: User = None,
    agent: Agent = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="At most so many.")] = 10,
    explain: Annotated[bool, typer.Option("--explain", help="Show what each score is made of.")] = False,
    history: Annotated[bool, typer.Option("--history", help="Also what was superseded or is over.")] = False,
    as_of: Annotated[
        datetime | None, typer.Option("--as-of", formats=FORMATS, help="What was known at this moment, in UTC.")
    ] = None,
) -> None:
    """Finds what is remembered about a question, best first."""
    found = session.client.memories.search(
        query,
        user_id=user,
        agent_id=agent,
        limit=limit,
        explain=explain or None,
        history=history or None,
        as_of=_utc(as_of),
    )
    session.emit(found, lambda: _found(found, explain=explain))


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


def _told(made: "AddedMemories") -> str:
    lines = [
        f"{one.id}  remembered before, and counted" if one.duplicate else f"{one.id}  remembered"
        for one in made.memories
    ]
    if not made.embedded:
        lines.append("the embedder is away: until it is back, this is found by its words alone")
    return "\n".join(lines)


def _found(found: "FoundMemories", *, explain: bool) -> "RenderableType":
    from rich.console import Group

    from memos.cli.tables import cell, short, table

    names = list(dict.fromkeys(name for one in found.results for name in one.signals or {})) if explain else []
    made = table(
        ("score", "said", "by", "memory", "id", *names),
        (
            (
                cell(one.score),
                cell(one.valid_from or one.created_at),
                short(one.source.speaker),
                short(one.text) + (" (superseded)" if one.superseded else ""),
                one.id,
                *(_part(one, name) for name in names),
            )
            for one in found.results
        ),
        whole=("score", "id"),
    )
    return made if found.embedded else Group(made, "the embedder is away: words alone decided")


def _part(one: "FoundMemory", name: str) -> str:
    value = (one.signals or {}).get(name)
    return "-" if value is None else f"{value:+.3f}"
