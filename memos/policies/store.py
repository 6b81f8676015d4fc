"""SQL of retention policies, their runs and decisions, and of the items that rules look at."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import RowMapping, text

from memos.cubes.recipes.store import THINNED
from memos.kit.unit_of_work import UnitOfWork

MOST_USES = 100  # reads of one cube that a rule is shown, the newest
_POLICY = """p.id, p.name, p.rule, p.user_id, p.cube_kind, p.per_user, p.action, p.every_s, p.enabled, p.builtin,
    p.last_run_at, p.created_by, p.created_at, p.updated_at"""
_INSERT = text("""
    INSERT INTO policies (tenant_id, id, name, rule, user_id, cube_kind, per_user, action, every_s, enabled,
      created_by)
    VALUES (:tenant_id, :id, :name, :rule, :user_id, :cube_kind, :per_user, :action, :every_s, :enabled,
      :created_by)""")
_GET = text(f"SELECT {_POLICY} FROM policies p WHERE p.id = :id AND p.deleted_at IS NULL")
_KNOWN = text("SELECT id FROM policies WHERE id = :id")
_LOCK = text(f"SELECT {_POLICY} FROM policies p WHERE p.id = :id AND p.deleted_at IS NULL FOR UPDATE")
_LIST = text(f"""
    SELECT {_POLICY} FROM policies p
    WHERE p.deleted_at IS NULL AND (CAST(:user_id AS text) IS NULL OR p.user_id = :user_id)
      AND (CAST(:before AS text) IS NULL OR p.id < :before)
    ORDER BY p.id DESC LIMIT :limit""")
_UPDATE = text("""
    UPDATE policies SET name = :name, rule = :rule, per_user = :per_user, action = :action, every_s = :every_s,
      enabled = :enabled, updated_at = now()
    WHERE id = :id""")
_DELETE = text("UPDATE policies SET deleted_at = now(), enabled = false WHERE id = :id")
# Those whose time has come, each locked until its run is recorded; one with an open run waits for it.
_DUE = text(f"""
    SELECT {_POLICY} FROM policies p
    WHERE p.deleted_at IS NULL AND p.enabled AND p.every_s IS NOT NULL
      AND (p.last_run_at IS NULL OR p.last_run_at <= now() - make_interval(secs => p.every_s))
      AND NOT EXISTS (SELECT FROM policy_runs r WHERE r.policy_id = p.id AND r.status <> 'done' AND NOT r.dry_run)
    ORDER BY p.id FOR UPDATE SKIP LOCKED""")
_RAN = text("UPDATE policies SET last_run_at = now() WHERE id = :id")

_RUN = """r.id, r.policy_id, r.dry_run, CASE WHEN j.error IS NULL THEN r.status ELSE 'failed' END AS status, r.as_of,
    r.considered, r.decided, j.error, r.created_by, r.created_at, r.done_at,
    (SELECT count(*) FROM policy_decisions d WHERE d.run_id = r.id AND d.outcome = 'done') AS done,
    (SELECT count(*) FROM policy_decisions d WHERE d.run_id = r.id AND d.outcome = 'skipped') AS skipped"""
_FAILED_JOB = """LEFT JOIN LATERAL (
      SELECT o.error FROM outbox o WHERE o.subject = r.id AND o.status = 'failed' LIMIT 1) j ON r.status <> 'done'"""
_INSERT_RUN = text("""
    INSERT INTO policy_runs (tenant_id, id, policy_id, dry_run, as_of, created_by)
    VALUES (:tenant_id, :id, :policy_id, :dry_run, :as_of, :created_by)""")
# The newest run, if the schedule asked for it and it had nothing to decide: the next one takes its place. So a rule
# that looks every five minutes and finds nothing leaves one row.
_AGAIN = text("""
    UPDATE policy_runs r SET status = 'queued', as_of = :as_of, considered = NULL, decided = NULL, done_at = NULL
    WHERE r.id = (SELECT max(n.id) FROM policy_runs n WHERE n.policy_id = :policy_id)
      AND r.status = 'done' AND r.decided = 0 AND NOT r.dry_run AND r.created_by = :created_by
    RETURNING r.id""")
_GET_RUN = text(f"SELECT {_RUN} FROM policy_runs r {_FAILED_JOB} WHERE r.id = :id AND r.policy_id = :policy_id")
_LIST_RUNS = text(f"""
    SELECT {_RUN} FROM policy_runs r {_FAILED_JOB}
    WHERE r.policy_id = :policy_id AND (CAST(:before AS text) IS NULL OR r.id < :before)
    ORDER BY r.id DESC LIMIT :limit""")
_LOCK_RUN = text("""
    SELECT r.id, r.policy_id, r.dry_run, r.status, r.as_of, p.rule, p.user_id, p.cube_kind, p.per_user, p.action,
      p.deleted_at IS NOT NULL AS withdrawn
    FROM policy_runs r JOIN policies p ON p.id = r.policy_id WHERE r.id = :id FOR UPDATE OF r""")
_PLANNED = text("UPDATE policy_runs SET status = :status, considered = :considered, decided = :decided WHERE id = :id")
_RUN_DONE = text("UPDATE policy_runs SET status = 'done', done_at = now() WHERE id = :id AND status <> 'done'")

_DECISION = """d.id, d.run_id, d.policy_id, d.cube_id, d.version_id, d.action, d.reason, d.outcome, d.outcome_reason,
    d.outcome_at, d.created_at, d.head_number, d.reads"""
_INSERT_DECISION = text("""
    INSERT INTO policy_decisions (tenant_id, id, run_id, number, policy_id, cube_id, version_id, action, reason,
      head_number, reads, outcome, outcome_at)
    VALUES (:tenant_id, :id, :run_id, :number, :policy_id, :cube_id, :version_id, :action, :reason, :head_number,
      :reads, CAST(:outcome AS text), CASE WHEN CAST(:outcome AS text) IS NOT NULL THEN now() END)""")
_LIST_DECISIONS = text(f"""
    SELECT {_DECISION} FROM policy_decisions d
    WHERE d.policy_id = :policy_id AND (CAST(:run_id AS text) IS NULL OR d.run_id = :run_id)
      AND (CAST(:before AS text) IS NULL OR d.id < :before)
    ORDER BY d.id DESC LIMIT :limit""")
_ABOUT_CUBE = text(f"""
    SELECT {_DECISION} FROM policy_decisions d
    WHERE d.cube_id = :cube_id AND (CAST(:before AS text) IS NULL OR d.id < :before) ORDER BY d.id DESC LIMIT :limit""")
# In the order in which they were made; whoever else carries them out waits here, and then finds them carried out.
_LOCK_OPEN = text(f"""
    SELECT {_DECISION} FROM policy_decisions d WHERE d.run_id = :run_id AND d.outcome IS NULL
    ORDER BY d.number LIMIT :limit FOR UPDATE""")
_NEXT_OPEN = text(f"""
    SELECT {_DECISION} FROM policy_decisions d WHERE d.run_id = :run_id AND d.outcome IS NULL
    ORDER BY d.number DESC LIMIT 1""")
_END = text("""
    UPDATE policy_decisions SET outcome = :outcome, outcome_reason = :reason, outcome_at = now()
    WHERE id = :id AND outcome IS NULL""")

_SCOPE = """NOT c.frozen AND (CAST(:user_id AS text) IS NULL OR c.user_id = :user_id)
      AND (CAST(:cube_kind AS text) IS NULL OR c.kind = :cube_kind)"""
_CUBES = text(f"""
    SELECT c.id, c.created_at, c.priority, c.reads, c.expires_at, c.user_id, c.agent_id, c.semantic_type,
      c.head_number, c.last_read_at, v.created_at AS changed_at
    FROM memcubes c JOIN memcube_versions v ON v.id = c.head_version_id
    WHERE {_SCOPE} AND c.lifecycle = 'activated'
      AND (c.conversation_id IS NULL OR c.kind = CAST(:cube_kind AS text))
    ORDER BY c.id""")
# A cube's own wish is kept wherever it is: in the archive, and for the state of a conversation too.
_EXPIRED = text(f"""
    SELECT c.id, c.created_at, c.priority, c.reads, c.expires_at, c.user_id, c.agent_id, c.semantic_type,
      c.head_number, c.last_read_at, c.created_at AS changed_at
    FROM memcubes c
    WHERE {_SCOPE} AND c.lifecycle IN ('activated', 'archived') AND c.expires_at <= :as_of
    ORDER BY c.id""")
_SIZES = text("""
    SELECT cube_id, sum(size_bytes)::bigint AS size_bytes FROM memcube_versions WHERE cube_id = ANY(:ids)
    GROUP BY cube_id""")
_USES = text(f"""
    SELECT c.id, u.moment FROM unnest(CAST(:ids AS text[])) AS c(id) CROSS JOIN LATERAL (
      SELECT t.created_at AS moment
      FROM memcube_versions v JOIN turn_reads r ON r.version_id = v.id JOIN turns t ON t.id = r.turn_id
      WHERE v.cube_id = c.id ORDER BY t.created_at DESC LIMIT {MOST_USES}) u""")
# Only a state that an advance wrote can be made again; a head is needed, and so is an object that others share or
# that somebody needed of late.
_VERSIONS = text(f"""
    SELECT v.id, v.cube_id, v.created_at, v.size_bytes, c.head_number, c.reads, c.user_id,
      v.operation <> 'advance' OR v.payload <> 'blob' OR v.id = c.head_version_id OR EXISTS (
        SELECT FROM memcube_versions o WHERE o.blob_id = v.blob_id AND o.id <> v.id) OR EXISTS (
        SELECT FROM blobs b WHERE b.id = v.blob_id AND (b.thinned_at IS NOT NULL OR b.kept_until > now())) AS pinned
    FROM memcubes c JOIN memcube_versions v ON v.cube_id = c.id
    WHERE {_SCOPE} AND c.kind = 'activation' AND c.lifecycle <> 'erased'
    ORDER BY v.id""")
_PARENT_STATE = text(f"""
    SELECT v.id, v.fingerprint, v.payload_sha256, v.blob_id, {THINNED} FROM lineage_edges e JOIN memcube_versions v
      ON v.id = e.parent_id
    WHERE e.child_id = :version_id AND e.relation = 'advances'""")
# What nothing refers to.
_DROP_BLOB = text("""
    DELETE FROM blobs b WHERE b.id = :id AND NOT EXISTS (SELECT FROM memcube_versions v WHERE v.blob_id = b.id)""")


def insert(work: UnitOfWork, *, rule: dict[str, Any], **columns: Any) -> None:
    work.queue(_INSERT, tenant_id=work.tenant_id, rule=Jsonb(rule), **columns)


async def get(work: UnitOfWork, policy_id: str) -> RowMapping | None:
    return await work.first(_GET, id=policy_id)


async def known(work: UnitOfWork, policy_id: str) -> bool:
    """Whether there is or was such a policy."""
    return await work.first(_KNOWN, id=policy_id) is not None


async def lock(work: UnitOfWork, policy_id: str) -> RowMapping | None:
    return await work.first(_LOCK, id=policy_id)


async def listing(work: UnitOfWork, *, user_id: str | None, before: str | None, limit: int) -> Sequence[RowMapping]:
    return await work.all(_LIST, user_id=user_id, before=before, limit=limit)


async def update(work: UnitOfWork, *, rule: dict[str, Any], **columns: Any) -> None:
    await work.run(_UPDATE, rule=Jsonb(rule), **columns)


async def delete(work: UnitOfWork, policy_id: str) -> None:
    await work.run(_DELETE, id=policy_id)


async def due(work: UnitOfWork) -> Sequence[RowMapping]:
    return await work.all(_DUE)


def insert_run(work: UnitOfWork, *, policy_id: str, dry_run: bool, **columns: Any) -> None:
    work.queue(_INSERT_RUN, tenant_id=work.tenant_id, policy_id=policy_id, dry_run=dry_run, **columns)
    if not dry_run:
        work.queue(_RAN, id=policy_id)


async def run_again(work: UnitOfWork, *, policy_id: str, as_of: datetime, created_by: str) -> str | None:
    """The id of a run that decided nothing and is queued anew; None if there is none such."""
    row = await work.first(_AGAIN, policy_id=policy_id, as_of=as_of, created_by=created_by)
    if row is None:
        return None
    await work.run(_RAN, id=policy_id)
    return str(row["id"])


async def get_run(work: UnitOfWork, policy_id: str, run_id: str) -> RowMapping | None:
    return await work.first(_GET_RUN, policy_id=policy_id, id=run_id)


async def runs(work: UnitOfWork, *, policy_id: str, before: str | None, limit: int) -> Sequence[RowMapping]:
    return await work.all(_LIST_RUNS, policy_id=policy_id, before=before, limit=limit)


async def lock_run(work: UnitOfWork, run_id: str) -> RowMapping | None:
    """The run with its policy as it is now, also a deleted one."""
    return await work.first(_LOCK_RUN, id=run_id)


async def planned(work: UnitOfWork, run_id: str, *, considered: int, decided: int) -> None:
    await work.run(_PLANNED, id=run_id, status="running", considered=considered, decided=decided)


async def run_done(work: UnitOfWork, run_id: str) -> None:
    await work.run(_RUN_DONE, id=run_id)


async def insert_decisions(work: UnitOfWork, rows: Sequence[dict[str, Any]]) -> None:
    await work.run_many(_INSERT_DECISION, [row | {"tenant_id": work.tenant_id} for row in rows])


async def decisions(
    work: UnitOfWork, *, policy_id: str, run_id: str | None, before: str | None, limit: int
) -> Sequence[RowMapping]:
    return await work.all(_LIST_DECISIONS, policy_id=policy_id, run_id=run_id, before=before, limit=limit)


async def lock_open(work: UnitOfWork, run_id: str, limit: int) -> Sequence[RowMapping]:
    return await work.all(_LOCK_OPEN, run_id=run_id, limit=limit)


async def next_open(work: UnitOfWork, run_id: str) -> RowMapping | None:
    return await work.first(_NEXT_OPEN, run_id=run_id)


async def decisions_about(work: UnitOfWork, cube_id: str, *, before: str | None, limit: int) -> Sequence[RowMapping]:
    """What every policy decided about a cube, newest first."""
    return await work.all(_ABOUT_CUBE, cube_id=cube_id, before=before, limit=limit)


async def end(work: UnitOfWork, decision_id: str, outcome: str, reason: str) -> bool:
    """False: somebody else ended it first."""
    return bool(await work.run(_END, id=decision_id, outcome=outcome, reason=reason))


async def cubes(
    work: UnitOfWork, *, user_id: str | None, cube_kind: str | None, expired_at: datetime | None
) -> Sequence[RowMapping]:
    """Those that a rule may decide about; with `expired_at`, those whose own lifespan has ended by then."""
    if expired_at is not None:
        return await work.all(_EXPIRED, user_id=user_id, cube_kind=cube_kind, as_of=expired_at)
    return await work.all(_CUBES, user_id=user_id, cube_kind=cube_kind)


async def versions(work: UnitOfWork, *, user_id: str | None, cube_kind: str | None) -> Sequence[RowMapping]:
    return await work.all(_VERSIONS, user_id=user_id, cube_kind=cube_kind)


async def sizes(work: UnitOfWork, ids: Sequence[str]) -> dict[str, int]:
    return {row["cube_id"]: row["size_bytes"] for row in await work.all(_SIZES, ids=list(ids))}


async def uses(work: UnitOfWork, ids: Sequence[str]) -> dict[str, list[datetime]]:
    """The newest reads of each cube by turns, newest first."""
    found: dict[str, list[datetime]] = {}
    for row in await work.all(_USES, ids=list(ids)):
        found.setdefault(row["id"], []).append(row["moment"])
    return found


async def parent_state(work: UnitOfWork, version_id: str) -> RowMapping | None:
    """The state that this one was advanced from."""
    return await work.first(_PARENT_STATE, version_id=version_id)


async def drop_blob(work: UnitOfWork, blob_id: str) -> None:
    """The row of an object that no version refers to."""
    await work.run(_DROP_BLOB, id=blob_id)
