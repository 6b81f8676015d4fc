"""SQL of the outbox. A row is written in the transaction whose effect it promises, and is done in the transaction that
has the effect; until then it is dispatched again and again (P8).

A lease is on a subject, by way of one of its rows. A relay holds it from the claim to the take (`relay-...`), then the
run that took it (`worker-...`, a new name for each run). One run takes in everything its subject has pending, so
when its row is done the lease passes to the subject's next open row: the subject is never free while it is worked on.
"""

from collections.abc import Sequence
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import RowMapping, text

from memos.kit import tracing
from memos.kit.ids import new_id
from memos.kit.unit_of_work import UnitOfWork
from memos.outbox.verdict import Verdict

# A waiting job is nudged by what it waits for, in that one's own transaction; this is for what nobody foresaw.
WAIT_S = 5.0
# How long a relay may take to see a lapsed lease before that is its neglect.
RELAY_S = 2.0
# A job whose message could not be sent: the broker is full or just gone.
UNSENT_S = 1.0

_COLUMNS = """
    id, task, subject, turn_id, status, dispatches, failures, error, progress, available_at, created_at, done_at"""
_RECORD = text("""
    INSERT INTO outbox (tenant_id, id, task, subject, turn_id, traceparent)
    VALUES (:tenant_id, :id, :task, :subject, :turn_id, :traceparent)""")
# Done, with the lease handed on; and what failed on the same subject is worth another try, since something changed.
_DONE_FOR_TURNS = text("""
    WITH mine AS (
      SELECT id, task, subject, lease_owner, lease_expires_at FROM outbox
      WHERE turn_id = ANY(:turn_ids) AND status <> 'done' ORDER BY id FOR UPDATE
    ), ended AS (
      UPDATE outbox o SET status = 'done', done_at = now(), error = NULL, lease_owner = NULL, lease_expires_at = NULL
      FROM mine WHERE o.id = mine.id
    ), reopened AS (
      UPDATE outbox o SET status = 'queued', failures = 0, available_at = now()
      FROM (SELECT DISTINCT task, subject FROM mine) m
      WHERE o.task = m.task AND o.subject = m.subject AND o.status = 'failed' AND o.turn_id <> ALL(:turn_ids)
    ), heirs AS (
      SELECT DISTINCT ON (m.task, m.subject) h.id, m.lease_owner, m.lease_expires_at
      FROM mine m CROSS JOIN LATERAL (
        SELECT o.id FROM outbox o
        WHERE o.task = m.task AND o.subject = m.subject AND o.status = 'queued'
          AND (o.turn_id IS NULL OR o.turn_id <> ALL(:turn_ids))
        ORDER BY o.id LIMIT 1) h
      WHERE m.lease_owner LIKE 'worker-%' AND m.lease_expires_at >= now()
    )
    UPDATE outbox o SET status = 'running', lease_owner = h.lease_owner, lease_expires_at = h.lease_expires_at
    FROM heirs h WHERE o.id = h.id AND o.status = 'queued'""")
_REOPEN = text("""
    UPDATE outbox SET status = 'queued', failures = 0, available_at = now()
    WHERE task = :task AND subject = :subject AND status = 'failed'""")
# Something a waiting job waits for has happened: make it available at once. One that is running may have looked just
# before; the newer `available_at` tells it, when it settles, to be queued without delay. A row that is locked is being
# settled this moment: rather than wait for it, and perhaps for ever in a circle, its nudge is lost and WAIT_S serves.
_NUDGE = text("""
    UPDATE outbox SET available_at = clock_timestamp() WHERE id IN (
      SELECT id FROM outbox WHERE subject = :subject
        AND (status = 'running' OR (status = 'queued' AND error IS NULL AND available_at > now()))
      FOR UPDATE SKIP LOCKED)""")
# One message, one run: a double or late message finds the lease with a worker, or the job no longer open.
_TAKE = text("""
    UPDATE outbox SET lease_owner = :owner, lease_expires_at = now() + make_interval(secs => :lease_s)
    WHERE id = :id AND status = 'running' AND (lease_owner LIKE 'relay-%' OR lease_expires_at < now())
    RETURNING failures, now() AS taken_at, turn_id, traceparent""")
_EXTEND = text("""
    UPDATE outbox SET lease_expires_at = now() + make_interval(secs => :lease_s)
    WHERE subject = :subject AND status = 'running' AND lease_owner = :owner""")
_HELD = text("""
    SELECT id, failures, error FROM outbox
    WHERE subject = :subject AND status = 'running' AND lease_owner = :owner FOR UPDATE""")
# The task came back without an error. Whether its effect is there is read from the turn, not believed.
_SETTLE = text("""
    UPDATE outbox o SET lease_owner = NULL, lease_expires_at = NULL, error = NULL,
      status = CASE WHEN s.settled THEN 'done' ELSE 'queued' END,
      done_at = CASE WHEN s.settled THEN now() END,
      available_at = CASE WHEN o.available_at > :taken_at THEN now() ELSE now() + make_interval(secs => :wait_s) END
    FROM (SELECT j.id, NOT EXISTS (SELECT FROM turns t WHERE t.id = j.turn_id
                                     AND t.status IN ('accepted', 'answered')) AS settled
          FROM outbox j WHERE j.subject = :subject AND j.status = 'running' AND j.lease_owner = :owner) s
    WHERE o.id = s.id AND o.status = 'running' AND o.lease_owner = :owner
    RETURNING o.status""")
_FAIL = text("""
    UPDATE outbox SET status = :status, error = :error, failures = failures + CAST(:counted AS integer),
      lease_owner = NULL, lease_expires_at = NULL, available_at = now() + make_interval(secs => :delay_s)
    WHERE id = :id""")
_RELEASE = text("""
    UPDATE outbox SET status = 'queued', lease_owner = NULL, lease_expires_at = NULL,
      available_at = now() + make_interval(secs => :delay_s)
    WHERE subject = :subject AND status = 'running' AND lease_owner = :owner""")
_RETRY = text("""
    UPDATE outbox SET status = 'queued', failures = 0, available_at = now()
    WHERE id = :id AND status = 'failed'""")
_FAILED_OF = text("SELECT subject, error FROM outbox WHERE subject = ANY(:subjects) AND status = 'failed'")
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
# Due work that nobody is at: `undispatched` is a relay's neglect (a lapsed lease too, once it had time to see it),
# `untaken` a worker's. What waits behind a run or a failed job of its own subject is nobody's.
_NEGLECT = text("""
    WITH idle AS (
      SELECT o.task,
             CASE WHEN o.status = 'queued' OR o.lease_expires_at < now() - make_interval(secs => :relay_s)
                  THEN 'undispatched' ELSE 'untaken' END AS how,
             extract(epoch FROM now() - CASE WHEN o.lease_owner LIKE 'worker-%' THEN o.lease_expires_at
                                             ELSE o.available_at END) AS age_s
      FROM outbox o
      WHERE ((o.status = 'queued' AND o.available_at <= now())
             OR (o.status = 'running' AND (o.lease_owner LIKE 'relay-%' OR o.lease_expires_at < now())))
        AND NOT EXISTS (
          SELECT FROM outbox b WHERE b.subject = o.subject AND b.task = o.task AND (b.status = 'failed'
            OR (b.status = 'running' AND b.lease_owner LIKE 'worker-%' AND b.lease_expires_at >= now()))))
    SELECT task, coalesce(max(age_s) FILTER (WHERE how = 'undispatched'), 0)::float8 AS undispatched_s,
           coalesce(max(age_s) FILTER (WHERE how = 'untaken'), 0)::float8 AS untaken_s
    FROM idle GROUP BY task""")
_DEPTH = text("SELECT task, status, count(*) AS jobs FROM outbox WHERE status <> 'done' GROUP BY task, status")
# What a worker held when its process died may be what killed it, and counts, as it does when a lease lapses.
_RELEASE_RUNNING = text("""
    UPDATE outbox SET status = 'queued', failures = failures + CAST(lease_owner LIKE 'worker-%' AS integer),
      lease_owner = NULL, lease_expires_at = NULL, available_at = now()
    WHERE status = 'running'""")

# All of a tenant's schedules in one look. Only what seems due is written to, under the lock of its row and after a
# second look at it; the job of one whose last run is still open is left alone, and so is the schedule.
_QUEUE_DUE = text("""
    WITH wanted AS (
      SELECT * FROM unnest(CAST(:names AS text[]), CAST(:tasks AS text[]), CAST(:every AS float8[]),
                           CAST(:ids AS text[]), CAST(:job_ids AS text[])) AS w(name, task, every_s, id, job_id)
    ), due AS (
      SELECT w.* FROM wanted w LEFT JOIN schedules s ON s.name = w.name
      WHERE s.id IS NULL OR (s.last_at <= now() - make_interval(secs => w.every_s) AND NOT EXISTS (
        SELECT FROM outbox o WHERE o.schedule_id = s.id AND o.status IN ('queued', 'running')))
    ), moved AS (
      INSERT INTO schedules AS s (tenant_id, id, name, task, every_s)
      SELECT :tenant_id, d.id, d.name, d.task, d.every_s FROM due d ORDER BY d.name
      ON CONFLICT (tenant_id, name) DO UPDATE
        SET last_at = now(), runs = s.runs + 1, task = EXCLUDED.task, every_s = EXCLUDED.every_s
        WHERE s.last_at <= now() - make_interval(secs => EXCLUDED.every_s)
      RETURNING s.id, s.name, s.task, s.runs
    )
    INSERT INTO outbox AS o (tenant_id, id, task, subject, schedule_id)
    SELECT :tenant_id, d.job_id, m.task, m.id, m.id FROM moved m JOIN due d USING (name) WHERE m.runs > 0
    ON CONFLICT (schedule_id) DO UPDATE
      SET task = EXCLUDED.task, status = 'queued', dispatches = 0, failures = 0, error = NULL, done_at = NULL,
          available_at = now(), created_at = now()
      WHERE o.status IN ('done', 'failed')""")
_SCHEDULES = text("""
    SELECT s.name, s.last_at, s.runs, o.id AS job_id, o.status, o.done_at, o.error ->> 'code' AS error
    FROM schedules s LEFT JOIN outbox o ON o.schedule_id = s.id""")


async def record(work: UnitOfWork, *, task: str, subject: str, turn_id: str | None) -> None:
    """Without a turn the job is about the subject as a whole, which has changed: what failed on it may work now."""
    await work.run(_RECORD, **_row(work, task, subject, turn_id))
    if turn_id is None:
        await work.run(_REOPEN, task=task, subject=subject)


async def record_many(work: UnitOfWork, *, task: str, subject: str, turn_ids: Sequence[str]) -> None:
    await work.run_many(_RECORD, [_row(work, task, subject, turn_id) for turn_id in turn_ids])


def _row(work: UnitOfWork, task: str, subject: str, turn_id: str | None) -> dict[str, Any]:
    return {
        "tenant_id": work.tenant_id,
        "id": new_id("job"),
        "task": task,
        "subject": subject,
        "turn_id": turn_id,
        "traceparent": tracing.traceparent(),
    }


async def done_for_turns(work: UnitOfWork, turn_ids: Sequence[str]) -> None:
    await work.run(_DONE_FOR_TURNS, turn_ids=list(turn_ids))


async def nudge(work: UnitOfWork, subject: str) -> None:
    await work.run(_NUDGE, subject=subject)


async def take(work: UnitOfWork, *, job_id: str, owner: str, lease_s: float) -> RowMapping | None:
    """None: this message is a late or double one, and there is nothing to do for it."""
    return await work.first(_TAKE, id=job_id, owner=owner, lease_s=lease_s)


async def extend(work: UnitOfWork, *, subject: str, owner: str, lease_s: float) -> bool:
    return bool(await work.run(_EXTEND, subject=subject, owner=owner, lease_s=lease_s))


async def held(work: UnitOfWork, *, subject: str, owner: str) -> RowMapping | None:
    """The row through which a run holds its subject now, locked."""
    return await work.first(_HELD, subject=subject, owner=owner)


async def settle(work: UnitOfWork, *, subject: str, owner: str, taken_at: Any) -> str:
    """How the row that the run holds went on; `done` if the run had nothing left to hold."""
    row = await work.first(_SETTLE, subject=subject, owner=owner, taken_at=taken_at, wait_s=WAIT_S)
    return str(row["status"]) if row else "done"


async def fail(work: UnitOfWork, job_id: str, verdict: Verdict) -> None:
    await work.run(
        _FAIL,
        id=job_id,
        status=verdict.status,
        error=Jsonb(verdict.error),
        counted=verdict.counted,
        delay_s=verdict.delay_s,
    )


async def release(work: UnitOfWork, *, subject: str, owner: str, delay_s: float = 0.0) -> None:
    """Gives the subject back untouched."""
    await work.run(_RELEASE, subject=subject, owner=owner, delay_s=delay_s)


async def retry(work: UnitOfWork, job_id: str) -> bool:
    return bool(await work.run(_RETRY, id=job_id))


async def get(work: UnitOfWork, job_id: str) -> RowMapping | None:
    return await work.first(_GET, id=job_id)


async def failed_of(work: UnitOfWork, subjects: Sequence[str]) -> Sequence[RowMapping]:
    """The failed jobs of these subjects, with their errors."""
    return await work.all(_FAILED_OF, subjects=list(subjects))


async def listing(work: UnitOfWork, *, status: str | None, before: str | None, limit: int) -> Sequence[RowMapping]:
    return await work.all(_LIST, status=status, before=before, limit=limit)


async def counts(work: UnitOfWork) -> RowMapping:
    return await work.one(_COUNTS)


async def neglect(work: UnitOfWork) -> Sequence[RowMapping]:
    """By task: seconds for which this tenant's longest neglected job was due undispatched, and dispatched but untaken.
    A task of which nothing is neglected is not named."""
    return await work.all(_NEGLECT, relay_s=RELAY_S)


async def depth(work: UnitOfWork) -> Sequence[RowMapping]:
    """How many jobs are open, by task and status."""
    return await work.all(_DEPTH)


async def release_running(work: UnitOfWork) -> int:
    """Queues what is running again, whoever holds it: for a process that knows the holders to be gone."""
    return await work.run(_RELEASE_RUNNING)


async def queue_due(work: UnitOfWork, wanted: Sequence[tuple[str, str, float]]) -> int:
    """Queues the jobs of those schedules, each (name, task, every_s), that are due; how many."""
    return await work.run(
        _QUEUE_DUE,
        tenant_id=work.tenant_id,
        names=[name for name, _, _ in wanted],
        tasks=[task for _, task, _ in wanted],
        every=[every_s for _, _, every_s in wanted],
        ids=[new_id("sched") for _ in wanted],
        job_ids=[new_id("job") for _ in wanted],
    )


async def schedules(work: UnitOfWork) -> dict[str, RowMapping]:
    """By name: when each was last queued, and how its job stands."""
    return {row["name"]: row for row in await work.all(_SCHEDULES)}
