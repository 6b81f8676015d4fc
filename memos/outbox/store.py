"""SQL of the outbox. A row is written in the transaction whose effect it promises, and is done in the transaction that
has the effect; until then it is dispatched again and again (P8).
"""

from collections.abc import Sequence
from typing import Any

import psycopg.types.json
from sqlalchemy import RowMapping, text

from memos.kit.ids import new_id
from memos.kit.unit_of_work import UnitOfWork

# What a waiting job is told: look again after this long, unless something wakes it sooner.
WAIT_S = 1.0
MOST_BACKOFF_S = 60.0

_COLUMNS = """id, task, subject, turn_id, status, dispatches, failures, error, available_at, created_at, done_at"""
_RECORD = text("""
    INSERT INTO outbox (tenant_id, id, task, subject, turn_id)
    VALUES (:tenant_id, :id, :task, :subject, :turn_id)""")
_DONE_FOR_TURNS = text("""
    UPDATE outbox SET status = 'done', done_at = now(), lease_owner = NULL, lease_expires_at = NULL
    WHERE turn_id = ANY(:turn_ids) AND status <> 'done'""")
# Something a waiting job waits for has happened: make it available at once.
_NUDGE = text("""
    UPDATE outbox SET available_at = now()
    WHERE subject = :subject AND status = 'queued' AND failures = 0 AND available_at > now()""")
_TAKE = text("""
    UPDATE outbox SET lease_owner = :owner, lease_expires_at = now() + make_interval(secs => :lease_s)
    WHERE id = :id AND status = 'running'""")
_EXTEND = text("""
    UPDATE outbox SET lease_expires_at = now() + make_interval(secs => :lease_s)
    WHERE id = :id AND status = 'running' AND lease_owner = :owner""")
# The task came back without an error. Whether its effect is there is read from the turn, not believed.
_SETTLE = text("""
    UPDATE outbox o SET lease_owner = NULL, lease_expires_at = NULL,
      status = CASE WHEN s.settled THEN 'done' ELSE 'queued' END,
      done_at = CASE WHEN s.settled THEN now() END,
      available_at = now() + make_interval(secs => :wait_s)
    FROM (SELECT NOT EXISTS (SELECT FROM turns t JOIN outbox j ON j.turn_id = t.id
                             WHERE j.id = :id AND t.status IN ('accepted', 'answered')) AS settled) s
    WHERE o.id = :id AND o.status = 'running' AND o.lease_owner = :owner""")
_FAIL = text("""
    UPDATE outbox SET failures = failures + 1, error = :error, lease_owner = NULL, lease_expires_at = NULL,
      status = CASE WHEN failures + 1 >= :most THEN 'failed' ELSE 'queued' END,
      available_at = now() + make_interval(secs => least(:most_backoff_s, 0.25 * 2 ^ failures))
    WHERE id = :id AND status = 'running' AND lease_owner = :owner
    RETURNING status""")
_RETRY = text("""
    UPDATE outbox SET status = 'queued', failures = 0, available_at = now()
    WHERE id = :id AND status = 'failed'""")
_GET = text(f"SELECT {_COLUMNS} FROM outbox WHERE id = :id")
_LIST = text(f"""
    SELECT {_COLUMNS} FROM outbox
    WHERE (CAST(:status AS text) IS NULL OR status = :status) AND (CAST(:before AS text) IS NULL OR id < :before)
    ORDER BY id DESC LIMIT :limit""")
_COUNTS = text("""
    SELECT count(*) FILTER (WHERE status = 'queued') AS queued,
           count(*) FILTER (WHERE status = 'running') AS running,
           count(*) FILTER (WHERE status = 'failed') AS failed,
           coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE status IN ('queued', 'running'))), 0)
             ::float8 AS oldest_age_s
    FROM outbox WHERE status <> 'done'""")
_OLDEST_DUE = text("""
    SELECT coalesce(extract(epoch FROM now() - min(coalesce(lease_expires_at, available_at))), 0)::float8 AS age_s
    FROM outbox
    WHERE (status = 'queued' AND available_at <= now()) OR (status = 'running' AND lease_expires_at < now())""")


async def record(work: UnitOfWork, *, task: str, subject: str, turn_id: str | None) -> None:
    await work.run(_RECORD, tenant_id=work.tenant_id, id=new_id("job"), task=task, subject=subject, turn_id=turn_id)


async def record_many(work: UnitOfWork, *, task: str, subject: str, turn_ids: Sequence[str]) -> None:
    rows = [
        {"tenant_id": work.tenant_id, "id": new_id("job"), "task": task, "subject": subject, "turn_id": turn_id}
        for turn_id in turn_ids
    ]
    await work.run_many(_RECORD, rows)


async def done_for_turns(work: UnitOfWork, turn_ids: Sequence[str]) -> None:
    await work.run(_DONE_FOR_TURNS, turn_ids=list(turn_ids))


async def nudge(work: UnitOfWork, subject: str) -> None:
    await work.run(_NUDGE, subject=subject)


async def take(work: UnitOfWork, *, job_id: str, owner: str, lease_s: float) -> bool:
    """False: the job is no longer open, so this message is a late or double one."""
    return bool(await work.run(_TAKE, id=job_id, owner=owner, lease_s=lease_s))


async def extend(work: UnitOfWork, *, job_id: str, owner: str, lease_s: float) -> bool:
    return bool(await work.run(_EXTEND, id=job_id, owner=owner, lease_s=lease_s))


async def settle(work: UnitOfWork, *, job_id: str, owner: str) -> None:
    await work.run(_SETTLE, id=job_id, owner=owner, wait_s=WAIT_S)


async def fail(work: UnitOfWork, *, job_id: str, owner: str, error: dict[str, Any], most: int) -> str | None:
    """Counts a failure and sets the next try, with growing delay; after `most` the job waits for an admin."""
    row = await work.first(
        _FAIL,
        id=job_id,
        owner=owner,
        error=psycopg.types.json.Jsonb(error),
        most=most,
        most_backoff_s=MOST_BACKOFF_S,
    )
    return row["status"] if row else None


async def retry(work: UnitOfWork, job_id: str) -> bool:
    return bool(await work.run(_RETRY, id=job_id))


async def get(work: UnitOfWork, job_id: str) -> RowMapping | None:
    return await work.first(_GET, id=job_id)


async def listing(work: UnitOfWork, *, status: str | None, before: str | None, limit: int) -> Sequence[RowMapping]:
    return await work.all(_LIST, status=status, before=before, limit=limit)


async def counts(work: UnitOfWork) -> RowMapping:
    return await work.one(_COUNTS)


async def oldest_due_s(work: UnitOfWork) -> float:
    """Seconds that the longest-waiting due job of this tenant has been due."""
    return float((await work.one(_OLDEST_DUE))["age_s"])
