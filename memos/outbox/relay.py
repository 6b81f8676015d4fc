"""The relay: claims open jobs from the outbox and hands them to whoever runs them, again and again until their effect
is there. It holds nothing in memory that matters: kill it at any moment and the leases bring its jobs back.
"""

import asyncio
import secrets
import time
from collections.abc import Sequence
from typing import Protocol

import structlog

from memos.kit.config import Settings
from memos.kit.db import Database
from memos.kit.doors import ClaimedJob, claim_jobs
from memos.kit.errors import MemosError, Unavailable
from memos.kit.wakeups import OUTBOX, Wakeups
from memos.outbox import store
from memos.outbox.jobs import JobRunner

LOG = structlog.get_logger(__name__)
MOST_PER_CLAIM = 32
PAUSE_S = 0.5
STOP_GRACE_S = 10.0


class NotSent(Unavailable):
    """The task queue did not take a job."""

    code = "queue_unavailable"


class Dispatcher(Protocol):
    """Hands a claimed job on. May lose it: the lease brings it back."""

    async def room(self) -> int:
        """How many more jobs it can take now. Raises NotSent if it cannot know."""
        ...

    async def dispatch(self, job: ClaimedJob) -> None:
        """Raises NotSent if the job was not, or perhaps not, handed on."""
        ...

    async def reset(self) -> None:
        """Forgets its connections, if it has any: they may be what is stuck."""
        ...

    async def aclose(self) -> None: ...


class InProcessDispatcher:
    """Runs jobs as tasks of this event loop: the embedded placement."""

    MOST_AT_ONCE = 16

    def __init__(self, runner: JobRunner, wakeups: Wakeups) -> None:
        self._runner = runner
        self._wakeups = wakeups
        self._running: set[asyncio.Task[None]] = set()

    async def room(self) -> int:
        return self.MOST_AT_ONCE - len(self._running)

    async def dispatch(self, job: ClaimedJob) -> None:
        task = asyncio.create_task(self._runner.run(job))
        self._running.add(task)
        task.add_done_callback(self._ended)

    async def reset(self) -> None:
        """There is nothing to forget."""

    async def aclose(self) -> None:
        """Lets jobs finish for a while; the rest give their leases back."""
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=STOP_GRACE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._wakeups.wake(OUTBOX)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The row could not be written, so its lease will lapse and bring the job back.
            LOG.warning("job.outcome_not_recorded", reason=str(error))


class Relay:
    """One loop: claim, dispatch, wait for a wake-up or the poll interval."""

    def __init__(self, database: Database, wakeups: Wakeups, dispatcher: Dispatcher, settings: Settings) -> None:
        self._database = database
        self._wakeups = wakeups
        self._dispatcher = dispatcher
        self._settings = settings
        self._owner = f"relay-{secrets.token_hex(8)}"
        self._unavailable_since: float | None = None
        self._full_rounds = 0
        self.dispatched = 0

    @property
    def progress(self) -> int:
        """Changes while it does what it can: it dispatches, or there is no room to."""
        return self.dispatched + self._full_rounds

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                claimed = await self.round()
            except MemosError as error:
                self._unavailable(error)
                await asyncio.sleep(PAUSE_S)  # no wake-up mends what is down
                continue
            self._available()
            if not claimed:
                await self._wakeups.wait(OUTBOX, self._settings.relay_poll_s)

    async def round(self) -> int:
        """Claims what there is room for and dispatches it; how many. Claims nothing while there is no way to send it,
        so that an outage of the queue costs no lease."""
        room = min(MOST_PER_CLAIM, await self._dispatcher.room())
        if room <= 0:
            self._full_rounds += 1
            return 0
        jobs = await claim_jobs(self._database, owner=self._owner, most=room, lease_s=self._settings.lease_s)
        for sent, job in enumerate(jobs):
            try:
                await self._dispatcher.dispatch(job)
            except NotSent:
                await self._release(jobs[sent:])
                raise
            self.dispatched += 1
        return len(jobs)

    def _unavailable(self, error: MemosError) -> None:
        """Said once per outage, not once per try."""
        if self._unavailable_since is None:
            self._unavailable_since = time.monotonic()
            log = LOG.warning if isinstance(error, Unavailable) else LOG.error
            log("relay.unavailable", code=error.code, reason=error.message)

    def _available(self) -> None:
        if self._unavailable_since is not None:
            LOG.info("relay.available_again", after_s=round(time.monotonic() - self._unavailable_since, 1))
            self._unavailable_since = None

    async def _release(self, jobs: Sequence[ClaimedJob]) -> None:
        """Puts jobs back that were not sent. One that was sent after all finds its row queued and does nothing."""
        for job in jobs:
            async with self._database.unit_of_work(job.tenant_id) as work:
                await store.release(work, subject=job.subject, owner=self._owner, delay_s=store.UNSENT_S)
