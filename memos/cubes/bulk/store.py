"""SQL of the bulk path: one call of the database's function."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, text

from memos.cubes.bulk.rows import Prepared
from memos.kit.unit_of_work import UnitOfWork

# What it does stands in the comment, from which the audit log knows that this changes something.
_REMEMBER = text("""
    -- INSERT INTO memcubes, memcube_versions, cube_events, embeddings
    SELECT cube_id, scope_id, revision, embedder, next_embedder, created_at
    FROM memos_remember(:tenant_id, :by, :reason, CAST(:cubes AS json), CAST(:versions AS json), :vectors,
      CAST(:model AS text), :size) WHERE CAST(:cube_ids AS text[]) IS NOT NULL""")


async def remember(
    work: UnitOfWork, prepared: Prepared, *, by: str, reason: str, model: str | None
) -> Sequence[RowMapping]:
    """The cubes that were made, each with its scope and the scope's revision and embedders."""
    return await work.all(_REMEMBER, **_parameters(work, prepared, by, reason, model))


def queue_remember(work: UnitOfWork, prepared: Prepared, *, by: str, reason: str) -> None:
    """The same without an answer, in the round trip of whatever comes next."""
    work.queue(_REMEMBER, **_parameters(work, prepared, by, reason, None))


def _parameters(work: UnitOfWork, prepared: Prepared, by: str, reason: str, model: str | None) -> dict[str, Any]:
    return {
        "tenant_id": work.tenant_id,
        "by": by,
        "reason": reason,
        "cubes": prepared.cubes,
        "versions": prepared.versions,
        "vectors": prepared.vectors,
        "model": model,
        "size": prepared.size if model is not None else 0,
        "cube_ids": prepared.cube_ids[:200],
    }
