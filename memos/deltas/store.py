"""SQL of distillation runs and of the deltas that are mounted."""

from collections.abc import Sequence
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import RowMapping, text

from memos.cubes.recipes.store import THINNED
from memos.kit.unit_of_work import UnitOfWork

_RUN = """r.id, r.user_id, r.agent_id, r.rank, r.steps, r.seed, r.wanted_model, r.replaces, r.fingerprint, r.status,
    r.step, r.figures, r.error, r.cube_id, r.reason, r.retired_at, r.created_at, r.created_by, r.started_at, r.done_at,
    ARRAY(SELECT i.version_id FROM distil_inputs i WHERE i.run_id = r.id ORDER BY i.place) AS version_ids"""
_HEADS = text("""
    SELECT c.id AS cube_id, c.head_version_id AS version_id FROM memcubes c WHERE c.id = ANY(:ids)""")
_INPUTS = text(f"""
    SELECT v.id, v.cube_id, v.number, v.payload, v.blob_id, v.content, v.payload_sha256, v.fingerprint, v.created_at,
      coalesce(v.valid_from, v.created_at) AS since, c.kind, c.lifecycle, c.user_id, c.agent_id, c.visibility,
      c.sensitivity, c.head_version_id, {THINNED}
    FROM memcube_versions v JOIN memcubes c ON c.id = v.cube_id
    WHERE v.id = ANY(:ids) ORDER BY coalesce(v.valid_from, v.created_at), v.id""")
_INSERT = text("""
    INSERT INTO distil_runs (tenant_id, id, user_id, agent_id, inputs_key, rank, steps, seed, wanted_model, replaces,
      reason, created_by)
    VALUES (:tenant_id, :id, :user_id, :agent_id, :inputs_key, :rank, :steps, :seed, :wanted_model, :replaces, :reason,
      :created_by)
    ON CONFLICT (tenant_id, inputs_key, user_id, agent_id)
      WHERE retired_at IS NULL AND user_id IS DISTINCT FROM 'erased' DO NOTHING""")
_INSERT_INPUT = text("""
    INSERT INTO distil_inputs (tenant_id, run_id, version_id, place)
    VALUES (:tenant_id, :run_id, :version_id, :place)""")
_BY_KEY = text(f"""
    SELECT {_RUN} FROM distil_runs r
    WHERE r.inputs_key = :inputs_key AND r.retired_at IS NULL AND r.user_id IS NOT DISTINCT FROM CAST(:user_id AS text)
      AND r.agent_id IS NOT DISTINCT FROM CAST(:agent_id AS text)
    ORDER BY r.id DESC LIMIT 1""")
_GET = text(f"SELECT {_RUN} FROM distil_runs r WHERE r.id = :id")
_LOCK = text(f"SELECT {_RUN} FROM distil_runs r WHERE r.id = :id FOR UPDATE")
_LIST = text(f"""
    SELECT {_RUN} FROM distil_runs r
    WHERE (CAST(:status AS text) IS NULL OR r.status = :status)
      AND (CAST(:user_id AS text) IS NULL OR r.user_id = :user_id)
      AND (CAST(:before AS text) IS NULL OR r.id < :before)
    ORDER BY r.id DESC LIMIT :limit""")
_REQUEUE = text("UPDATE distil_runs SET status = 'queued', error = NULL WHERE id = :id AND status = 'failed'")
_BEGIN = text("""
    UPDATE distil_runs SET status = 'running', fingerprint = :fingerprint, error = NULL,
      started_at = coalesce(started_at, now()) WHERE id = :id AND status IN ('queued', 'running')""")
# A run that was begun anew by another process counts from there: the number may fall.
_PROGRESS = text("UPDATE distil_runs SET step = :step WHERE id = :id AND status = 'running'")
_FAIL = text("""
    UPDATE distil_runs SET status = 'failed', error = :error WHERE id = :id AND status IN ('queued', 'running')""")
_DONE = text("""
    UPDATE distil_runs SET status = 'done', cube_id = :cube_id, figures = :figures, step = steps, error = NULL,
      done_at = now() WHERE id = :id AND status = 'running'""")
_RETIRE = text("UPDATE distil_runs SET retired_at = now() WHERE id = :id AND retired_at IS NULL")
_LEARNED_FROM = text(f"""
    SELECT {_RUN} FROM distil_runs r
    WHERE r.retired_at IS NULL AND EXISTS (
      SELECT FROM distil_inputs i WHERE i.run_id = r.id AND i.version_id = ANY(:version_ids))
    ORDER BY r.id FOR UPDATE OF r""")
_OF_CUBES = text(f"SELECT {_RUN} FROM distil_runs r WHERE r.cube_id = ANY(:cube_ids) AND r.retired_at IS NULL")


async def heads(work: UnitOfWork, cube_ids: Sequence[str]) -> dict[str, str]:
    """The newest version of each cube that there is."""
    return {row["cube_id"]: row["version_id"] for row in await work.all(_HEADS, ids=list(cube_ids))}


async def inputs(work: UnitOfWork, version_ids: Sequence[str]) -> Sequence[RowMapping]:
    """The versions with what is known of their cubes, oldest first in world time."""
    return await work.all(_INPUTS, ids=list(version_ids))


async def insert(work: UnitOfWork, version_ids: Sequence[str], **columns: Any) -> bool:
    """False if there is such a run already."""
    if not await work.run(_INSERT, tenant_id=work.tenant_id, **columns):
        return False
    for place, version_id in enumerate(version_ids):
        work.queue(_INSERT_INPUT, tenant_id=work.tenant_id, run_id=columns["id"], version_id=version_id, place=place)
    return True


async def by_key(work: UnitOfWork, inputs_key: str, user_id: str | None, agent_id: str | None) -> RowMapping:
    return await work.one(_BY_KEY, inputs_key=inputs_key, user_id=user_id, agent_id=agent_id)


async def get(work: UnitOfWork, run_id: str) -> RowMapping | None:
    return await work.first(_GET, id=run_id)


async def lock(work: UnitOfWork, run_id: str) -> RowMapping | None:
    return await work.first(_LOCK, id=run_id)


async def listing(
    work: UnitOfWork, *, status: str | None, user_id: str | None, before: str | None, limit: int
) -> Sequence[RowMapping]:
    return await work.all(_LIST, status=status, user_id=user_id, before=before, limit=limit)


async def requeue(work: UnitOfWork, run_id: str) -> None:
    """If it has failed, it is to be tried again."""
    await work.run(_REQUEUE, id=run_id)


async def begin(work: UnitOfWork, run_id: str, fingerprint: str) -> None:
    await work.run(_BEGIN, id=run_id, fingerprint=fingerprint)


async def progress(work: UnitOfWork, run_id: str, step: int) -> None:
    await work.run(_PROGRESS, id=run_id, step=step)


async def fail(work: UnitOfWork, run_id: str, error: dict[str, Any]) -> None:
    await work.run(_FAIL, id=run_id, error=Jsonb(error))


async def done(work: UnitOfWork, run_id: str, *, cube_id: str, figures: dict[str, float]) -> bool:
    return bool(await work.run(_DONE, id=run_id, cube_id=cube_id, figures=Jsonb(figures)))


async def retire(work: UnitOfWork, run_id: str) -> None:
    await work.run(_RETIRE, id=run_id)


async def learned_from(work: UnitOfWork, version_ids: Sequence[str]) -> Sequence[RowMapping]:
    """The runs that use any of these versions, locked."""
    return await work.all(_LEARNED_FROM, version_ids=list(version_ids))


async def of_cubes(work: UnitOfWork, cube_ids: Sequence[str]) -> Sequence[RowMapping]:
    """The runs that made these cubes."""
    return await work.all(_OF_CUBES, cube_ids=list(cube_ids))
