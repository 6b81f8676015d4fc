"""SQL of memories: what changed since an index last looked, what says the same already, lists and histories."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, text

from memos.kit.ids import new_id
from memos.kit.unit_of_work import UnitOfWork

# What an index holds: what lives, and what was put away because something that lives replaces it. What an erasure holds
# is not there any more.
#
# Whatever goes along with a cube is looked up cube by cube, and `OFFSET 0` keeps it so: the tables of a young service
# have no statistics yet, and a planner that knows nothing may join all of a tenant's rows with all of them.
_SUPERSEDED = """EXISTS (
      SELECT FROM (SELECT v.id FROM memcube_versions v WHERE v.cube_id = c.id OFFSET 0) o
      CROSS JOIN LATERAL (
        SELECT e.child_id FROM lineage_edges e WHERE e.parent_id = o.id AND e.relation = 'supersedes' OFFSET 0) e
      CROSS JOIN LATERAL (SELECT v.cube_id FROM memcube_versions v WHERE v.id = e.child_id OFFSET 0) n
      CROSS JOIN LATERAL (SELECT m.lifecycle FROM memcubes m WHERE m.id = n.cube_id OFFSET 0) m
      WHERE n.cube_id <> c.id AND m.lifecycle = 'activated')"""
_ITEM = f"""c.id AS cube_id, c.head_version_id AS version_id, c.head_number AS version, c.lifecycle,
      c.erasing_by IS NOT NULL AS held, c.recall_revision, c.user_id, c.agent_id, c.semantic_type, c.tags, c.visibility,
      c.sensitivity, c.expires_at, c.created_at AS begun_at, v.content, v.metadata, v.valid_from, v.valid_to,
      v.created_at, {_SUPERSEDED} AS superseded, t.conversation_id"""
_TURN = "LEFT JOIN LATERAL (SELECT t.conversation_id FROM turns t WHERE t.id = c.turn_id OFFSET 0) t ON true"
_FROM = f"""memcubes c
    CROSS JOIN LATERAL (SELECT v.* FROM memcube_versions v WHERE v.id = c.head_version_id OFFSET 0) v {_TURN}"""
_VECTOR = """LEFT JOIN LATERAL (
      SELECT e.vector FROM embeddings e WHERE e.version_id = v.id AND e.model = {model} OFFSET 0) e ON true"""
_OF_VECTORS = f"""embeddings e
    CROSS JOIN LATERAL (SELECT v.* FROM memcube_versions v WHERE v.id = e.version_id OFFSET 0) v
    CROSS JOIN LATERAL (SELECT m.* FROM memcubes m WHERE m.id = v.cube_id OFFSET 0) c {_TURN}"""
# In the order in which they changed, some at a time: what changes meanwhile comes last.
_CHANGED_CUBES = text(f"""
    SELECT {_ITEM}, e.vector FROM {_FROM}
    {_VECTOR.format(model=":model")}
    WHERE c.scope_id = :scope_id AND (c.recall_revision, c.id) > (:revision, CAST(:after AS text) COLLATE "C")
    ORDER BY c.recall_revision, c.id LIMIT :limit""")
# Of what others own, what somebody may read: granted, or its owner lets the whole tenant read it.
_OWNED = """(CAST(:user_id AS text) IS NOT NULL AND c.user_id = :user_id
        AND (c.agent_id IS NULL OR CAST(:agent_id AS text) IS NULL OR c.agent_id = :agent_id))
      OR (CAST(:user_id AS text) IS NULL AND c.user_id IS NULL AND c.agent_id = :agent_id)"""
_LENT = f"""
    SELECT c.id, c.recall_revision FROM memcubes c
    WHERE c.tenant_id = :tenant_id AND c.kind = 'plaintext' AND c.visibility = 'tenant' AND c.lifecycle = 'activated'
      AND (c.user_id IS NOT NULL OR c.agent_id IS NOT NULL) AND c.sensitivity <> 'secret' AND ({_OWNED}) IS NOT TRUE
    UNION
    SELECT c.id, c.recall_revision FROM cube_grants g JOIN memcubes c ON c.id = g.cube_id
    WHERE g.tenant_id = :tenant_id AND g.revoked_at IS NULL AND c.kind = 'plaintext' AND c.visibility = 'shared'
      AND c.lifecycle = 'activated' AND c.sensitivity <> 'secret' AND ({_OWNED}) IS NOT TRUE
      AND ((g.grantee_kind = 'user' AND g.grantee = :user_id) OR (g.grantee_kind = 'agent' AND g.grantee = :agent_id)
        OR (g.grantee_kind = 'role' AND g.grantee = ANY(:roles)))
    ORDER BY 1 LIMIT :most_lent"""
# The scope of a user, of an agent alone, or of neither: one index probe each.
_OF_OWNER = " UNION ALL ".join(
    f"""
      SELECT s.id, s.user_id, s.agent_id, s.revision, s.embedder FROM recall_scopes s
      WHERE {owned} AND s.erased_by IS NULL"""
    for owned in (
        "w.user_id IS NOT NULL AND s.user_id = w.user_id AND s.agent_id IS NULL",
        "w.user_id IS NULL AND w.agent_id IS NOT NULL AND s.user_id IS NULL AND s.agent_id = w.agent_id",
        "w.user_id IS NULL AND w.agent_id IS NULL AND s.user_id IS NULL AND s.agent_id IS NULL",
    )
)
# All that a search has to ask when it begins: of each owner the scope as it is, what of it changed since it was last
# looked at, and what others lend.
_LOOK = text(f"""
    SELECT w.place, s.id AS scope_id, s.revision, s.embedder, l.lent, x.*
    FROM unnest(CAST(:users AS text[]), CAST(:agents AS text[]), CAST(:known AS bigint[]))
      WITH ORDINALITY AS w (user_id, agent_id, known, place)
    LEFT JOIN LATERAL ({_OF_OWNER}) s ON true
    LEFT JOIN LATERAL (
      (SELECT {_ITEM}, e.vector FROM {_FROM} {_VECTOR.format(model="s.embedder")}
       WHERE c.scope_id = s.id AND c.recall_revision > w.known ORDER BY c.recall_revision, c.id LIMIT :limit)
      UNION ALL
      (SELECT {_ITEM}, e.vector FROM {_OF_VECTORS}
       WHERE c.head_version_id = v.id AND e.scope_id = s.id AND e.revision > w.known AND e.model = s.embedder
         AND c.recall_revision <= w.known
       LIMIT :limit)) x ON true
    CROSS JOIN (SELECT coalesce((
      SELECT jsonb_agg(jsonb_build_array(o.id, o.recall_revision)) FROM ({_LENT}) o), '[]') AS lent) l
    ORDER BY w.place""")
_REVISION = text("SELECT s.revision FROM recall_scopes s WHERE s.id = :scope_id")
_DIMENSIONS = text("""
    SELECT e.dimensions FROM embeddings e WHERE e.scope_id = :scope_id AND e.model = :model LIMIT 1""")
# Vectors that came later than their memories.
_LATE_VECTORS = text(f"""
    SELECT {_ITEM}, e.vector FROM {_OF_VECTORS}
    WHERE c.head_version_id = v.id AND e.scope_id = :scope_id AND e.revision > :revision AND e.model = :model
      AND c.recall_revision <= :revision""")
_ITEMS = text(f"""
    SELECT {_ITEM}, e.vector FROM {_FROM} {_VECTOR.format(model=":model")}
    WHERE c.id = ANY(:ids)""")
_VECTORS = text("SELECT version_id, vector FROM embeddings WHERE version_id = ANY(:ids) AND model = :model")
_SUPERSEDED_THEN = text("""
    SELECT DISTINCT o.cube_id FROM unnest(CAST(:ids AS text[])) AS w (id)
    CROSS JOIN LATERAL (SELECT v.id, v.cube_id FROM memcube_versions v WHERE v.cube_id = w.id OFFSET 0) o
    CROSS JOIN LATERAL (
      SELECT e.child_id FROM lineage_edges e WHERE e.parent_id = o.id AND e.relation = 'supersedes' OFFSET 0) e
    CROSS JOIN LATERAL (SELECT v.cube_id, v.created_at FROM memcube_versions v WHERE v.id = e.child_id OFFSET 0) n
    WHERE n.cube_id <> o.cube_id AND n.created_at <= :as_of""")
_CONVERSATIONS_OF = text("""
    SELECT c.id, t.conversation_id FROM memcubes c JOIN turns t ON t.id = c.turn_id WHERE c.id = ANY(:ids)""")
_SCOPES = text(f"""
    SELECT w.place, s.* FROM unnest(CAST(:users AS text[]), CAST(:agents AS text[]))
      WITH ORDINALITY AS w (user_id, agent_id, place) CROSS JOIN LATERAL ({_OF_OWNER}) s ORDER BY w.place""")
_SEEN = text("SELECT c.id FROM memcubes c WHERE c.id = ANY(:ids)")

_HELD = text(f"""
    SELECT w.place, c.id, c.head_number, v.content, e.vector
    FROM unnest(CAST(:users AS text[]), CAST(:agents AS text[]), CAST(:keys AS bytea[]))
      WITH ORDINALITY AS w (user_id, agent_id, key, place)
    CROSS JOIN LATERAL ({_OF_OWNER}) s
    JOIN memcubes c ON c.scope_id = s.id AND c.dedup_key = w.key AND c.lifecycle IN ('generated', 'activated')
    CROSS JOIN LATERAL (SELECT v.* FROM memcube_versions v WHERE v.id = c.head_version_id OFFSET 0) v
    {_VECTOR.format(model="CAST(:model AS text)")}""")
_REPEATED = text("""
    UPDATE memcubes c SET repeats = c.repeats + w.times
    FROM (SELECT id, count(*) AS times FROM unnest(CAST(:ids AS text[])) AS u (id) GROUP BY id ORDER BY id) w
    WHERE c.id = w.id""")
_SET_KEY = text("UPDATE memcubes SET dedup_key = :key WHERE id = :id")
_SET_EMBEDDER = text("UPDATE recall_scopes SET embedder = :model WHERE id = ANY(:ids) AND embedder IS NULL")
_ADD_VECTOR = text("""
    INSERT INTO embeddings (tenant_id, version_id, model, dimensions, vector, scope_id, revision)
    VALUES (:tenant_id, :version_id, :model, :dimensions, :vector, :scope_id, 0)
    ON CONFLICT (version_id, model) DO NOTHING""")
_COUNT_READS = text("""
    UPDATE memcubes c SET reads = c.reads + w.times, last_read_at = now()
    FROM (SELECT id, times FROM unnest(CAST(:ids AS text[]), CAST(:times AS integer[])) AS u (id, times) ORDER BY id) w
    WHERE c.id = w.id""")

_MEMORY = f"""c.id, c.kind, c.head_number AS version, c.head_version_id, c.user_id, c.agent_id, c.semantic_type, c.tags,
    c.visibility, c.sensitivity, c.priority, c.lifecycle, c.frozen, c.repeats, c.reads, c.last_read_at, c.expires_at,
    c.created_at, c.scope_id, v.content AS text, v.metadata, v.valid_from, v.valid_to, v.created_at AS updated_at,
    {_SUPERSEDED} AS superseded, t.conversation_id"""
_GET = text(f"SELECT {_MEMORY} FROM {_FROM} WHERE c.id = :id AND c.kind = 'plaintext' AND c.lifecycle <> 'erased'")
_LIST = """
    SELECT {columns} FROM {tables}
    WHERE {among} c.kind = 'plaintext' AND c.lifecycle <> 'erased'
      AND (CAST(:lifecycle AS text) IS NULL OR c.lifecycle = :lifecycle)
      AND (CAST(:user_id AS text) IS NULL OR c.user_id = :user_id)
      AND (CAST(:agent_id AS text) IS NULL OR c.agent_id = :agent_id)
      AND (CAST(:semantic_type AS text) IS NULL OR c.semantic_type = :semantic_type)
      AND (CAST(:tag AS text) IS NULL OR :tag = ANY(c.tags))
      AND (CAST(:thread AS text) IS NULL OR v.metadata ->> 'thread' = :thread)
      AND (CAST(:speaker AS text) IS NULL OR v.metadata ->> 'speaker' = :speaker)
      AND (CAST(:before AS text) IS NULL OR c.id < :before)
    ORDER BY c.id DESC LIMIT :limit"""
_LIST_ALL = text(_LIST.format(columns=_MEMORY, tables=_FROM, among=""))
_LIST_SEEN = text(
    _LIST.format(columns=_MEMORY, tables=_FROM, among="c.id IN (SELECT s.id FROM memos_in_sight() AS s(id)) AND")
)
_FOR_VECTOR = text("""
    SELECT c.user_id, c.agent_id, c.semantic_type, c.visibility, c.sensitivity, c.lifecycle, c.scope_id,
      c.head_version_id, v.content, v.metadata, v.valid_from, s.embedder, s.next_embedder
    FROM memcubes c JOIN memcube_versions v ON v.id = c.head_version_id JOIN recall_scopes s ON s.id = c.scope_id
    WHERE c.id = :id""")
_VERSIONS = text("""
    SELECT v.number AS version, v.operation, v.content AS text, v.metadata, v.valid_from, v.valid_to, v.created_at,
      v.created_by FROM memcube_versions v
    WHERE v.cube_id = :cube_id AND (CAST(:before AS integer) IS NULL OR v.number < :before)
    ORDER BY v.number DESC LIMIT :limit""")

# Of the scope in which the episodes of a turn are.
_EMBED_LATER = text("""
    INSERT INTO outbox (tenant_id, id, task, subject)
    SELECT :tenant_id, :id, :task, c.scope_id FROM memcubes c WHERE c.turn_id = :turn_id LIMIT 1""")
_INSERT_BATCH = text("""
    INSERT INTO memory_batches (tenant_id, id, cube_ids, scope_ids, duplicates, created_by)
    VALUES (:tenant_id, :id, :cube_ids, :scope_ids, :duplicates, :created_by)""")
_BATCH = text("""
    SELECT b.id, cardinality(b.cube_ids) AS total, b.duplicates, b.created_at, j.status AS job, j.error, (
        SELECT count(*) FROM unnest(b.cube_ids) AS w (id) JOIN memcubes c ON c.id = w.id
        WHERE c.lifecycle = 'erased' OR EXISTS (
          SELECT FROM embeddings e JOIN recall_scopes s ON s.id = e.scope_id AND e.model = s.embedder
          WHERE e.version_id = c.head_version_id)) AS done
    FROM memory_batches b LEFT JOIN LATERAL (
      SELECT o.status, o.error FROM outbox o
      WHERE o.subject = ANY(b.scope_ids) AND o.task = :task AND o.status <> 'done'
      ORDER BY o.status = 'failed' DESC, o.status = 'running' DESC LIMIT 1) j ON true
    WHERE b.id = :id""")

Rows = Sequence[RowMapping]


async def look(
    work: UnitOfWork,
    wanted: Sequence[tuple[str | None, str | None, int]],
    *,
    user_id: str | None,
    agent_id: str | None,
    roles: Sequence[str],
    limit: int,
    most_lent: int,
) -> Rows:
    """For each (user, agent, revision known) in `wanted`, by its place from 1 on: the scope and up to twice `limit`
    rows that changed since; in each row also what is lent to (user, agent, roles)."""
    return await work.all(
        _LOOK,
        tenant_id=work.tenant_id,
        users=[user for user, _, _ in wanted],
        agents=[agent for _, agent, _ in wanted],
        known=[known for _, _, known in wanted],
        user_id=user_id,
        agent_id=agent_id,
        roles=list(roles),
        limit=limit,
        most_lent=most_lent,
    )


async def changed_cubes(work: UnitOfWork, *, scope_id: str, model: str, revision: int, after: str, limit: int) -> Rows:
    """Changed after `revision`, or at it and beyond the cube `after`; each with its revision."""
    return await work.all(_CHANGED_CUBES, scope_id=scope_id, model=model, revision=revision, after=after, limit=limit)


async def revision(work: UnitOfWork, scope_id: str) -> int:
    return int((await work.one(_REVISION, scope_id=scope_id))["revision"])


async def dimensions(work: UnitOfWork, scope_id: str, model: str) -> int | None:
    """Of the vectors by this model; None: there are none."""
    row = await work.first(_DIMENSIONS, scope_id=scope_id, model=model)
    return None if row is None else int(row["dimensions"])


async def late_vectors(work: UnitOfWork, *, scope_id: str, model: str, revision: int) -> Rows:
    """Of memories that did not change since `revision`, those whose vectors came after it."""
    return await work.all(_LATE_VECTORS, scope_id=scope_id, model=model, revision=revision)


async def items(work: UnitOfWork, ids: Sequence[str], model: str) -> Rows:
    return await work.all(_ITEMS, ids=list(ids), model=model)


async def vectors(work: UnitOfWork, version_ids: Sequence[str], model: str) -> dict[str, bytes]:
    rows = await work.all(_VECTORS, ids=list(version_ids), model=model)
    return {row["version_id"]: row["vector"] for row in rows}


async def superseded_then(work: UnitOfWork, ids: Sequence[str], as_of: datetime) -> set[str]:
    return {row["cube_id"] for row in await work.all(_SUPERSEDED_THEN, ids=list(ids), as_of=as_of)}


async def conversations_of(work: UnitOfWork, ids: Sequence[str]) -> dict[str, str]:
    """Of episodes, by cube."""
    return {row["id"]: row["conversation_id"] for row in await work.all(_CONVERSATIONS_OF, ids=list(ids))}


async def scopes(work: UnitOfWork, owners: Sequence[tuple[str | None, str | None]]) -> Rows:
    """Of each (user, agent) that has one, by its place from 1 on."""
    return await work.all(_SCOPES, users=[user for user, _ in owners], agents=[agent for _, agent in owners])


async def seen(work: UnitOfWork, ids: Sequence[str]) -> set[str]:
    """Which of these the actor of this unit may read."""
    return {row["id"] for row in await work.all(_SEEN, ids=list(ids))}


async def held(
    work: UnitOfWork,
    wanted: Sequence[tuple[str | None, str | None, bytes]],
    model: str | None,
) -> dict[int, RowMapping]:
    """Living memories by the place of (user, agent, key) in `wanted`."""
    rows = await work.all(
        _HELD,
        users=[user for user, _, _ in wanted],
        agents=[agent for _, agent, _ in wanted],
        keys=[key for _, _, key in wanted],
        model=model,
    )
    return {row["place"] - 1: row for row in rows}


async def count_repeats(work: UnitOfWork, ids: Sequence[str]) -> None:
    await work.run(_REPEATED, ids=list(ids))


async def set_key(work: UnitOfWork, cube_id: str, key: bytes | None) -> None:
    """After a change that took its key away. One that a living memory has already is not given again."""
    await work.run(_SET_KEY, id=cube_id, key=key)


async def set_embedder(work: UnitOfWork, scope_ids: Sequence[str], model: str) -> None:
    """Of scopes that have none yet."""
    await work.run(_SET_EMBEDDER, ids=list(scope_ids), model=model)


async def add_vector(
    work: UnitOfWork, *, version_id: str, scope_id: str, model: str, dimensions: int, vector: bytes
) -> None:
    await work.run(
        _ADD_VECTOR,
        tenant_id=work.tenant_id,
        version_id=version_id,
        scope_id=scope_id,
        model=model,
        dimensions=dimensions,
        vector=vector,
    )


async def count_reads(work: UnitOfWork, reads: dict[str, int]) -> None:
    await work.run(_COUNT_READS, ids=list(reads), times=list(reads.values()))


async def get(work: UnitOfWork, cube_id: str) -> RowMapping | None:
    return await work.first(_GET, id=cube_id)


async def for_vector(work: UnitOfWork, cube_id: str) -> RowMapping:
    """What its key and its vector are made of."""
    return await work.one(_FOR_VECTOR, id=cube_id)


async def listing(work: UnitOfWork, **filters: Any) -> Rows:
    among_few = work.actor.kind == "person" and filters["user_id"] is None
    return await work.all(_LIST_SEEN if among_few else _LIST_ALL, **filters)


async def versions(work: UnitOfWork, *, cube_id: str, before: int | None, limit: int) -> Rows:
    return await work.all(_VERSIONS, cube_id=cube_id, before=before, limit=limit)


def queue_embedding(work: UnitOfWork, *, turn_id: str, task: str) -> None:
    """A job for the scope of a turn's episodes."""
    work.queue(_EMBED_LATER, tenant_id=work.tenant_id, id=new_id("job"), task=task, turn_id=turn_id)


def insert_batch(
    work: UnitOfWork, *, id: str, cube_ids: Sequence[str], scope_ids: Sequence[str], duplicates: int, by: str
) -> None:
    work.queue(
        _INSERT_BATCH,
        tenant_id=work.tenant_id,
        id=id,
        cube_ids=list(cube_ids),
        scope_ids=list(scope_ids),
        duplicates=duplicates,
        created_by=by,
    )


async def batch(work: UnitOfWork, batch_id: str, task: str) -> RowMapping | None:
    """With how many of its memories have their vectors, and how the job stands that makes them."""
    return await work.first(_BATCH, id=batch_id, task=task)
