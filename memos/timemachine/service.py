"""Reads a cube, a conversation or a user as they were.

System time, `as_of`, is what memos knew at a moment: the versions made by then, and of a cube's life and attributes
what its events had said by then; no column that changes is read. World time, `valid_at`, is what was so at a moment, as
known at `as_of`: the newest version of the line whose `valid_from` and `valid_to` hold that moment (unset: at any
time). States and deltas say nothing of the world and are refused.

What was known at a moment is the same whenever one asks. A version gets its time before it is committed, so a moment
that is only just over may still be added to: `settle` waits for what was under way then.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping

from memos.cubes import service as cube_service
from memos.cubes import store as cubes
from memos.cubes.service import version_view
from memos.kit.db import Database
from memos.kit.errors import Invalid, NotFound, Unavailable
from memos.kit.pages import decode, page
from memos.kit.schema import Page
from memos.kit.unit_of_work import UnitOfWork
from memos.timemachine import store
from memos.timemachine.schemas import ConversationThen, CubeThen, HeldTurn

SETTLE_S = 2.0
POLL_S = 0.01
LONG_AGO = timedelta(minutes=15)  # over by any clock, and longer ago than a transaction of ours may take
# A conversation's state is made without a word; every other cube's first event says how it began.
_AT_FIRST: dict[str, Any] = {
    "lifecycle": "activated",
    "frozen": False,
    "semantic_type": None,
    "visibility": "owner",
    "sensitivity": "normal",
    "priority": 0,
    "tags": [],
    "expires_at": None,
}


class InTheFuture(Invalid):
    """`as_of` is not over yet: nobody knows what will be known then."""

    code = "in_the_future"
    hint = "Send a moment that is over, or leave `as_of` out for what is known now."


class NotSettled(Unavailable):
    """Something that was under way at that moment has not ended."""

    code = "not_settled"
    hint = "Ask again as Retry-After says, or for an earlier moment."


class NotYet(NotFound):
    """It was not there yet at that moment."""

    code = "not_yet"
    hint = "Ask for a moment at or after its `created_at`."


class NothingThen(NotFound):
    """The cube says nothing of that moment in world time."""

    code = "nothing_then"
    hint = "Ask for a moment that `valid_from` and `valid_to` of one of its versions hold."


class SystemTimeOnly(Invalid):
    """Only plaintext says something of the world; a state or a delta has no world time."""

    code = "system_time_only"
    hint = "Leave `valid_at` out, and send `as_of`."


async def settle(database: Database, tenant_id: str, as_of: datetime | None) -> datetime:
    """The moment to read by, once nothing can add to what was known then; None is now. Raises InTheFuture, NotSettled.
    Call it with no transaction open."""
    if as_of is not None and as_of < datetime.now(UTC) - LONG_AGO:
        return as_of
    single = database.single(tenant_id)
    if as_of is None:
        return await store.clock(single)
    deadline = time.monotonic() + SETTLE_S
    while True:
        found = await store.under_way(single, as_of)
        if not found["past"]:
            raise InTheFuture
        if not found["under_way"]:
            return as_of
        if time.monotonic() > deadline:
            raise NotSettled
        await asyncio.sleep(POLL_S)


async def cube_then(
    database: Database, tenant_id: str, cube_id: str, as_of: datetime | None, valid_at: datetime | None
) -> CubeThen:
    """One cube. Raises NotFound, NotYet, NothingThen, SystemTimeOnly, InTheFuture."""
    moment = await settle(database, tenant_id, as_of)
    async with database.unit_of_work(tenant_id) as work:
        found = await store.cubes(work, as_of=moment, id=cube_id, limit=1)
        if not found:
            await cube_service.get(work, cube_id)
            raise NotYet(f"cube {cube_id} was not there yet at {moment.isoformat()}")
        if valid_at is not None and found[0]["kind"] != "plaintext":
            raise SystemTimeOnly(f"cube {cube_id} is {found[0]['kind']}: it has no world time")
        (then,) = await _then(work, found, moment)
        if valid_at is None:
            return then
        version = await store.valid(work, cube_id=cube_id, number=then.head_version, valid_at=valid_at)
    if version is None:
        raise NothingThen(f"no version of cube {cube_id} says what was so at {valid_at.isoformat()}")
    other = {"valid_at": valid_at, "version": version_view(version), "content": version["content"]}
    return then.model_copy(update=other)


async def page_then(
    database: Database, tenant_id: str, as_of: datetime | None, *, cursor: str | None, limit: int, **chosen: Any
) -> Page[CubeThen]:
    """The cubes that were there, newest first, by the filters in `chosen`. Raises InTheFuture."""
    before = decode(cursor, "cube")
    moment = await settle(database, tenant_id, as_of)
    async with database.unit_of_work(tenant_id) as work:
        rows = await store.cubes(work, as_of=moment, before=before, limit=limit + 1, **chosen)
        made = {then.id: then for then in await _then(work, rows[:limit], moment)}
    return page(rows, limit, "cube_id", lambda row: made[row["cube_id"]])


async def conversation_then(
    database: Database, tenant_id: str, conversation_id: str, as_of: datetime
) -> ConversationThen:
    """A conversation's memory and the turns that it held. Raises NotFound, NotYet, InTheFuture."""
    moment = await settle(database, tenant_id, as_of)
    async with database.unit_of_work(tenant_id) as work:
        row = await store.conversation(work, conversation_id)
        if row is None:
            raise NotFound(f"there is no conversation {conversation_id}")
        found = await store.cubes(work, as_of=moment, id=row["state_cube_id"], limit=1)
        if not found:
            raise NotYet(f"conversation {conversation_id} was not there yet at {moment.isoformat()}")
        (then,) = await _then(work, found, moment)
        line = [at for at in await cubes.line(work, then.version.id) if at["operation"] == "advance"]
        numbers = await store.numbers(work, [at["id"] for at in line])
    turns = [
        HeldTurn(turn_id=at["turn_id"], seq=at["turn_seq"], conversation_id=at["conversation_id"],
                 version=numbers[at["id"]])
        for at in reversed(line)
    ]  # fmt: skip
    return ConversationThen(
        **row,
        as_of=moment,
        epoch=then.version.epoch or 0,
        fingerprint=then.version.fingerprint,
        state_version=then.head_version,
        lifecycle=then.lifecycle,
        frozen=then.frozen,
        version=then.version,
        turns=turns,
    )


async def _then(work: UnitOfWork, rows: Sequence[RowMapping], as_of: datetime) -> list[CubeThen]:
    """The cubes of rows of `store.cubes`."""
    said = await store.said(work, [row["cube_id"] for row in rows], as_of) if rows else {}
    made = []
    for row in rows:
        known = {name: value for name, value in said.get(row["cube_id"], {}).items() if name in _AT_FIRST}
        made.append(
            CubeThen(
                **(_AT_FIRST | known),
                as_of=as_of,
                valid_at=None,
                id=row["cube_id"],
                kind=row["kind"],
                user_id=row["user_id"],
                agent_id=row["agent_id"],
                conversation_id=row["of_conversation"],
                origin=row["origin"],
                model=row["model"],
                created_at=row["begun_at"],
                head_version=row["number"],
                version=version_view(row),
                content=row["content"],
            )
        )
    return made
