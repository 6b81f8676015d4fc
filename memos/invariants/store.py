"""SQL of the invariants: what each asks, how their runs are recorded, and what the collector removes."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, text

from memos.kit.unit_of_work import UnitOfWork

# Every column that refers to a blob: one that is missing here would be collected under its holder's feet, if the
# foreign key did not refuse. A test compares this with the schema.
REFERENCES = (("memcube_versions", "blob_id"),)
_UNREFERENCED = " AND ".join(
    f"NOT EXISTS (SELECT FROM {table} r WHERE r.{column} = b.id)" for table, column in REFERENCES
)

_UNCHECKED = text("""
    SELECT m.id AS cube_id, coalesce(k.number, -1) AS number, k.hash
    FROM memcubes m LEFT JOIN chain_marks k ON k.cube_id = m.id
    WHERE m.id > :after AND coalesce(k.number, -1) < m.head_number ORDER BY m.id LIMIT :limit""")
_STALEST = text("SELECT cube_id FROM chain_marks ORDER BY checked_at, cube_id LIMIT :limit")
# The next versions of some cubes, each cube's beyond a number of its own.
_VERSIONS = text("""
    SELECT v.id, v.cube_id, v.number, v.operation, v.parent_hash, v.hash, v.commitment, v.nonce, v.payload_sha256,
      v.content, v.written, v.fingerprint, v.conversation_id, v.epoch, v.turn_id, v.created_at, v.created_by,
      v.valid_from, v.valid_to
    FROM unnest(CAST(:ids AS text[]), CAST(:numbers AS integer[])) AS w(cube_id, number)
    CROSS JOIN LATERAL (
      SELECT * FROM memcube_versions v WHERE v.cube_id = w.cube_id AND v.number > w.number
      ORDER BY v.number LIMIT :limit) v
    ORDER BY v.cube_id, v.number LIMIT :limit""")
_CUBES = text("SELECT id FROM memcubes WHERE id > :after ORDER BY id LIMIT :limit")
_MARK = text("""
    INSERT INTO chain_marks (tenant_id, cube_id, number, hash)
    SELECT :tenant_id, * FROM unnest(CAST(:ids AS text[]), CAST(:numbers AS integer[]), CAST(:hashes AS text[]))
    ON CONFLICT (cube_id) DO UPDATE SET number = EXCLUDED.number, hash = EXCLUDED.hash, checked_at = now()""")
# A part of the cubes, in order of id; the last of it.
_PART = text("""
    SELECT count(*) AS count, max(id) AS last
    FROM (SELECT id FROM memcubes WHERE id > :after ORDER BY id LIMIT :limit) part""")
_OF_PART = "((m.id > :after AND m.id <= :last) OR m.id = ANY(:also))"
_HEADS = text(f"""
    SELECT m.id, m.head_number, (SELECT max(v.number) FROM memcube_versions v WHERE v.cube_id = m.id) AS newest
    FROM memcubes m
    WHERE {_OF_PART} AND (
      NOT EXISTS (SELECT FROM memcube_versions v WHERE v.id = m.head_version_id AND v.cube_id = m.id
                    AND v.number = m.head_number)
      OR EXISTS (SELECT FROM memcube_versions v WHERE v.cube_id = m.id AND v.number > m.head_number))
    ORDER BY m.id LIMIT :limit""")
# A cube is written once for each version after its first. A state is read for each version it advanced to, a text at
# least for each answer that names it.
_COUNTERS = text(f"""
    SELECT m.id, m.writes, m.head_number, m.reads, d.reads AS derived, m.last_read_at FROM memcubes m
    CROSS JOIN LATERAL (
      SELECT CASE WHEN m.kind = 'activation'
        THEN (SELECT count(*) FROM memcube_versions v WHERE v.cube_id = m.id AND v.operation = 'advance')
        ELSE (SELECT count(*) FROM turn_reads r JOIN memcube_versions v ON v.id = r.version_id WHERE v.cube_id = m.id)
      END AS reads) d
    WHERE {_OF_PART}
      AND (m.writes <> m.head_number OR m.reads < d.reads OR (m.reads > 0) <> (m.last_read_at IS NOT NULL))
    ORDER BY m.id LIMIT :limit""")
_LIVES = text(f"""
    SELECT m.id, m.lifecycle, m.frozen, life.to_lifecycle, coalesce(ice.event = 'freeze', false) AS froze
    FROM memcubes m
    LEFT JOIN LATERAL (
      SELECT e.to_lifecycle FROM cube_events e WHERE e.cube_id = m.id AND e.to_lifecycle IS NOT NULL
      ORDER BY e.created_at DESC, e.id DESC LIMIT 1) life ON true
    LEFT JOIN LATERAL (
      SELECT e.event FROM cube_events e WHERE e.cube_id = m.id AND e.event IN ('freeze', 'unfreeze')
      ORDER BY e.created_at DESC, e.id DESC LIMIT 1) ice ON true
    WHERE {_OF_PART} AND (m.lifecycle <> coalesce(life.to_lifecycle, 'activated')
      OR m.frozen <> coalesce(ice.event = 'freeze', false))
    ORDER BY m.id LIMIT :limit""")
# A memory that an index would never hear of, that is somebody else's, or whose vectors are not as its scope wants them.
_RECALL = text(f"""
    SELECT * FROM (
      SELECT m.id, m.scope_id, m.recall_revision, s.revision,
        m.lifecycle <> 'erased' AND (s.id IS NULL OR s.erased_by IS NOT NULL
          OR s.user_id IS DISTINCT FROM m.user_id
          OR s.agent_id IS DISTINCT FROM CASE WHEN m.user_id IS NULL THEN m.agent_id END) AS out_of_scope,
        m.recall_revision IS NULL OR m.recall_revision > s.revision OR EXISTS (
          SELECT FROM memcube_versions v JOIN embeddings e ON e.version_id = v.id
          WHERE v.cube_id = m.id AND (e.scope_id <> m.scope_id OR e.revision > s.revision)) AS ahead,
        EXISTS (SELECT FROM memcube_versions v JOIN embeddings e ON e.version_id = v.id
                WHERE v.cube_id = m.id AND v.payload = 'erased')
          OR (m.lifecycle <> 'erased' AND EXISTS (
            SELECT FROM turns t WHERE t.id = m.turn_id AND t.status = 'erased')) AS of_erased,
        m.lifecycle IN ('generated', 'activated') AND s.embedder IS NOT NULL AND NOT EXISTS (
          SELECT FROM embeddings e WHERE e.version_id = m.head_version_id AND e.model = s.embedder)
          AND EXISTS (SELECT FROM memcube_versions v WHERE v.id = m.head_version_id AND v.payload = 'text'
                        AND v.created_at < now() - make_interval(secs => :late_s)) AS late
      FROM memcubes m LEFT JOIN recall_scopes s ON s.id = m.scope_id
      WHERE {_OF_PART} AND m.kind = 'plaintext') looked
    WHERE out_of_scope OR ahead OR of_erased OR late ORDER BY id LIMIT :limit""")
_OLD_JOBS = text("""
    SELECT id, task, status, error ->> 'code' AS error, extract(epoch FROM now() - created_at)::bigint AS age_s
    FROM outbox
    WHERE (status = 'queued' AND created_at < now() - make_interval(secs => :queued_s))
      OR (status = 'running' AND lease_expires_at < now() - make_interval(secs => :lapsed_s))
    ORDER BY created_at LIMIT :limit""")
_ORPHANS = text(f"""
    SELECT b.id FROM blobs b WHERE b.created_at < now() - make_interval(secs => :grace_s) AND {_UNREFERENCED}
    ORDER BY b.created_at LIMIT :limit""")
_KNOWN = text("SELECT id FROM blobs WHERE id = ANY(:ids) UNION SELECT id FROM blob_deletions WHERE id = ANY(:ids)")
_REFERENCED = text("""
    SELECT b.id, v.size_bytes, v.id AS version_id FROM blobs b CROSS JOIN LATERAL (
      SELECT v.id, v.size_bytes FROM memcube_versions v WHERE v.blob_id = b.id ORDER BY v.id LIMIT 1) v
    WHERE (b.id > :after OR b.id = ANY(:also)) AND b.thinned_at IS NULL
    ORDER BY b.id = ANY(:also) DESC, b.id LIMIT :limit""")
_LOST_RECIPES = text("""
    SELECT v.id FROM blobs b JOIN memcube_versions v ON v.blob_id = b.id LEFT JOIN turns t ON t.id = v.turn_id
    WHERE b.thinned_at IS NOT NULL AND (t.id IS NULL OR t.status = 'erased' OR t.output IS NULL OR NOT EXISTS (
      SELECT FROM lineage_edges e JOIN memcube_versions p ON p.id = e.parent_id
      WHERE e.child_id = v.id AND e.relation = 'advances' AND p.payload_sha256 IS NOT NULL))
    ORDER BY v.id LIMIT :limit""")
_COLLECT = text(f"""
    WITH gone AS (
      DELETE FROM blobs WHERE id IN (
        SELECT b.id FROM blobs b WHERE b.created_at < now() - make_interval(secs => :grace_s) AND {_UNREFERENCED}
        ORDER BY b.created_at LIMIT :limit)
      RETURNING tenant_id, id)
    INSERT INTO blob_deletions (tenant_id, id) SELECT tenant_id, id FROM gone""")
_TO_REMOVE = text("SELECT id FROM blob_deletions ORDER BY id LIMIT :limit")
_REMOVED = text("DELETE FROM blob_deletions WHERE id = ANY(:ids)")
_RAN = text("""
    INSERT INTO invariant_runs AS r (tenant_id, name, ran_at, took_ms, error, place)
    VALUES (:tenant_id, :name, now(), :took_ms, :error, :place)
    ON CONFLICT (tenant_id, name) DO UPDATE
      SET ran_at = now(), took_ms = EXCLUDED.took_ms, error = EXCLUDED.error, place = coalesce(EXCLUDED.place, r.place)
    """)
_FOUND = text("""
    INSERT INTO invariant_findings (tenant_id, name, subject, detail)
    VALUES (:tenant_id, :name, :subject, :detail)
    ON CONFLICT (tenant_id, name, subject) DO UPDATE SET detail = EXCLUDED.detail""")
_MENDED = text("DELETE FROM invariant_findings WHERE name = :name AND subject <> ALL(:subjects)")
_RUNS = text("SELECT name, ran_at, took_ms, error, place FROM invariant_runs")
_FINDINGS = text("SELECT name, subject, detail, since FROM invariant_findings ORDER BY name, since, subject")
_SUBJECTS = text("SELECT subject FROM invariant_findings WHERE name = :name ORDER BY subject")
_SET_PLACE = text("""
    INSERT INTO invariant_runs (tenant_id, name, place) VALUES (:tenant_id, :name, :place)
    ON CONFLICT (tenant_id, name) DO UPDATE SET place = EXCLUDED.place""")


async def unchecked(work: UnitOfWork, *, after: str, limit: int) -> Sequence[RowMapping]:
    """Cubes whose head is beyond what was checked, with where to go on."""
    return await work.all(_UNCHECKED, after=after, limit=limit)


async def cubes(work: UnitOfWork, *, after: str, limit: int) -> list[str]:
    return [row["id"] for row in await work.all(_CUBES, after=after, limit=limit)]


async def stalest(work: UnitOfWork, limit: int) -> list[str]:
    return [row["cube_id"] for row in await work.all(_STALEST, limit=limit)]


async def versions(work: UnitOfWork, beyond: dict[str, int], limit: int) -> Sequence[RowMapping]:
    """Up to `limit` versions, by cube and number, of the cubes in `beyond`, each beyond the number given."""
    return await work.all(_VERSIONS, ids=list(beyond), numbers=list(beyond.values()), limit=limit)


async def mark(work: UnitOfWork, reached: dict[str, tuple[int, str | None]]) -> None:
    await work.run(
        _MARK,
        tenant_id=work.tenant_id,
        ids=list(reached),
        numbers=[number for number, _ in reached.values()],
        hashes=[hashed for _, hashed in reached.values()],
    )


async def part(work: UnitOfWork, *, after: str, limit: int) -> tuple[str, bool]:
    """The id of the last of the next so many cubes, and whether there may be more."""
    row = await work.one(_PART, after=after, limit=limit)
    return str(row["last"] or after), bool(row["count"] == limit)


async def wrong_heads(work: UnitOfWork, **of: Any) -> Sequence[RowMapping]:
    """Of the cubes beyond `after` up to `last`, and of those in `also`."""
    return await work.all(_HEADS, **of)


async def wrong_counters(work: UnitOfWork, **of: Any) -> Sequence[RowMapping]:
    return await work.all(_COUNTERS, **of)


async def wrong_lives(work: UnitOfWork, **of: Any) -> Sequence[RowMapping]:
    return await work.all(_LIVES, **of)


async def not_in_recall(work: UnitOfWork, *, late_s: float, **of: Any) -> Sequence[RowMapping]:
    """Of plaintext cubes; `late_s`: how long a version may be without a vector."""
    return await work.all(_RECALL, late_s=late_s, **of)


async def old_jobs(work: UnitOfWork, *, queued_s: float, lapsed_s: float, limit: int) -> Sequence[RowMapping]:
    return await work.all(_OLD_JOBS, queued_s=queued_s, lapsed_s=lapsed_s, limit=limit)


async def orphans(work: UnitOfWork, *, grace_s: float, limit: int) -> list[str]:
    return [row["id"] for row in await work.all(_ORPHANS, grace_s=grace_s, limit=limit)]


async def known(work: UnitOfWork, ids: Sequence[str]) -> set[str]:
    """Which of these blobs are this tenant's, or are being removed."""
    return {row["id"] for row in await work.all(_KNOWN, ids=list(ids))}


async def referenced(work: UnitOfWork, *, after: str, also: Sequence[str], limit: int) -> Sequence[RowMapping]:
    """Blobs that a version holds: those in `also`, then those beyond `after`."""
    return await work.all(_REFERENCED, after=after, also=list(also), limit=limit)


async def collect(work: UnitOfWork, *, grace_s: float, limit: int) -> int:
    """Turns rows that nothing refers to into notes of what is to be removed; how many."""
    return await work.run(_COLLECT, grace_s=grace_s, limit=limit)


async def to_remove(work: UnitOfWork, limit: int) -> list[str]:
    return [row["id"] for row in await work.all(_TO_REMOVE, limit=limit)]


async def removed(work: UnitOfWork, ids: Sequence[str]) -> None:
    await work.run(_REMOVED, ids=list(ids))


async def record(
    work: UnitOfWork, *, name: str, took_ms: float, error: str | None, findings: Sequence[tuple[str, str]] | None
) -> None:
    """How a run went. `findings` replace those before; None, because it could not look: those before stay."""
    await work.run(_RAN, tenant_id=work.tenant_id, name=name, took_ms=took_ms, error=error, place=None)
    if findings is None:
        return
    await work.run(_MENDED, name=name, subjects=[subject for subject, _ in findings])
    rows: list[dict[str, Any]] = [
        {"tenant_id": work.tenant_id, "name": name, "subject": subject, "detail": detail}
        for subject, detail in findings
    ]
    await work.run_many(_FOUND, rows)


async def runs(work: UnitOfWork) -> dict[str, RowMapping]:
    return {row["name"]: row for row in await work.all(_RUNS)}


async def findings(work: UnitOfWork) -> Sequence[RowMapping]:
    return await work.all(_FINDINGS)


async def found_before(work: UnitOfWork, name: str) -> list[str]:
    """The ids that the invariant's last run named."""
    return [row["subject"] for row in await work.all(_SUBJECTS, name=name)]


async def place(work: UnitOfWork, name: str) -> str:
    """Where an invariant that looks at a part each time goes on."""
    row = (await runs(work)).get(name)
    return str(row["place"]) if row and row["place"] else ""


async def set_place(work: UnitOfWork, name: str, reached: str) -> None:
    await work.run(_SET_PLACE, tenant_id=work.tenant_id, name=name, place=reached)


async def lost_recipes(work: UnitOfWork, *, limit: int) -> Sequence[RowMapping]:
    return await work.all(_LOST_RECIPES, limit=limit)
