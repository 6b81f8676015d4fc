"""SQL of states that are kept as recipes."""

from collections.abc import Sequence

from sqlalchemy import RowMapping, text

from memos.kit.unit_of_work import UnitOfWork

# Of `memcube_versions v`: whether its payload is to be made again before it can be read.
THINNED = "EXISTS (SELECT FROM blobs b WHERE b.id = v.blob_id AND b.thinned_at IS NOT NULL) AS thinned"
# From a version up to the nearest one whose payload is there, that one first.
_LINE = text(f"""
    WITH RECURSIVE line AS (
      SELECT CAST(:version_id AS text) COLLATE "C" AS id, 0 AS steps
      UNION ALL
      SELECT e.parent_id, line.steps + 1 FROM line
      JOIN memcube_versions c ON c.id = line.id JOIN blobs b ON b.id = c.blob_id AND b.thinned_at IS NOT NULL
      CROSS JOIN LATERAL (
        SELECT parent_id FROM lineage_edges WHERE child_id = line.id AND relation = 'advances' LIMIT 1) e
      WHERE line.steps < :most)
    SELECT v.id, v.blob_id, v.payload_sha256, v.fingerprint, t.input, t.output, {THINNED}
    FROM line JOIN memcube_versions v USING (id) LEFT JOIN turns t ON t.id = v.turn_id AND t.status <> 'erased'
    WHERE v.payload_sha256 IS NOT NULL
    ORDER BY line.steps DESC""")
_LOCK = text("SELECT id FROM blobs WHERE id = :id FOR UPDATE")
_WANTED = text("""
    UPDATE blobs SET thinned_at = NULL, kept_until = now() + make_interval(secs => :kept_s) WHERE id = :id""")
# What nobody else needs: no head, named by one version alone, not made again of late.
_SPARE = """
    FROM blobs b JOIN memcube_versions v ON v.blob_id = b.id JOIN memcubes c ON c.id = v.cube_id
    WHERE v.id = :version_id AND v.operation = 'advance' AND c.head_version_id <> v.id AND NOT c.frozen
      AND (b.kept_until IS NULL OR b.kept_until <= now())
      AND NOT EXISTS (SELECT FROM memcube_versions o WHERE o.blob_id = b.id AND o.id <> v.id)"""
_LOCK_SPARE = text(f"SELECT b.id {_SPARE} AND b.thinned_at IS NULL FOR UPDATE OF b")
_LOCK_THINNED = text(f"SELECT b.id {_SPARE} AND b.thinned_at IS NOT NULL FOR UPDATE OF b")
_THIN = text("UPDATE blobs SET thinned_at = now() WHERE id = :id")


async def line(work: UnitOfWork, version_id: str, most: int) -> Sequence[RowMapping]:
    return await work.all(_LINE, version_id=version_id, most=most)


async def lock(work: UnitOfWork, blob_id: str) -> None:
    await work.first(_LOCK, id=blob_id)


async def wanted(work: UnitOfWork, blob_id: str, kept_s: float) -> None:
    """It is there again, and is not dropped for a while."""
    await work.run(_WANTED, id=blob_id, kept_s=kept_s)


async def thin(work: UnitOfWork, version_id: str) -> bool:
    """Says that the payload is to be made again by whoever needs it. False: it is needed as it is."""
    row = await work.first(_LOCK_SPARE, version_id=version_id)
    if row is not None:
        await work.run(_THIN, id=row["id"])
    return row is not None


async def thinned(work: UnitOfWork, version_id: str) -> str | None:
    """The object of a version that was thinned and that nobody came to need since, locked."""
    row = await work.first(_LOCK_THINNED, version_id=version_id)
    return None if row is None else str(row["id"])
