"""Takes the bytes of what is gone out of the database's files, and says what of it is out of reach, and until when.

It needs the address of the database's owner (`database_admin_url`; the embedded service has it). Tables are rewritten
one after the other, each locked while it is: requests wait, up to seconds for a large table.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from memos.erasure.physical import store
from memos.kit.config import Settings
from memos.kit.db import owner_connection
from memos.kit.errors import Unavailable

WAIT_S = 0.2
LOCK_PATIENCE = 300  # looks at another rewriting
PATIENCE = 50  # looks at transactions that could still see it
ROUNDS = 5  # of leaving the log's file: a checkpoint removes what is older than the one before it


class NotYetPhysical(Unavailable):
    """Something still holds bytes of what was erased."""

    code = "not_yet_physical"
    retry_after_s = 2.0


@dataclass(frozen=True, slots=True)
class Pass:
    """One rewriting: everything that was gone before `began_at` has left the files."""

    began_at: Any
    ended_at: Any
    tables: list[str]
    samples: list[str]
    wal_left_behind: str
    not_reached: list[dict[str, Any]] = field(default_factory=list)


async def rewrite(
    settings: Settings, columns: Mapping[str, Sequence[str]], needed: Callable[[], Awaitable[bool]]
) -> Pass | None:
    """`columns` that hold words, by table. None if it was no longer needed when its turn came. Raises
    NotYetPhysical when a transaction that began before does not end, or old log does not go."""
    if settings.database_admin_url is None:
        raise ValueError("without the owner's address nothing can be rewritten")
    try:
        async with owner_connection(settings.database_admin_url) as connection:
            for _ in range(LOCK_PATIENCE):
                if not await needed():
                    return None
                if await store.lock(connection):
                    break
                await asyncio.sleep(WAIT_S)
            else:
                raise NotYetPhysical("another rewriting is under way")
            try:
                return await _rewrite(connection, settings, columns) if await needed() else None
            finally:
                await store.unlock(connection)
    except psycopg.OperationalError as error:  # a lock that was not to be had in time, or the database is away
        raise NotYetPhysical(f"the tables could not be rewritten (SQLSTATE {error.sqlstate})") from error


async def _rewrite(connection: store.Connection, settings: Settings, columns: Mapping[str, Sequence[str]]) -> Pass:
    began_at = await store.now(connection)
    mark = await store.mark(connection)
    for _ in range(PATIENCE):
        holding = await store.holding(connection, mark)
        if not holding:
            break
        await asyncio.sleep(WAIT_S)
    else:
        raise NotYetPhysical(f"{holding} open transactions could still see what was erased")
    present = await store.existing(connection, list(columns))
    for table in present:
        await store.rewrite(connection, table)
    samples = await store.forget_samples(connection, {table: columns[table] for table in present})
    segment = await store.wal_segment(connection)
    for _ in range(ROUNDS):
        await store.leave_segment(connection)
        if not await store.segments_up_to(connection, segment):
            break
    else:
        raise NotYetPhysical(f"the write-ahead log still has files up to {segment}")
    out_of_reach = await not_reached(connection, settings)
    return Pass(began_at, await store.now(connection), present, samples, segment, out_of_reach)


async def not_reached(connection: store.Connection, settings: Settings) -> list[dict[str, Any]]:
    """What may have copies that no process of this service can take away, and what ends them."""
    found = [
        {"what": "blocks of deleted files", "until": "the file system or the drive writes over them"},
        {"what": "backups made before", "until": "they are deleted; a restore erases again before it serves"},
    ]
    in_force, others = await store.settings(connection), await store.followers(connection)
    if in_force.get("wal_recycle", "on") != "off":
        found.append(
            {"what": "recycled files of the write-ahead log", "until": "they are written over (wal_recycle is on)"}
        )
    if in_force.get("archive_mode", "off") != "off":
        found.append({"what": "archived write-ahead log", "until": "the archive's own retention ends"})
    if others["replicas"] or others["slots"]:
        count = f"{others['replicas']} replicas, {others['slots']} slots"
        found.append({"what": f"replicas of the database ({count})", "until": "they have followed, and checkpoint"})
    if in_force.get("log_statement", "none") != "none" or in_force.get("log_min_duration_statement", "-1") != "-1":
        found.append({"what": "the database's own log", "until": "it is rotated away: statements are logged there"})
    if not settings.effective_blob_url.startswith("file://"):
        found.append(
            {"what": "earlier versions of objects", "until": "the bucket's own retention ends, if it keeps them"}
        )
    return found
