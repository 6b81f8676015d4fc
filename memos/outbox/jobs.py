"""Runs one claimed job: takes its lease over, keeps it while the task works, and writes down how it ended."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Literal

import structlog

from memos.kit.config import Settings
from memos.kit.db import Database
from memos.kit.doors import ClaimedJob
from memos.kit.errors import MemosError, Unavailable
from memos.kit.wakeups import OUTBOX, Wakeups
from memos.outbox import store

LOG = structlog.get_logger(__name__)

# (tenant, subject) -> whether everything is settled or something else must happen first.
Task = Callable[[str, str], Awaitable[Literal["settled", "waiting"]]]


class JobRunner:
    """What a task queue calls. Safe to call twice for one job, late, or out of order."""

    def __init__(self, database: Database, tasks: Mapping[str, Task], wakeups: Wakeups, settings: Settings) -> None:
        self._database = database
        self._tasks = tasks
        self._wakeups = wakeups
        self._settings = settings
        self.owner = f"worker-{secrets.token_hex(8)}"
        self.progress = 0  # rises with every job started, kept or ended; the watchdog looks at it

    async def run(self, job: ClaimedJob) -> None:
        """Never raises for a task that fails: the outcome is in the job's row."""
        async with self._database.unit_of_work(job.tenant_id) as work:
            if not await store.take(work, job_id=job.job_id, owner=self.owner, lease_s=self._settings.lease_s):
                LOG.info("job.already_settled", job_id=job.job_id)
                return
        self.progress += 1
        try:
            task = self._tasks[job.task]
            async with self._lease_kept(job):
                await task(job.tenant_id, job.subject)
        except MemosError as error:
            await self._failed(job, error.problem())
        except Exception as error:
            LOG.exception("job.failed", job_id=job.job_id, task=job.task)
            await self._failed(job, {"code": "internal", "detail": type(error).__name__})
        else:
            async with self._database.unit_of_work(job.tenant_id) as work:
                await store.settle(work, job_id=job.job_id, owner=self.owner)
                # Rows of the same subject that waited for this one may go on.
                work.after_commit(lambda: self._wakeups.wake(OUTBOX))
        self.progress += 1

    async def _failed(self, job: ClaimedJob, error: dict[str, Any]) -> None:
        async with self._database.unit_of_work(job.tenant_id) as work:
            status = await store.fail(
                work, job_id=job.job_id, owner=self.owner, error=error, most=self._settings.job_max_attempts
            )
        log = LOG.error if status == "failed" else LOG.warning
        log("job.error", job_id=job.job_id, task=job.task, code=error.get("code"), status=status)

    @contextlib.asynccontextmanager
    async def _lease_kept(self, job: ClaimedJob) -> AsyncIterator[None]:
        keeper = asyncio.create_task(self._keep(job))
        try:
            yield
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)

    async def _keep(self, job: ClaimedJob) -> None:
        while True:
            await asyncio.sleep(self._settings.lease_s / 3)
            self.progress += 1
            try:
                async with self._database.unit_of_work(job.tenant_id) as work:
                    await store.extend(work, job_id=job.job_id, owner=self.owner, lease_s=self._settings.lease_s)
            except Unavailable as error:
                LOG.warning("job.lease_not_renewed", job_id=job.job_id, reason=error.message)
