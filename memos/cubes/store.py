"""SQL of memory cubes, their versions and their lineage. Versions and edges are only ever inserted."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from psycopg.types.json import Jsonb
from sqlalchemy import RowMapping, text

from memos.cubes.recipes.store import THINNED
from memos.kit.unit_of_work import UnitOfWork

_INSERT_CUBE = text("""
    INSERT INTO memcubes (tenant_id, id, kind, user_id, agent_id, conversation_id, lifecycle, head_version_id)
    VALUES (:tenant_id, :id, :kind, :user_id, :agent_id, :conversation_id, 'activated', :head_version_id)""")
# What may be changed on a cube's row besides its head, its lifecycle and its frozen flag.
ATTRIBUTES = frozenset({"priority", "tags", "sensitivity", "visibility", "semantic_type", "expires_at"})
_INSERT_FULL_CUBE = text("""
    INSERT INTO memcubes (tenant_id, id, kind, user_id, agent_id, lifecycle, head_version_id, origin, semantic_type,
      visibility, sensitivity, priority, tags, expires_at, model)
    VALUES (:tenant_id, :id, :kind, :user_id, :agent_id, 'generated', :head_version_id, :origin, :semantic_type,
      :visibility, :sensitivity, :priority, :tags, :expires_at, :model)""")
# A cube has one order of time: what is added to it, version or event, is later than all that it has. The time is the
# database's, taken in a statement that runs under the lock, and never goes back, though a clock may.
_MOMENT = """greatest(clock_timestamp(), {version} + interval '1 microsecond',
      (SELECT max(e.created_at) FROM cube_events e WHERE e.cube_id = {cube}) + interval '1 microsecond')"""
# The transaction is known to be one that writes before the clock is read: `as_of` waits for such (memos/timemachine).
_NOW = text("SELECT CAST(pg_current_xact_id() AS text) AS xid, clock_timestamp() AS moment")
_NEWEST = "(SELECT v.created_at FROM memcube_versions v WHERE v.cube_id = :cube_id ORDER BY v.number DESC LIMIT 1)"
_INSERT_EVENT = text(f"""
    INSERT INTO cube_events (tenant_id, id, cube_id, event, from_lifecycle, to_lifecycle, reason, details, created_by,
      created_at)
    VALUES (:tenant_id, :id, :cube_id, :event, :from_lifecycle, :to_lifecycle, :reason, :details, :created_by,
      {_MOMENT.format(version=_NEWEST, cube=":cube_id")})""")
_SET_LIFECYCLE = text("UPDATE memcubes SET lifecycle = :lifecycle WHERE id = :cube_id")
_SET_FROZEN = text("UPDATE memcubes SET frozen = :frozen WHERE id = :cube_id")
_SET_ATTRIBUTES = {name: text(f"UPDATE memcubes SET {name} = :value WHERE id = :cube_id") for name in ATTRIBUTES}
_INSERT_VERSION = text("""
    INSERT INTO memcube_versions (tenant_id, id, cube_id, number, operation, parent_id, parent_hash, hash, commitment,
      nonce, payload, blob_id, content, payload_sha256, size_bytes, fingerprint, metadata, written,
      conversation_id, epoch, turn_id, turn_seq, valid_from, valid_to, created_at, created_by)
    VALUES (:tenant_id, :id, :cube_id, :number, :operation, :parent_id, :parent_hash, :hash, :commitment,
      :nonce, :payload, :blob_id, :content, :payload_sha256, :size_bytes, :fingerprint, :metadata, :written,
      :conversation_id, :epoch, :turn_id, :turn_seq, :valid_from, :valid_to, :created_at, :created_by)""")
_INSERT_EDGE = text("""
    INSERT INTO lineage_edges (tenant_id, child_id, parent_id, relation)
    VALUES (:tenant_id, :child_id, :parent_id, :relation)""")
_INSERT_EDGES = text("""
    INSERT INTO lineage_edges (tenant_id, child_id, parent_id, relation)
    SELECT :tenant_id, e.child_id, e.parent_id, :relation
    FROM unnest(CAST(:children AS text[]), CAST(:parents AS text[])) AS e (child_id, parent_id)""")
_MOVE_HEAD = text("""
    UPDATE memcubes SET head_version_id = :version_id, head_number = :number, writes = writes + 1
    WHERE id = :cube_id AND head_version_id = :expected""")
_COUNT_READ = text("UPDATE memcubes SET reads = reads + 1, last_read_at = now() WHERE id = :cube_id")
# In one order everywhere, so that two answers which read the same memories do not wait for each other in a circle.
_COUNT_READS = text("""
    WITH held AS (SELECT id FROM memcubes WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE)
    UPDATE memcubes c SET reads = c.reads + 1, last_read_at = now() FROM held WHERE c.id = held.id""")
# The contextual fingerprint: where a cube has been of use (ids of conversations, agents or callers), how often and when
# last; the sixteen most recent of these places.
_NOTE_READ = text("""
    UPDATE memcubes SET reads = reads + 1, last_read_at = now(), context = context || jsonb_build_object('read_in', (
      SELECT jsonb_object_agg(place, use) FROM (
        SELECT place, use FROM jsonb_each(coalesce(context->'read_in', '{}') || jsonb_build_object(
          CAST(:place AS text), jsonb_build_object('last', now(), 'reads',
            coalesce(CAST(context #>> ARRAY['read_in', :place, 'reads'] AS bigint), 0) + 1))) AS uses (place, use)
        ORDER BY use->>'last' DESC LIMIT 16) kept))
    WHERE id = :cube_id""")
_INSERT_BLOB = text("INSERT INTO blobs (tenant_id, id, conversation_id) VALUES (:tenant_id, :id, :conversation_id)")
_CUBE = """c.id, c.kind, c.user_id, c.agent_id, c.conversation_id, c.lifecycle, c.frozen,
    c.head_number AS head_version, c.head_version_id, c.priority, c.tags, c.created_at, c.reads, c.writes,
    c.last_read_at, c.expires_at, c.sensitivity, c.visibility, c.origin, c.semantic_type, c.model, c.context"""
_VERSION = f"""v.id, v.cube_id, v.number, v.operation, v.parent_id, v.hash, v.parent_hash, v.commitment,
    v.payload_sha256, v.size_bytes, v.fingerprint, v.conversation_id, v.epoch, v.turn_id, v.turn_seq, v.metadata,
    v.valid_from, v.valid_to, v.created_at, v.created_by, v.payload, v.blob_id, v.content, {THINNED}"""
VERSION_COLUMNS = _VERSION  # of `memcube_versions v`
_GET_CUBE = text(f"SELECT {_CUBE} FROM memcubes c WHERE c.id = :id")
# Held is what an erasure holds, unless it is that one's own transaction.
_LOCK_CUBE = text(f"""
    SELECT {_CUBE}, c.erasing_by IS DISTINCT FROM nullif(current_setting('memos.erasing', true), '')
      AND c.erasing_by IS NOT NULL AS held
    FROM memcubes c WHERE c.id = :id FOR UPDATE""")
_LIST_CUBES = """
    SELECT {columns} FROM memcubes c
    WHERE {among} (CAST(:kind AS text) IS NULL OR c.kind = :kind)
      AND (CAST(:lifecycle AS text) IS NULL OR c.lifecycle = :lifecycle)
      AND (CAST(:user_id AS text) IS NULL OR c.user_id = :user_id)
      AND (CAST(:conversation_id AS text) IS NULL OR c.conversation_id = :conversation_id)
      AND (CAST(:before AS text) IS NULL OR c.id < :before)
    ORDER BY c.id DESC LIMIT :limit"""
_LIST_CUBES_ALL = text(_LIST_CUBES.format(columns=_CUBE, among=""))
# Of the few cubes that a person may see among many, rather than of all that the policies then take away.
_LIST_CUBES_SEEN = text(
    _LIST_CUBES.format(columns=_CUBE, among="c.id IN (SELECT s.id FROM memos_in_sight() AS s(id)) AND")
)
_GET_VERSION = text(
    f"SELECT {_VERSION}, v.written FROM memcube_versions v WHERE v.cube_id = :cube_id AND v.number = :number"
)
_LIST_VERSIONS = text(f"""
    SELECT {_VERSION} FROM memcube_versions v
    WHERE v.cube_id = :cube_id AND (CAST(:before AS integer) IS NULL OR v.number < :before)
    ORDER BY v.number DESC LIMIT :limit""")
# The head of a conversation's state, with what it takes to read it.
_HEAD = text(f"""
    SELECT {_VERSION}, c.frozen, {_MOMENT.format(version="v.created_at", cube="v.cube_id")} AS moment
    FROM memcubes c JOIN memcube_versions v ON v.id = c.head_version_id
    WHERE c.conversation_id = :conversation_id AND c.kind = 'activation'""")
# A state's own past: every version has at most one of these edges, so this is a line and not a graph. The LIMIT says so
# to the planner too: each step is one look into the index, also while the table has no statistics yet.
_LINE_CTE = """
    WITH RECURSIVE line AS (
      SELECT CAST(:version_id AS text) COLLATE "C" AS id, 0 AS steps
      UNION ALL
      SELECT e.parent_id, line.steps + 1 FROM line CROSS JOIN LATERAL (
        SELECT parent_id FROM lineage_edges WHERE child_id = line.id AND relation IN ('advances', 'restores', 'forks')
        LIMIT 1) e)"""
_LINE = text(f"""{_LINE_CTE}
    SELECT v.id, v.turn_id, v.turn_seq, v.operation, v.conversation_id,
      t.status IS NOT DISTINCT FROM 'erased' AS turn_erased
    FROM line JOIN memcube_versions v USING (id) LEFT JOIN turns t ON t.id = v.turn_id
    ORDER BY line.steps""")
# The newest version of the line that names a slot as written: nobody carries a map of slots from version to version.
_ORIGINS = text(f"""{_LINE_CTE}
    SELECT DISTINCT ON (w.layer, w.slot) w.layer, w.slot, w.gate, w.words, v.id AS version_id, v.number AS version,
      v.turn_id, v.turn_seq AS seq
    FROM line JOIN memcube_versions v USING (id)
    CROSS JOIN LATERAL jsonb_to_recordset(v.written) AS w(layer integer, slot integer, gate float8, words jsonb)
    JOIN unnest(CAST(:layers AS integer[]), CAST(:slots AS integer[])) AS wanted(layer, slot) USING (layer, slot)
    ORDER BY w.layer, w.slot, line.steps""")
_MIGRATED_FROM = text("""
    SELECT e.parent_id FROM memcube_versions v JOIN lineage_edges e ON e.child_id = v.id AND e.relation = 'converts'
    WHERE v.cube_id = :cube_id AND v.epoch = :epoch AND v.operation = 'migrate'""")
_VERSION_BY_ID = text(f"""
    SELECT {_VERSION}, {_MOMENT.format(version="v.created_at", cube="v.cube_id")} AS moment
    FROM memcube_versions v WHERE v.id = :id""")
# A turn that a rollback left behind still has its state; the newest is the one to fork from.
_LEFT_BEHIND = text(f"""
    SELECT {_VERSION} FROM memcube_versions v
    WHERE v.conversation_id = :conversation_id AND v.turn_seq = :seq AND v.operation = 'advance'
      AND v.payload <> 'erased'
    ORDER BY v.number DESC LIMIT 1""")
_LINEAGE = """
    WITH RECURSIVE reached (id, depth) AS (
      {seed}
      UNION
      SELECT {other}, r.depth + 1 FROM reached r JOIN lineage_edges e ON {mine} = r.id {onward} WHERE {further}
    )
    SELECT id, min(depth) AS depth FROM reached GROUP BY id ORDER BY min(depth), id LIMIT :limit"""
# Where a cube came from starts at its head; what came of it starts at any of its versions, all of which are there at
# once: only what leads out of the cube goes on, or a long history would be walked again at every depth. A step from
# version to version within a cube is called `revises` or `advances`; the rest has a small index of its own.
_LINEAGE_UP = text(
    _LINEAGE.format(
        seed="SELECT head_version_id, 0 FROM memcubes WHERE id = :cube_id",
        other="e.parent_id",
        mine="e.child_id",
        onward="",
        further="r.depth < :depth",
    )
)
_OUTSIDE = "JOIN memcube_versions o ON o.id = e.child_id AND o.cube_id <> :cube_id"
_LINEAGE_DOWN = text(
    _LINEAGE.format(
        seed=f"""(SELECT v.id, 0 FROM memcube_versions v WHERE v.cube_id = :cube_id
        UNION ALL
        SELECT e.child_id, 1 FROM memcube_versions v JOIN lineage_edges e ON e.parent_id = v.id {_OUTSIDE}
        WHERE v.cube_id = :cube_id AND e.relation NOT IN ('revises', 'advances'))""",
        other="e.child_id",
        mine="e.parent_id",
        onward=_OUTSIDE,
        further="r.depth > 0 AND r.depth < :depth",
    )
)
# Many versions are of few cubes: each cube is looked up once.
_NODES = text("""
    WITH found AS MATERIALIZED (
      SELECT v.id, v.cube_id, v.number, v.operation, v.conversation_id, v.turn_id, v.turn_seq, v.epoch, v.created_at
      FROM memcube_versions v WHERE v.id = ANY(:ids)
    ), kinds AS MATERIALIZED (
      SELECT c.id, c.kind FROM memcubes c WHERE c.id IN (SELECT DISTINCT f.cube_id FROM found f))
    SELECT f.id, f.cube_id, f.number, k.kind, f.operation, f.conversation_id, f.turn_id, f.turn_seq, f.epoch,
      f.created_at
    FROM found f JOIN kinds k ON k.id = f.cube_id ORDER BY f.id""")
_EVENTS = text("""
    SELECT id, cube_id, event, from_lifecycle, to_lifecycle, reason, details, created_at, created_by FROM cube_events
    WHERE cube_id = :cube_id AND (CAST(:before AS text) IS NULL OR id < :before) ORDER BY id DESC LIMIT :limit""")
_CREATED = text("""
    SELECT reason, details, created_by, created_at FROM cube_events WHERE cube_id = :cube_id AND event = 'create'
    ORDER BY id LIMIT 1""")
_STATE_OF = text("""
    SELECT id, lifecycle, frozen FROM memcubes WHERE conversation_id = :conversation_id AND kind = 'activation'""")
_JOB_OF = text("SELECT id FROM outbox WHERE task = :task AND subject = :subject ORDER BY id DESC LIMIT 1")
# What the versions of a cube were made from, and what was made from them, in other cubes: from the cube outward, also
# while the tables have no statistics yet.
_RELATIVES = text("""
    WITH mine AS MATERIALIZED (SELECT v.id FROM memcube_versions v WHERE v.cube_id = :cube_id),
    links AS MATERIALIZED (
      SELECT 'parent' AS side, e.relation, e.parent_id AS other FROM mine CROSS JOIN LATERAL (
        SELECT relation, parent_id FROM lineage_edges WHERE child_id = mine.id OFFSET 0) e
      UNION ALL
      SELECT 'child', e.relation, e.child_id FROM mine CROSS JOIN LATERAL (
        SELECT relation, child_id FROM lineage_edges WHERE parent_id = mine.id OFFSET 0) e)
    SELECT l.side, l.relation, o.cube_id, o.id AS version_id, o.number, c.kind
    FROM links l CROSS JOIN LATERAL (
      SELECT v.id, v.cube_id, v.number FROM memcube_versions v WHERE v.id = l.other OFFSET 0) o
    CROSS JOIN LATERAL (SELECT m.kind FROM memcubes m WHERE m.id = o.cube_id OFFSET 0) c
    WHERE o.cube_id <> :cube_id ORDER BY l.side, o.id, l.relation LIMIT :limit""")
_PARENTS = text(f"""
    SELECT {_VERSION}, e.relation, c.kind FROM lineage_edges e JOIN memcube_versions v ON v.id = e.parent_id
    JOIN memcubes c ON c.id = v.cube_id
    WHERE e.child_id = ANY(:child_ids) AND e.relation = ANY(:relations) ORDER BY v.id""")
_EDGES = text("""
    SELECT child_id AS child, parent_id AS parent, relation FROM lineage_edges
    WHERE child_id = ANY(:ids) AND parent_id = ANY(:ids) ORDER BY child_id, parent_id, relation""")


def insert_cube(work: UnitOfWork, **columns: Any) -> None:
    work.queue(_INSERT_CUBE, tenant_id=work.tenant_id, **columns)


def insert_full_cube(work: UnitOfWork, **columns: Any) -> None:
    """One that is no conversation's state."""
    work.queue(_INSERT_FULL_CUBE, tenant_id=work.tenant_id, **columns)


def insert_event(work: UnitOfWork, *, details: dict[str, Any], **columns: Any) -> None:
    work.queue(_INSERT_EVENT, tenant_id=work.tenant_id, details=Jsonb(details), **columns)


async def lock_cube(work: UnitOfWork, cube_id: str) -> RowMapping | None:
    return await work.first(_LOCK_CUBE, id=cube_id)


async def set_lifecycle(work: UnitOfWork, *, cube_id: str, lifecycle: str) -> None:
    await work.run(_SET_LIFECYCLE, cube_id=cube_id, lifecycle=lifecycle)


async def set_frozen(work: UnitOfWork, *, cube_id: str, frozen: bool) -> None:
    await work.run(_SET_FROZEN, cube_id=cube_id, frozen=frozen)


async def set_attributes(work: UnitOfWork, *, cube_id: str, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        await work.run(_SET_ATTRIBUTES[name], cube_id=cube_id, value=value)


def insert_version(work: UnitOfWork, columns: dict[str, Any]) -> None:
    written = None if columns["written"] is None else Jsonb(columns["written"])
    adapted = {"tenant_id": work.tenant_id, "metadata": Jsonb(columns["metadata"]), "written": written}
    work.queue(_INSERT_VERSION, **(columns | adapted))


def insert_edge(work: UnitOfWork, *, child_id: str, parent_id: str, relation: str) -> None:
    work.queue(_INSERT_EDGE, tenant_id=work.tenant_id, child_id=child_id, parent_id=parent_id, relation=relation)


def insert_edges(work: UnitOfWork, pairs: Sequence[tuple[str, str]], *, relation: str) -> None:
    """Many of one relation, each from a child to its parent."""
    if pairs:
        children, parents = [child for child, _ in pairs], [parent for _, parent in pairs]
        work.queue(_INSERT_EDGES, tenant_id=work.tenant_id, children=children, parents=parents, relation=relation)


def move_head(work: UnitOfWork, *, cube_id: str, version_id: str, number: int, expected: str) -> None:
    """Call it holding the head lock."""
    work.queue(_MOVE_HEAD, cube_id=cube_id, version_id=version_id, number=number, expected=expected)


def count_reads(work: UnitOfWork, cube_ids: Sequence[str]) -> None:
    if cube_ids:
        work.queue(_COUNT_READS, ids=list(cube_ids))


def count_read(work: UnitOfWork, cube_id: str) -> None:
    work.queue(_COUNT_READ, cube_id=cube_id)


def note_read(work: UnitOfWork, *, cube_id: str, place: str) -> None:
    """Counts a read, and where it was of use: the id of a conversation, an agent or a caller."""
    work.queue(_NOTE_READ, cube_id=cube_id, place=place)


def insert_blob(work: UnitOfWork, blob_id: str, conversation_id: str | None = None) -> None:
    """The row of an object that is to be written; of which conversation it will be a state, if of one."""
    work.queue(_INSERT_BLOB, tenant_id=work.tenant_id, id=blob_id, conversation_id=conversation_id)


async def get_cube(work: UnitOfWork, cube_id: str) -> RowMapping | None:
    return await work.first(_GET_CUBE, id=cube_id)


async def list_cubes(work: UnitOfWork, **filters: Any) -> Sequence[RowMapping]:
    seen = work.actor.kind == "person" and filters["user_id"] is None
    return await work.all(_LIST_CUBES_SEEN if seen else _LIST_CUBES_ALL, **filters)


async def get_version(work: UnitOfWork, cube_id: str, number: int) -> RowMapping | None:
    return await work.first(_GET_VERSION, cube_id=cube_id, number=number)


async def now(work: UnitOfWork) -> datetime:
    """The database's clock, for the first version of a cube that is just being made."""
    return cast(datetime, (await work.one(_NOW))["moment"])


async def version_by_id(work: UnitOfWork, version_id: str) -> RowMapping:
    """With `moment`: when a version that follows it is made, if its cube is locked."""
    return await work.one(_VERSION_BY_ID, id=version_id)


async def first_version(work: UnitOfWork, cube_id: str) -> RowMapping:
    return await work.one(_GET_VERSION, cube_id=cube_id, number=0)


async def list_versions(work: UnitOfWork, *, cube_id: str, before: int | None, limit: int) -> Sequence[RowMapping]:
    return await work.all(_LIST_VERSIONS, cube_id=cube_id, before=before, limit=limit)


async def head(work: UnitOfWork, conversation_id: str) -> RowMapping:
    """With `moment`: when a version that follows it is made, if the conversation is locked."""
    return await work.one(_HEAD, conversation_id=conversation_id)


async def line(work: UnitOfWork, version_id: str) -> Sequence[RowMapping]:
    """The versions a state came through, newest first, across rollbacks and forks."""
    return await work.all(_LINE, version_id=version_id)


async def slot_origins(
    work: UnitOfWork, version_id: str, slots: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], RowMapping]:
    """For each of the (layer, slot) pairs that a version of the line wrote: the newest one that did, and from what."""
    rows = await work.all(
        _ORIGINS, version_id=version_id, layers=[layer for layer, _ in slots], slots=[slot for _, slot in slots]
    )
    return {(row["layer"], row["slot"]): row for row in rows}


async def migrated_from(work: UnitOfWork, *, cube_id: str, epoch: int) -> str:
    """The version whose line the migration that began this epoch rebuilds."""
    return str((await work.one(_MIGRATED_FROM, cube_id=cube_id, epoch=epoch))["parent_id"])


async def left_behind(work: UnitOfWork, *, conversation_id: str, seq: int) -> RowMapping | None:
    return await work.first(_LEFT_BEHIND, conversation_id=conversation_id, seq=seq)


async def reached(work: UnitOfWork, *, cube_id: str, up: bool, depth: int, limit: int) -> dict[str, int]:
    """Versions within `depth` edges of a cube, nearest first, each with its distance."""
    rows = await work.all(_LINEAGE_UP if up else _LINEAGE_DOWN, cube_id=cube_id, depth=depth, limit=limit)
    return {row["id"]: row["depth"] for row in rows}


async def events(work: UnitOfWork, *, cube_id: str, before: str | None, limit: int) -> Sequence[RowMapping]:
    return await work.all(_EVENTS, cube_id=cube_id, before=before, limit=limit)


async def created(work: UnitOfWork, cube_id: str) -> RowMapping | None:
    """How the cube came to be; None for one that is older than its events."""
    return await work.first(_CREATED, cube_id=cube_id)


async def state_of(work: UnitOfWork, conversation_id: str) -> RowMapping:
    return await work.one(_STATE_OF, conversation_id=conversation_id)


async def job_of(work: UnitOfWork, *, task: str, subject: str) -> str:
    """The newest job of a subject."""
    return str((await work.one(_JOB_OF, task=task, subject=subject))["id"])


async def relatives(work: UnitOfWork, *, cube_id: str, limit: int) -> Sequence[RowMapping]:
    """Versions of other cubes that are one edge away."""
    return await work.all(_RELATIVES, cube_id=cube_id, limit=limit)


async def parents(work: UnitOfWork, child_ids: Sequence[str], relations: Sequence[str]) -> Sequence[RowMapping]:
    """The versions that these came from by one of these relations, oldest first."""
    return await work.all(_PARENTS, child_ids=list(child_ids), relations=list(relations))


async def nodes(work: UnitOfWork, ids: list[str]) -> Sequence[RowMapping]:
    return await work.all(_NODES, ids=ids)


async def edges(work: UnitOfWork, ids: list[str]) -> Sequence[RowMapping]:
    return await work.all(_EDGES, ids=ids)
