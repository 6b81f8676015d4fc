"""Runs one claimed job: takes its lease over, keeps it while the task works, and writes down how it ended."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import Literal

import structlog
from sqlalchemy import RowMapping

from memos.kit.config import Settings
from memos.kit.db import Database
from memos.kit.doors import ClaimedJob
from memos.kit.errors import MemosError, Unavailable
from memos.kit.metrics import Metrics
from memos.kit.tracing import Tracing
from memos.kit.wakeups import OUTBOX, Wakeups
from memos.outbox import store
from memos.outbox.verdict import WorkerLost, judge

LOG = structlog.get_logger(__name__)

# (tenant, subject) -> whether everything is settled or something else must happen first.
Task = Callable[[str, str], Awaitable[Literal["settled", "waiting"]]]


class UnknownTask(MemosError):
    """No task of this name is known here."""

    code = "unknown_task"
    hint = "A newer process recorded this job: bring the workers to the same release."


class JobRunner:
    """What a task queue calls. Safe to call twice for one job, late, or out of order. `on_progress` is called with
    every job started, kept or ended: who watches from outside sees by it that work goes on."""

    def __init__(
        self,
        database: Database,
        tasks: Mapping[str, Task],
        wakeups: Wakeups,
        metrics: Metrics,
        settings: Settings,
        on_progress: Callable[[], None] = lambda: None,
        tracing: Tracing | None = None,
    ) -> None:
        self._database = database
        self._tasks = tasks
        self._wakeups = wakeups
        self._metrics = metrics
        self._settings = settings
        self._on_progress = on_progress
        self._tracing = tracing or Tracing(None)
        self.progress = 0  # the same, counted

    async def run(self, job: ClaimedJob) -> None:
        """Does not raise for a task that fails: the outcome is in the job's row. Raises Unavailable if that could not
        be written; the lease then brings the job back."""
        owner = f"worker-{secrets.token_hex(8)}"
        async with self._database.unit_of_work(job.tenant_id) as work:
            taken = await store.take(work, job_id=job.job_id, owner=owner, lease_s=self._settings.lease_s)
        self._progressed()
        if taken is None:
            LOG.info("job.not_open", job_id=job.job_id, task=job.task)
            return
        ids = {"job_id": job.job_id, "task": job.task, "subject": job.subject}
        if taken["turn_id"] is not None:
            ids["turn_id"] = taken["turn_id"]
        opened = self._tracing.entry(f"job {job.task}", "consumer", taken["traceparent"], **ids)
        with structlog.contextvars.bound_contextvars(**ids), opened as span:
            outcome = await self._run(job, owner, taken)
            if span is not None:
                span.named(f"job {job.task}", {"outcome": outcome})

    async def _run(self, job: ClaimedJob, owner: str, taken: RowMapping) -> str:
        """Until it has ended; how."""
        began = time.perf_counter()
        try:
            if taken["failures"] >= self._settings.job_max_attempts:
                raise WorkerLost
            async with self._lease_kept(job, owner):
                await self._task(job)(job.tenant_id, job.subject)
            outcome = await self._settled(job, owner, taken["taken_at"])
        except asyncio.CancelledError:
            await asyncio.shield(self._released(job, owner))
            raise
        except Exception as error:
            if not isinstance(error, MemosError):
                LOG.exception("job.bug")
            outcome = await self._failed(job, owner, error)
        finally:
            self._progressed()
        took_s = time.perf_counter() - began
        self._metrics.job_ended(job.task, outcome, took_s)
        LOG.info("job.ended", outcome=outcome, took_ms=round(took_s * 1000, 1))
        return outcome

    def _task(self, job: ClaimedJob) -> Task:
        task = self._tasks.get(job.task)
        if task is None:
            raise UnknownTask(f"there is no task {job.task!r} here")
        return task

    async def _settled(self, job: ClaimedJob, owner: str, taken_at: datetime) -> str:
        async with self._database.unit_of_work(job.tenant_id) as work:
            status = await store.settle(work, subject=job.subject, owner=owner, taken_at=taken_at)
            # Rows of the same subject that waited for this one may go on.
            work.after_commit(lambda: self._wakeups.wake(OUTBOX))
        return "done" if status == "done" else "waiting"

    async def _failed(self, job: ClaimedJob, owner: str, error: Exception) -> str:
        async with self._database.unit_of_work(job.tenant_id) as work:
            row = await store.held(work, subject=job.subject, owner=owner)
            if row is None:
                LOG.warning("job.lease_lost", job_id=job.job_id, task=job.task, error=type(error).__name__)
                return "lost"
            verdict = judge(
                error,
                failures=row["failures"],
                previous=row["error"],
                most_attempts=self._settings.job_max_attempts,
            )
            await store.fail(work, row["id"], verdict)
        log = LOG.error if verdict.status == "failed" else LOG.warning
        log(
            "job.error",
            job_id=row["id"],
            task=job.task,
            code=verdict.error["code"],
            status=verdict.status,
            transient=not verdict.counted,
            retry_in_s=verdict.delay_s,
        )
        return "failed" if verdict.status == "failed" else "retry"

    async def _released(self, job: ClaimedJob, owner: str) -> None:
        """This process is stopping: the next one need not wait for the lease to lapse."""
        try:
            async with self._database.unit_of_work(job.tenant_id) as work:
                await store.release(work, subject=job.subject, owner=owner)
        except Unavailable as error:
            LOG.warning("job.left_to_lease", job_id=job.job_id, reason=error.message)

    @contextlib.asynccontextmanager
    async def _lease_kept(self, job: ClaimedJob, owner: str) -> AsyncIterator[None]:
        keeper = asyncio.create_task(self._keep(job, owner))
        try:
            yield
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)

    async def _keep(self, job: ClaimedJob, owner: str) -> None:
        while True:
            await asyncio.sleep(self._settings.lease_s / 3)
            self._progressed()
            try:
                async with self._database.unit_of_work(job.tenant_id) as work:
                    await store.extend(work, subject=job.subject, owner=owner, lease_s=self._settings.lease_s)
            except Unavailable as error:
                LOG.warning("job.lease_not_renewed", job_id=job.job_id, reason=error.message)

    def _progressed(self) -> None:
        self.progress += 1
        self._on_progress()
