"""The watchdog: due work that nobody touches is reported and its consumer restarted, not waited for.

A stuck queue is the failure nobody is told about. Here "stuck" means: for `patience_s` some due job was neglected and
the consumer neither started, renewed nor ended a job. Neglected is what the consumer is there for and does not do: for
a relay, a due job that was not dispatched; for a worker, a dispatched job that was not taken; for the embedded
placement, either. A job behind a running or a failed one of its own subject is not neglected.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Literal, Protocol

import structlog
from sqlalchemy import RowMapping

from memos.kit.db import Database
from memos.kit.doors import tenant_ids
from memos.kit.errors import Unavailable
from memos.kit.metrics import Metrics
from memos.outbox import store

LOG = structlog.get_logger(__name__)
LOOKS = 4  # per patience
Duty = Literal["dispatch", "take", "both"]
NEGLECTED: dict[Duty, Callable[[RowMapping], float]] = {
    "dispatch": lambda row: float(row["undispatched_s"]),
    "take": lambda row: float(row["untaken_s"]),
    "both": lambda row: max(float(row["undispatched_s"]), float(row["untaken_s"])),
}


class Consumer(Protocol):
    @property
    def progress(self) -> int:
        """Changes whenever it does anything."""
        ...

    async def restart(self) -> None: ...


class Watchdog:
    """To look once per `interval_s`. `restarts` counts what it had to do."""

    def __init__(
        self, database: Database, consumer: Consumer, metrics: Metrics, *, patience_s: float, duty: Duty
    ) -> None:
        self._database = database
        self._consumer = consumer
        self._metrics = metrics
        self._patience_s = patience_s
        self.interval_s = patience_s / LOOKS
        self._neglected = NEGLECTED[duty]
        self._seen = -1
        self._idle_since: float | None = None
        self.restarts = 0

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await asyncio.sleep(self.interval_s)
            await self.look_if_possible()

    async def look_if_possible(self) -> bool:
        """The same as `look`; without a database there is nothing to see."""
        try:
            return await self.look()
        except Unavailable as error:
            LOG.warning("watchdog.unavailable", reason=error.message)
            return False

    async def look(self) -> bool:
        """True if the consumer idled while the outbox aged, and was restarted."""
        age_s = await self._measure()
        progress, now = self._consumer.progress, time.monotonic()
        if age_s <= 0 or progress != self._seen:
            self._seen, self._idle_since = progress, None
            return False
        if self._idle_since is None:
            self._idle_since = now
        # Young neglect, look after look, is what somebody else of the same duty keeps clearing away.
        if min(now - self._idle_since, age_s) < self._patience_s:
            return False
        LOG.error("watchdog.consumer_idle", outbox_age_s=round(age_s, 1), action="restart")
        self.restarts += 1
        self._metrics.watchdog_restarts.inc()
        self._idle_since = None
        await self._consumer.restart()
        return True

    async def _measure(self) -> float:
        """Seconds of the longest neglect over all tenants; also brings the gauges up to date."""
        neglected, oldest, depth = 0.0, defaultdict[str, float](float), Counter[tuple[str, str]]()
        for tenant_id in await tenant_ids(self._database):
            async with self._database.unit_of_work(tenant_id) as work:
                rows, open_jobs = await store.neglect(work), await store.depth(work)
            for row in rows:
                neglected = max(neglected, self._neglected(row))
                oldest[row["task"]] = max(oldest[row["task"]], NEGLECTED["both"](row))
            for row in open_jobs:
                depth[row["task"], row["status"]] += row["jobs"]
        self._metrics.outbox(depth, oldest)
        return neglected
