"""SQL of the past: only reads. A version or an event is part of what was known at a moment if it was made by then; both
have the database's own time, in one order per cube (see `_MOMENT` in `memos.cubes.store`).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import RowMapping, TextClause, text

from memos.cubes.store import VERSION_COLUMNS
from memos.kit.unit_of_work import UnitOfWork

# What of a cube's row never changes, beside its newest version then. It was there once its row and a version were.
_CUBES = f"""
    SELECT {VERSION_COLUMNS}, c.kind, c.user_id, c.agent_id, c.origin, c.model,
      c.conversation_id AS of_conversation, c.created_at AS begun_at
    FROM memcubes c CROSS JOIN LATERAL (
      SELECT v.* FROM memcube_versions v
      WHERE v.cube_id = c.id AND v.created_at <= :as_of ORDER BY v.created_at DESC LIMIT 1) v
    WHERE c.created_at <= :as_of"""
_WHERE = {
    "id": "c.id = :id",
    "user_id": "c.user_id = :user_id",
    "scope_id": "c.scope_id = :scope_id",
    "kind": "c.kind = :kind",
    "conversation_id": "c.conversation_id = :conversation_id",
    "lifecycle": """coalesce((
      SELECT e.to_lifecycle FROM cube_events e WHERE e.cube_id = c.id AND e.created_at <= :as_of
        AND e.to_lifecycle IS NOT NULL ORDER BY e.created_at DESC, e.id DESC LIMIT 1), 'activated') = :lifecycle""",
    "before": "c.id < :before",
}
# For each cube and each thing that events say of it, what the last event by then said.
_SAID = text("""
    SELECT DISTINCT ON (e.cube_id, said.key) e.cube_id, said.key AS name, said.value
    FROM cube_events e CROSS JOIN LATERAL jsonb_each(
      CASE WHEN e.event IN ('create', 'change') THEN coalesce(e.details->'to', '{}') ELSE '{}' END
      || CASE WHEN e.to_lifecycle IS NULL THEN '{}' ELSE jsonb_build_object('lifecycle', e.to_lifecycle) END
      || CASE WHEN e.event IN ('freeze', 'unfreeze') THEN jsonb_build_object('frozen', e.event = 'freeze')
         ELSE '{}' END) said
    WHERE e.cube_id = ANY(:cube_ids) AND e.created_at <= :as_of
    ORDER BY e.cube_id, said.key, e.created_at DESC, e.id DESC""")
# The newest version of a cube's present line that was so at a moment. The line goes back version by version; from one
# that restores another it goes on there, so that what a rollback left behind says nothing any more.
_VALID = text(f"""
    WITH RECURSIVE line AS (
      SELECT v.id, v.parent_id, v.operation, v.valid_from, v.valid_to
      FROM memcube_versions v WHERE v.cube_id = :cube_id AND v.number = :number
      UNION ALL
      SELECT p.id, p.parent_id, p.operation, p.valid_from, p.valid_to
      FROM line l JOIN memcube_versions p ON p.id = CASE WHEN l.operation = 'rollback'
        THEN (SELECT e.parent_id FROM lineage_edges e WHERE e.child_id = l.id AND e.relation = 'restores' LIMIT 1)
        ELSE l.parent_id END
      WHERE (l.valid_from > :valid_at) IS TRUE OR (l.valid_to <= :valid_at) IS TRUE)
    SELECT {VERSION_COLUMNS} FROM line l JOIN memcube_versions v ON v.id = l.id
    WHERE (l.valid_from > :valid_at) IS NOT TRUE AND (l.valid_to <= :valid_at) IS NOT TRUE""")
_CONVERSATION = text("""
    SELECT c.id, c.user_id, c.agent_id, c.title, c.metadata, c.created_at, m.id AS state_cube_id
    FROM conversations c JOIN memcubes m ON m.conversation_id = c.id AND m.kind = 'activation' WHERE c.id = :id""")
_NUMBERS = text("SELECT id, number FROM memcube_versions WHERE id = ANY(:ids)")
_CLOCK = text("SELECT clock_timestamp() AS moment")
# What of ours began by then and has not ended may still add to what was known then. The service's own sessions are all
# that a role sees of this view, and all that write here.
_UNDER_WAY = text("""
    SELECT :as_of <= clock_timestamp() AS past, EXISTS (
      SELECT FROM pg_stat_activity a WHERE a.datname = current_database() AND a.usename = current_user
        AND a.pid <> pg_backend_pid() AND a.backend_xid IS NOT NULL AND a.xact_start <= :as_of) AS under_way""")


@lru_cache
def _listing(filters: tuple[str, ...]) -> TextClause:
    """Of these filters alone: a plan that must serve for any of them serves none."""
    where = "".join(f" AND {_WHERE[name]}" for name in filters)
    return text(f"{_CUBES}{where} ORDER BY c.id DESC LIMIT :limit")


async def cubes(work: UnitOfWork, *, as_of: datetime, limit: int, **filters: Any) -> Sequence[RowMapping]:
    """The newest versions then of the cubes that were there, newest cube first, by the filters that are not None."""
    given = {name: value for name, value in filters.items() if value is not None}
    return await work.all(_listing(tuple(sorted(given))), as_of=as_of, limit=limit, **given)


async def said(work: UnitOfWork, cube_ids: Sequence[str], as_of: datetime) -> Mapping[str, Mapping[str, Any]]:
    """What events had said of each cube: its lifecycle, whether it was frozen, its attributes."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for row in await work.all(_SAID, cube_ids=list(cube_ids), as_of=as_of):
        found[row["cube_id"]][row["name"]] = row["value"]
    return found


async def valid(work: UnitOfWork, *, cube_id: str, number: int, valid_at: datetime) -> RowMapping | None:
    """Of the line that ends in version `number`, the newest version that was so at `valid_at`."""
    return await work.first(_VALID, cube_id=cube_id, number=number, valid_at=valid_at)


async def conversation(work: UnitOfWork, conversation_id: str) -> RowMapping | None:
    return await work.first(_CONVERSATION, id=conversation_id)


async def numbers(work: UnitOfWork, ids: Sequence[str]) -> dict[str, int]:
    return {row["id"]: row["number"] for row in await work.all(_NUMBERS, ids=list(ids))}


async def clock(work: UnitOfWork) -> datetime:
    return cast(datetime, (await work.one(_CLOCK))["moment"])


async def under_way(work: UnitOfWork, as_of: datetime) -> RowMapping:
    """`past`: the moment is over. `under_way`: something that began by then has not ended."""
    return await work.one(_UNDER_WAY, as_of=as_of)
