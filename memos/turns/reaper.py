"""The reaper: fails turns whose owner went silent, frees their keys, and lets the turns behind them go on. Also forgets
idempotency keys whose time is over. Runs beside the relay; any number may run.
"""

import asyncio

import structlog

from memos.idempotency import store as keys
from memos.kit.config import Settings
from memos.kit.db import Database
from memos.kit.doors import tenant_ids
from memos.kit.errors import Unavailable
from memos.kit.wakeups import OUTBOX, Wakeups
from memos.outbox import store as outbox
from memos.turns import store
from memos.turns.errors import LeaseLapsed
from memos.turns.service import conversation_channel

LOG = structlog.get_logger(__name__)


class Reaper:
    """One sweep over all tenants every third of a lease."""

    def __init__(self, database: Database, wakeups: Wakeups, settings: Settings) -> None:
        self._database = database
        self._wakeups = wakeups
        self._settings = settings

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                await self.sweep()
            except Unavailable as error:
                LOG.warning("reaper.unavailable", reason=error.message)
            await asyncio.sleep(self._settings.lease_s / 3)

    async def take_over(self) -> None:
        """At the start of a process that is alone with its database: whatever is under way there was left by a dead
        one, and need not wait for its leases to lapse."""
        await self.sweep(every=True)
        for tenant_id in await tenant_ids(self._database):
            async with self._database.unit_of_work(tenant_id) as work:
                await outbox.release_running(work)

    async def sweep(self, *, every: bool = False) -> int:
        """How many turns were failed: those whose lease lapsed, or every one under way."""
        reaped = 0
        for tenant_id in await tenant_ids(self._database):
            async with self._database.unit_of_work(tenant_id) as work:
                lapsed = await store.fail_lapsed(work, LeaseLapsed().problem(), every=every)
                await keys.release(work, [row["id"] for row in lapsed])
                await keys.purge(work)
                for conversation_id in {row["conversation_id"] for row in lapsed}:
                    await outbox.nudge(work, conversation_id)
                    channel = conversation_channel(conversation_id)
                    work.after_commit(lambda channel=channel: self._wakeups.wake(channel))  # type: ignore[misc]
            if lapsed:
                LOG.warning("reaper.failed_turns", count=len(lapsed), tenant_id=tenant_id)
                self._wakeups.wake(OUTBOX)
            reaped += len(lapsed)
        return reaped
