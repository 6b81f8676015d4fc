"""SQL of dense search by pgvector. Its tables are there only where the extension is (migration 0014)."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import RowMapping, TextClause, text

from memos.kit.unit_of_work import UnitOfWork

GRAPHS = frozenset({384, 512, 768, 1024, 1536})  # dimensions that have one
_PRESENT = text("SELECT to_regclass('public.dense_vectors') IS NOT NULL AS present")
_OPEN = text("""
    INSERT INTO dense_scopes (tenant_id, scope_id, model)
    SELECT s.tenant_id, s.id, :model FROM recall_scopes s WHERE s.id = :scope_id
    ON CONFLICT (scope_id, model) DO NOTHING""")
_MARK = text("""
    SELECT m.revision, m.version_id, s.revision AS reached FROM dense_scopes m
    JOIN recall_scopes s ON s.id = m.scope_id
    WHERE m.scope_id = :scope_id AND m.model = :model FOR UPDATE OF m""")
_MISSING = text("""
    SELECT e.version_id, e.revision, e.dimensions, e.vector FROM embeddings e
    WHERE e.scope_id = :scope_id AND e.model = :model AND e.revision >= :revision
      AND (e.revision, e.version_id) > (:revision, CAST(:version_id AS text) COLLATE "C")
    ORDER BY e.revision, e.version_id LIMIT :limit FOR KEY SHARE""")
_ADD = text("""
    INSERT INTO dense_vectors (tenant_id, version_id, model, scope_id, dimensions, dense)
    SELECT :tenant_id, w.version_id, :model, :scope_id, vector_dims(CAST(w.dense AS vector)), CAST(w.dense AS vector)
    FROM unnest(CAST(:version_ids AS text[]), CAST(:vectors AS text[])) AS w (version_id, dense)
    ON CONFLICT (version_id, model) DO UPDATE SET dense = EXCLUDED.dense, dimensions = EXCLUDED.dimensions""")
_MOVE = text("""
    UPDATE dense_scopes SET revision = :revision, version_id = :version_id
    WHERE scope_id = :scope_id AND model = :model""")
# In the order of distance, also where the scope is a small part of the graph: it is searched on until there are enough.
_SEARCHED_ON = text("""
    SELECT set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.ef_search', :breadth, true),
      set_config('hnsw.max_scan_tuples', :at_most, true)""")
_NEAREST = """
    WITH asked AS (SELECT CAST(:vector AS vector) AS vector),
    near AS MATERIALIZED (
      SELECT d.version_id, d.dense FROM dense_vectors d
      WHERE d.scope_id = :scope_id AND d.model = :model AND d.dimensions = {size}
      ORDER BY {order} LIMIT :most),
    spread AS (
      SELECT avg(s.cosine) AS mean, stddev_pop(s.cosine) AS deviation FROM (
        SELECT -(d.dense <#> (SELECT a.vector FROM asked a)) AS cosine FROM dense_vectors d
        WHERE d.scope_id = :scope_id AND d.model = :model AND d.dimensions = {size} LIMIT :sample) s)
    SELECT w.version_id, w.near, -(w.dense <#> a.vector) AS cosine, spread.mean, spread.deviation
    FROM (
      SELECT n.version_id, n.dense, true AS near FROM near n
      UNION ALL
      SELECT d.version_id, d.dense, false FROM dense_vectors d
      WHERE d.version_id = ANY(:also) AND d.model = :model AND d.scope_id = :scope_id AND d.dimensions = {size}) w
    CROSS JOIN asked a CROSS JOIN spread"""


@lru_cache(maxsize=64)
def _nearest(size: int, graph: bool) -> TextClause:
    """`size` is a number of ours, not a caller's text. The cast is what the graph is an index of; without it a scope is
    compared whole."""
    order = (
        f"d.dense::vector({size}) <#> CAST(:vector AS vector({size}))"
        if graph
        else "d.dense <#> CAST(:vector AS vector)"
    )
    return text(_NEAREST.format(size=int(size), order=order.replace("::", "\\:\\:")))


async def present(work: UnitOfWork) -> bool:
    return bool((await work.one(_PRESENT))["present"])


async def mark(work: UnitOfWork, scope_id: str, model: str) -> RowMapping | None:
    """How far a scope is, locked, and how far it should be. None for a scope that is not there."""
    work.queue(_OPEN, scope_id=scope_id, model=model)
    return await work.first(_MARK, scope_id=scope_id, model=model)


async def missing(
    work: UnitOfWork, *, scope_id: str, model: str, revision: int, version_id: str, limit: int
) -> Sequence[RowMapping]:
    """Embeddings after a mark; they cannot be erased until this transaction ends."""
    return await work.all(
        _MISSING, scope_id=scope_id, model=model, revision=revision, version_id=version_id, limit=limit
    )


async def add(work: UnitOfWork, *, scope_id: str, model: str, version_ids: list[str], vectors: list[str]) -> None:
    await work.run(
        _ADD, tenant_id=work.tenant_id, scope_id=scope_id, model=model, version_ids=version_ids, vectors=vectors
    )


async def move_mark(work: UnitOfWork, *, scope_id: str, model: str, revision: int, version_id: str) -> None:
    await work.run(_MOVE, scope_id=scope_id, model=model, revision=revision, version_id=version_id)


async def nearest(
    work: UnitOfWork, size: int, *, graph: bool, breadth: int, at_most: int, **asked: Any
) -> Sequence[RowMapping]:
    """`asked`: scope_id, model, vector, most, also, sample."""
    if graph:
        work.queue(_SEARCHED_ON, breadth=str(breadth), at_most=str(at_most))
    return await work.all(_nearest(size, graph), **asked)
