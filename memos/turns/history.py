"""Reads turns: one, a conversation's line; and takes in history from elsewhere."""

from collections.abc import Sequence

from sqlalchemy import RowMapping

from memos.conversations import store as conversations
from memos.conversations.episodes import held_turns
from memos.conversations.service import open_state
from memos.cubes import store as cubes
from memos.kit.errors import NotFound, TooLarge, TooMany
from memos.kit.pages import decode_number, page
from memos.kit.schema import Page
from memos.kit.unit_of_work import UnitOfWork
from memos.memories.episodes import Said, record_turns
from memos.outbox import store as outbox
from memos.turns import store
from memos.turns.schemas import Imported, Turn, TurnImport
from memos.turns.service import ADVANCE
from memos.turns.views import read_views, turn_view


async def get_row(work: UnitOfWork, turn_id: str) -> RowMapping:
    row = await store.get(work, turn_id)
    if row is None:
        raise NotFound(f"there is no turn {turn_id}")
    return row


async def get(work: UnitOfWork, turn_id: str) -> Turn:
    row = await get_row(work, turn_id)
    return turn_view(row, read_views(list(await store.reads(work, turn_id))))


async def listing(
    work: UnitOfWork, conversation_id: str, *, order: store.Order, cursor: str | None, limit: int
) -> Page[Turn]:
    """By seq. A fork lists the turns it shares with its parent and its own."""
    conversation = await conversations.get(work, conversation_id)
    if conversation is None:
        raise NotFound(f"there is no conversation {conversation_id}")
    inherited = await _inherited(work, conversation) if conversation["parent_id"] else []
    rows = await store.listing(
        work,
        conversation_id=conversation_id,
        inherited=inherited,
        order=order,
        place=decode_number(cursor),
        limit=limit + 1,
    )
    held = await held_turns(work, conversation_id) if inherited else frozenset()

    def shown(row: RowMapping) -> Turn:
        """A turn of the parent as it stands here: a rollback of either says nothing about the other."""
        turn = turn_view(row)
        if row["conversation_id"] != conversation_id and turn.status != "erased":
            turn.status = "applied" if turn.id in held else "superseded"
        return turn

    return page(rows, limit, "seq", shown)


async def take_in(
    work: UnitOfWork, conversation_id: str, wanted: TurnImport, *, by: str, max_input_chars: int, max_pending: int
) -> Imported:
    """Adds exchanges held elsewhere to the line, to be taken into the state in order, without generating. Raises
    CubeFrozen or NotLive for a conversation whose state takes nothing more in."""
    longest = max(max(len(turn.input), len(turn.output)) for turn in wanted.turns)
    if longest > max_input_chars:
        raise TooLarge(f"a text has {longest} characters; {max_input_chars} is the most")
    locked = await conversations.lock(work, conversation_id)
    if locked is None:
        raise NotFound(f"there is no conversation {conversation_id}")
    await open_state(work, conversation_id, by=by)
    if await store.pending_up_to(work, conversation_id=conversation_id, seq=locked["next_seq"]) >= max_pending:
        raise TooMany("this conversation has as many unapplied turns as it may")
    ids = await store.insert_imported(
        work, conversation_id, [(turn.input, turn.output, turn.created_at) for turn in wanted.turns]
    )
    if ids is None:
        raise NotFound(f"there is no conversation {conversation_id}")
    await outbox.record_many(work, task=ADVANCE, subject=conversation_id, turn_ids=ids)
    rows = await remember(work, conversation_id, ids, by=by)
    return Imported(turns=[turn_view(row) for row in rows])


async def remember(work: UnitOfWork, conversation_id: str, turn_ids: list[str], *, by: str) -> Sequence[RowMapping]:
    """Makes episodes of turns that were taken in from elsewhere; their rows. Last of all in its transaction."""
    rows = await store.get_many(work, turn_ids)
    whose = await conversations.get(work, conversation_id)
    if whose is not None:
        user_id, agent_id = whose["user_id"], whose["agent_id"]
        said = [
            Said(row["id"], conversation_id, user_id, agent_id, row["input"], row["output"], row["created_at"])
            for row in rows
        ]
        record_turns(work, said, by=by)
    return rows


async def _inherited(work: UnitOfWork, conversation: RowMapping) -> list[str]:
    line = await cubes.line(work, (await cubes.first_version(work, conversation["state_cube_id"]))["id"])
    return [row["turn_id"] for row in line if row["operation"] == "advance"]
