"""Conversations and their turns: list, explain, roll back, fork."""

from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from memos.cli.session import Session

if TYPE_CHECKING:
    from memos.sdk import Conversation, Memos, RolledBack, Turn

Limit = Annotated[int, typer.Option("--limit", min=1, help="The most rows to show: the newest.")]
ConversationId = Annotated[str, typer.Argument(metavar="CONVERSATION", help="Id of a conversation.")]
Subject = Annotated[
    str,
    typer.Argument(metavar="CONVERSATION|CUBE", help="Id of a conversation, or of a cube that is no conversation's."),
]
PlaceOf = Annotated[
    str, typer.Argument(metavar="TURN|VERSION", help="Seq of a turn (0 is the start), or its id; of a cube, a version.")
]
MOST_PER_PAGE = 200


def page_size(limit: int) -> int:
    return min(limit, MOST_PER_PAGE)


def newest_turns(client: "Memos", conversation_id: str, count: int) -> "list[Turn]":
    """Oldest first, as one reads."""
    newest = islice(client.turns.list(conversation_id, order="desc", page_size=page_size(count)), count)
    return list(newest)[::-1]


def seq_of(client: "Memos", conversation_id: str, turn: str) -> int:
    """A turn's seq from its seq or its id."""
    from memos.sdk import MemosError

    if turn.isdecimal():
        return int(turn)
    found = client.turns.get(turn)
    if found.conversation_id != conversation_id:
        raise MemosError(
            f"turn {turn} belongs to conversation {found.conversation_id}",
            code="other_conversation",
            hint=f"Name a turn of {conversation_id}: `memos turns {conversation_id}` lists them.",
        )
    return found.seq


def version_of(place: str) -> int:
    """The number of a cube's version, with or without the v."""
    from memos.sdk import MemosError

    if not place.removeprefix("v").isdecimal():
        raise MemosError(
            f"{place} is no number of a version", code="no_version", hint="A cube's versions are numbered from 0."
        )
    return int(place.removeprefix("v"))


def conversations(
    session: Session,
    user: Annotated[str | None, typer.Option("--user", help="Only this user's.")] = None,
    limit: Limit = 20,
) -> None:
    """Lists conversations."""
    from memos.cli.tables import conversations_table

    found = session.client.conversations.list(user_id=user, page_size=page_size(limit))
    session.emit_items(islice(found, limit), conversations_table)


def turns(session: Session, conversation: ConversationId, limit: Limit = 20) -> None:
    """Lists the newest turns of a conversation, oldest first, superseded ones included."""
    from memos.cli.tables import turns_table

    with session.waiting("reading the turns"):
        found = newest_turns(session.client, conversation, limit)
    session.emit_items(found, turns_table)


def explain(session: Session, turn: Annotated[str, typer.Argument(metavar="TURN", help="Id of a turn.")]) -> None:
    """Shows which memory versions an answer read, and what it wrote."""
    from memos.cli.tables import explanation_table

    with session.waiting("reading the explanation"):
        found = session.client.turns.explanation(turn)
    session.emit(found, lambda: explanation_table(found))


def rollback(session: Session, conversation: Subject, turn: PlaceOf) -> None:
    """Takes a conversation's memory back to a turn, or another cube to a version. Appends; deletes nothing."""
    with session.waiting("rolling back"):
        if conversation.startswith("cube_"):
            cube = session.client.cubes.rollback(conversation, version_of(turn))
            session.emit(cube, lambda: f"{cube.cube.id} is at v{cube.version.number}, which restores v{turn}")
            return
        done = session.client.conversations.rollback(conversation, seq_of(session.client, conversation, turn))
    session.emit(done, lambda: rolled_back(done))


def rolled_back(done: "RolledBack") -> str:
    now = done.conversation
    return f"{now.id} is at state v{now.state_version}, epoch {now.epoch}; {done.superseded_turns} turns are superseded"


def fork(
    session: Session,
    conversation: Subject,
    turn: PlaceOf,
    title: Annotated[str | None, typer.Option("--title", help="Title of the new conversation.")] = None,
) -> None:
    """Makes a new conversation whose memory and history start at a turn, or a new cube that starts at a version."""
    with session.waiting("forking"):
        if conversation.startswith("cube_"):
            cube = session.client.cubes.fork(conversation, version_of(turn))
            session.emit(cube, lambda: f"{cube.cube.id}, forked from {cube.from_cube_id} at v{cube.at_version}")
            return
        made = session.client.conversations.fork(conversation, seq_of(session.client, conversation, turn), title=title)
    session.emit(made, lambda: forked(made))


def forked(made: "Conversation") -> str:
    origin = f"{made.forked_from.conversation_id} at turn {made.forked_from.at_turn}" if made.forked_from else "?"
    return f"{made.id}, forked from {origin}"
