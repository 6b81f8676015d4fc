"""SQL of what only the console asks: who there is, how much there is, what wrote the slots of a state. It reads, and
changes nothing. Ids sort by age, so "since" is a range of the primary key."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, text

from memos.kit.unit_of_work import UnitOfWork

# One row for each user, by name: a page of the names first, and then what is theirs.
_USERS = text("""
    WITH named AS (
      SELECT user_id FROM conversations WHERE user_id IS NOT NULL AND erased_by IS NULL
      UNION SELECT user_id FROM memcubes WHERE user_id IS NOT NULL AND lifecycle <> 'erased'
    ), page AS (
      SELECT user_id FROM named
      WHERE (CAST(:after AS text) IS NULL OR user_id > :after)
        AND (CAST(:like AS text) IS NULL OR user_id ILIKE :like)
      ORDER BY user_id LIMIT :limit)
    SELECT p.user_id,
      (SELECT count(*) FROM conversations c WHERE c.user_id = p.user_id AND c.erased_by IS NULL) AS conversations,
      (SELECT count(*) FROM memcubes m WHERE m.user_id = p.user_id AND m.kind = 'plaintext'
         AND m.lifecycle IN ('generated', 'activated')) AS memories,
      (SELECT count(*) FROM memcubes m WHERE m.user_id = p.user_id AND m.kind = 'parameter'
         AND m.lifecycle IN ('generated', 'activated')) AS deltas,
      (SELECT max(c.created_at) FROM conversations c WHERE c.user_id = p.user_id AND c.erased_by IS NULL) AS last_at
    FROM page p ORDER BY p.user_id""")
_DAYS = """
    SELECT CAST(date_trunc('day', created_at AT TIME ZONE 'UTC') AS date) AS day, count(*) AS count FROM {table}
    WHERE id >= :first AND {chosen} GROUP BY 1"""
_GROWTH = {
    "turns": text(_DAYS.format(table="turns", chosen="status <> 'erased'")),
    "conversations": text(_DAYS.format(table="conversations", chosen="erased_by IS NULL")),
    "memories": text(_DAYS.format(table="memcubes", chosen="kind = 'plaintext'")),
    "versions": text(_DAYS.format(table="memcube_versions", chosen="true")),
}
_HOLDINGS = text("""
    SELECT kind, lifecycle, count(*) AS count FROM memcubes GROUP BY kind, lifecycle ORDER BY kind, lifecycle""")
_WORDS = text("""
    SELECT c.id, left(v.content, :most) AS words FROM memcubes c JOIN memcube_versions v ON v.id = c.head_version_id
    WHERE c.id = ANY(:ids)""")
_WRITTEN = text("""
    SELECT v.id, v.number, v.operation, v.turn_id, v.turn_seq, v.created_at, v.written, v.metadata
    FROM memcube_versions v
    WHERE v.cube_id = :cube_id AND (CAST(:up_to AS integer) IS NULL OR v.number <= :up_to)
    ORDER BY v.number DESC LIMIT :limit""")
_RECENT = text("""
    SELECT t.id, t.conversation_id, t.seq, t.status, t.created_at, t.timings_ms, c.user_id
    FROM turns t JOIN conversations c ON c.id = t.conversation_id
    WHERE t.id >= :first ORDER BY t.id DESC LIMIT :limit""")


def _first_id(prefix: str, since: datetime) -> str:
    """Not greater than any id made since: a uuid7 begins with its milliseconds."""
    return f"{prefix}_{int(since.timestamp() * 1000):012x}{'0' * 20}"


async def users(work: UnitOfWork, *, like: str | None, after: str | None, limit: int) -> Sequence[RowMapping]:
    """`like`: a part of the name."""
    escaped = None if like is None else "%" + like.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
    return await work.all(_USERS, like=escaped, after=after, limit=limit)


async def growth(work: UnitOfWork, since: datetime) -> dict[str, dict[Any, int]]:
    """For each noun how many were made on each day (UTC)."""
    prefixes = {"turns": "turn", "conversations": "conv", "memories": "cube", "versions": "ver"}
    found = {}
    for noun, statement in _GROWTH.items():
        rows = await work.all(statement, first=_first_id(prefixes[noun], since))
        found[noun] = {row["day"]: row["count"] for row in rows}
    return found


async def holdings(work: UnitOfWork) -> Sequence[RowMapping]:
    """How many cubes of each kind there are in each state of life."""
    return await work.all(_HOLDINGS)


async def recent_turns(work: UnitOfWork, since: datetime, limit: int) -> Sequence[RowMapping]:
    return await work.all(_RECENT, first=_first_id("turn", since), limit=limit)


async def words(work: UnitOfWork, cube_ids: Sequence[str], most: int = 240) -> dict[str, str]:
    """The beginning of what each of these cubes says now; tensors say nothing."""
    rows = await work.all(_WORDS, ids=list(cube_ids), most=most)
    return {row["id"]: row["words"] for row in rows if row["words"] is not None}


async def written(work: UnitOfWork, cube_id: str, *, up_to: int | None, limit: int) -> Sequence[RowMapping]:
    """The newest versions of a cube with the slots that each wrote, newest first."""
    return await work.all(_WRITTEN, cube_id=cube_id, up_to=up_to, limit=limit)
