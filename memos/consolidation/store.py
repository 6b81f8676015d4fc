"""SQL of consolidation runs, their steps, and proposals."""

from collections.abc import Sequence
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import RowMapping, text

from memos.kit.unit_of_work import UnitOfWork

_RUN = """r.id, r.user_id, r.dry_run, CASE WHEN j.error IS NULL THEN r.status ELSE 'failed' END AS status,
    r.considered, r.planned, j.error, r.created_by, r.created_at, r.done_at"""
_FAILED_JOB = """LEFT JOIN LATERAL (
      SELECT o.error FROM outbox o WHERE o.subject = r.id AND o.status = 'failed' LIMIT 1) j ON r.status <> 'done'"""
_INSERT_RUN = text("""
    INSERT INTO consolidations (tenant_id, id, user_id, dry_run, wanted, created_by)
    VALUES (:tenant_id, :id, :user_id, :dry_run, :wanted, :created_by)""")
_GET_RUN = text(f"SELECT {_RUN} FROM consolidations r {_FAILED_JOB} WHERE r.id = :id")
_LIST_RUNS = text(f"""
    SELECT {_RUN} FROM consolidations r {_FAILED_JOB}
    WHERE (CAST(:user_id AS text) IS NULL OR r.user_id = :user_id) AND (CAST(:before AS text) IS NULL OR r.id < :before)
    ORDER BY r.id DESC LIMIT :limit""")
_BARE_RUN = "SELECT r.id, r.user_id, r.dry_run, r.status, r.wanted FROM consolidations r WHERE r.id = :id"
_READ_RUN = text(_BARE_RUN)
_LOCK_RUN = text(f"{_BARE_RUN} FOR UPDATE")
_PLANNED = text("""
    UPDATE consolidations SET status = 'running', considered = :considered, planned = :planned WHERE id = :id""")
_RUN_DONE = text("UPDATE consolidations SET status = 'done', done_at = now() WHERE id = :id AND status <> 'done'")

_STEP = """s.number, s.kind, s.cube_ids, s.version_ids, s.reason, s.outcome, s.outcome_reason, s.outcome_at,
    s.made_cube_ids"""
_INSERT_STEP = text("""
    INSERT INTO consolidation_steps (tenant_id, run_id, number, kind, cube_ids, version_ids, reason, outcome,
      outcome_at)
    VALUES (:tenant_id, :run_id, :number, :kind, :cube_ids, :version_ids, :reason, CAST(:outcome AS text),
      CASE WHEN CAST(:outcome AS text) IS NOT NULL THEN now() END)""")
_STEPS = text(f"SELECT {_STEP} FROM consolidation_steps s WHERE s.run_id = :run_id ORDER BY s.number")
_NEXT_STEP = text(f"""
    SELECT {_STEP} FROM consolidation_steps s WHERE s.run_id = :run_id AND s.outcome IS NULL
    ORDER BY s.number LIMIT 1""")
_LOCK_STEP = text(f"""
    SELECT {_STEP} FROM consolidation_steps s WHERE s.run_id = :run_id AND s.number = :number AND s.outcome IS NULL
    FOR UPDATE""")
_END_STEP = text("""
    UPDATE consolidation_steps SET outcome = :outcome, outcome_reason = :reason, made_cube_ids = :made,
      outcome_at = now()
    WHERE run_id = :run_id AND number = :number AND outcome IS NULL""")

# What a consolidation looks at: living plaintext of one user that is in recall, the newest. Who else may see a shared
# cube stands in its grants, which a merged one would not have: those are left alone.
_MEMORIES = text("""
    SELECT c.id, c.agent_id, c.visibility, c.sensitivity, c.semantic_type, c.origin, c.reads, c.head_version_id,
      v.content, v.created_at, v.valid_from, v.valid_to,
      EXISTS (SELECT FROM lineage_edges e JOIN memcube_versions f ON f.id = e.child_id
              WHERE e.parent_id = v.id AND e.relation = 'distils' AND f.payload = 'text') AS folded,
      EXISTS (SELECT FROM consolidation_proposals p WHERE p.version_id = v.id) AS proposed
    FROM memcubes c JOIN memcube_versions v ON v.id = c.head_version_id
    WHERE c.user_id = :user_id AND c.kind = 'plaintext' AND c.lifecycle = 'activated' AND NOT c.frozen
      AND v.payload = 'text' AND c.visibility <> 'shared'
    ORDER BY c.id DESC LIMIT :most""")
_TEXTS = text("SELECT v.id, v.content FROM memcube_versions v WHERE v.id = ANY(:ids)")

_PROPOSAL = """p.id, p.run_id, p.cube_id, p.version_id, p.user_id, p.status, p.reason, p.delta_run_id, p.created_at,
    p.decided_at, p.decided_by"""
_PROPOSE = text("""
    INSERT INTO consolidation_proposals (tenant_id, id, run_id, cube_id, version_id, user_id, reason)
    VALUES (:tenant_id, :id, :run_id, :cube_id, :version_id, :user_id, :reason)
    ON CONFLICT (version_id) DO NOTHING""")
_LOCK_PROPOSAL = text(f"SELECT {_PROPOSAL} FROM consolidation_proposals p WHERE p.id = :id FOR UPDATE")
_DECIDE = text("""
    UPDATE consolidation_proposals SET status = :status, delta_run_id = :delta_run_id, decided_at = now(),
      decided_by = :by
    WHERE id = :id""")
_PROPOSALS = text(f"""
    SELECT {_PROPOSAL} FROM consolidation_proposals p
    WHERE (CAST(:status AS text) IS NULL OR p.status = :status)
      AND (CAST(:user_id AS text) IS NULL OR p.user_id = :user_id)
      AND (CAST(:before AS text) IS NULL OR p.id < :before)
    ORDER BY p.id DESC LIMIT :limit""")


def insert_run(work: UnitOfWork, *, wanted: dict[str, Any], **columns: Any) -> None:
    work.queue(_INSERT_RUN, tenant_id=work.tenant_id, wanted=Jsonb(wanted), **columns)


async def get_run(work: UnitOfWork, run_id: str) -> RowMapping | None:
    return await work.first(_GET_RUN, id=run_id)


async def runs(work: UnitOfWork, *, user_id: str | None, before: str | None, limit: int) -> Sequence[RowMapping]:
    return await work.all(_LIST_RUNS, user_id=user_id, before=before, limit=limit)


async def read_run(work: UnitOfWork, run_id: str) -> RowMapping | None:
    return await work.first(_READ_RUN, id=run_id)


async def lock_run(work: UnitOfWork, run_id: str) -> RowMapping:
    return await work.one(_LOCK_RUN, id=run_id)


async def planned(work: UnitOfWork, run_id: str, *, considered: int, planned: int) -> None:
    await work.run(_PLANNED, id=run_id, considered=considered, planned=planned)


async def run_done(work: UnitOfWork, run_id: str) -> None:
    await work.run(_RUN_DONE, id=run_id)


async def insert_steps(work: UnitOfWork, rows: Sequence[dict[str, Any]]) -> None:
    await work.run_many(_INSERT_STEP, [row | {"tenant_id": work.tenant_id} for row in rows])


async def steps(work: UnitOfWork, run_id: str) -> Sequence[RowMapping]:
    return await work.all(_STEPS, run_id=run_id)


async def next_step(work: UnitOfWork, run_id: str) -> RowMapping | None:
    return await work.first(_NEXT_STEP, run_id=run_id)


async def lock_step(work: UnitOfWork, run_id: str, number: int) -> RowMapping | None:
    """None: somebody else has carried it out."""
    return await work.first(_LOCK_STEP, run_id=run_id, number=number)


async def end_step(
    work: UnitOfWork, run_id: str, number: int, *, outcome: str, reason: str, made: Sequence[str]
) -> None:
    await work.run(_END_STEP, run_id=run_id, number=number, outcome=outcome, reason=reason, made=list(made))


async def memories(work: UnitOfWork, *, user_id: str, most: int) -> Sequence[RowMapping]:
    return await work.all(_MEMORIES, user_id=user_id, most=most)


async def contents(work: UnitOfWork, version_ids: Sequence[str]) -> list[str] | None:
    """The texts of these versions, in their order; None if one has none any more."""
    found = {row["id"]: row["content"] for row in await work.all(_TEXTS, ids=list(version_ids))}
    texts = [found.get(version_id) for version_id in version_ids]
    return None if None in texts else [str(content) for content in texts]


async def propose(work: UnitOfWork, **columns: Any) -> None:
    """Nothing happens for a version that was proposed before."""
    await work.run(_PROPOSE, tenant_id=work.tenant_id, **columns)


async def lock_proposal(work: UnitOfWork, proposal_id: str) -> RowMapping | None:
    return await work.first(_LOCK_PROPOSAL, id=proposal_id)


async def decide(work: UnitOfWork, proposal_id: str, *, status: str, by: str, delta_run_id: str | None) -> None:
    await work.run(_DECIDE, id=proposal_id, status=status, by=by, delta_run_id=delta_run_id)


async def proposals(
    work: UnitOfWork, *, status: str | None, user_id: str | None, before: str | None, limit: int
) -> Sequence[RowMapping]:
    return await work.all(_PROPOSALS, status=status, user_id=user_id, before=before, limit=limit)
