"""The watchdog: due work that nobody touches is reported and its consumer restarted, not waited for.

A stuck queue is the failure nobody is told about. Here "stuck" means: some job has been due for longer than
`watchdog_idle_s`, and the consumer has neither started, renewed nor ended a job in that time.
"""

import asyncio
from typing import Protocol

import structlog

from memos.kit.config import Settings
from memos.kit.db import Database
from memos.kit.doors import tenant_ids
from memos.kit.errors import Unavailable
from memos.outbox import store

LOG = structlog.get_logger(__name__)


class Consumer(Protocol):
    @property
    def progress(self) -> int:
        """Changes whenever it does anything."""
        ...

    async def restart(self) -> None: ...


async def oldest_due_s(database: Database) -> float:
    """How long the longest-waiting due job of any tenant has waited, in seconds; 0 when nothing is due."""
    oldest = 0.0
    for tenant_id in await tenant_ids(database):
        async with database.unit_of_work(tenant_id) as work:
            oldest = max(oldest, await store.oldest_due_s(work))
    return oldest


class Watchdog:
    """Looks twice per idle time. `restarts` counts what it had to do."""

    def __init__(self, database: Database, consumer: Consumer, settings: Settings) -> None:
        self._database = database
        self._consumer = consumer
        self._idle_s = settings.watchdog_idle_s
        self._seen = -1
        self.restarts = 0

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await asyncio.sleep(self._idle_s / 2)
            try:
                await self.look()
            except Unavailable as error:
                LOG.warning("watchdog.unavailable", reason=error.message)

    async def look(self) -> bool:
        """True if the consumer was idle while the outbox aged, and was restarted."""
        age_s = await oldest_due_s(self._database)
        idle = self._consumer.progress == self._seen
        self._seen = self._consumer.progress
        if not idle or age_s < self._idle_s:
            return False
        LOG.error("watchdog.consumer_idle", outbox_age_s=round(age_s, 1), action="restart")
        self.restarts += 1
        await self._consumer.restart()
        return True
