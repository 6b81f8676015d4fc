"""This process among those that serve: it keeps a lease, and confirms each revision of a tenant once it holds nothing
older. What silence means: a process whose lease ran out can reach neither the database nor, by then, anything it had
begun, since the lease is longer than any call to a model.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable

import structlog

from memos.kit.config import Settings
from memos.kit.db import Database
from memos.kit.doors import tenant_ids
from memos.kit.errors import Unavailable
from memos.kit.wakeups import Wakeups
from memos.processes import store

LOG = structlog.get_logger(__name__)
ERASURE = "erasure"  # the scope, and the channel that says it was raised
LEASES = 3  # of a turn or job make one of a process


class ServingProcess:
    """`let_go` is awaited after a revision was seen and before it is confirmed: it drops what this process holds, and
    returns when all that began before it has ended."""

    def __init__(
        self, database: Database, wakeups: Wakeups, settings: Settings, let_go: Callable[[], Awaitable[None]]
    ) -> None:
        self.id = f"process-{secrets.token_hex(8)}"
        self._database = database
        self._wakeups = wakeups
        self._lease_s = settings.lease_s * LEASES
        self._every_s = settings.lease_s / 3
        self._let_go = let_go
        self._seen: dict[str, int] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Registered before it serves: from here on an erasure waits for it."""
        await store.alive(self._database, self.id, self._lease_s)
        loops = (self._run(self._stay_alive), self._run(self.look))
        self._tasks = [asyncio.create_task(loop, name="processes") for loop in loops]

    async def stop(self) -> None:
        if not self._tasks:
            return
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        try:
            await store.gone(self._database, self.id)
        except Unavailable as error:
            LOG.info("process.left_to_lease", reason=error.message)

    async def take_over(self) -> None:
        """At the start of a process that is alone with its database."""
        await store.alone(self._database, self.id)

    async def _run(self, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await step()
            except Unavailable as error:
                LOG.warning("process.not_confirmed", code=error.code, reason=error.message)
            except Exception:
                LOG.exception("process.crashed")
            await self._wakeups.wait(ERASURE, self._every_s)

    async def _stay_alive(self) -> None:
        """By itself, since letting go may take longer than a lease."""
        await store.alive(self._database, self.id, self._lease_s)

    async def look(self) -> None:
        """One round over what was raised since."""
        dropped = await store.drop_long_gone(self._database)
        for tenant_id in await tenant_ids(self._database):
            revision = await store.revision(self._database.single(tenant_id), ERASURE)
            if dropped and revision:
                async with self._database.unit_of_work(tenant_id) as work:
                    await store.forget_confirmations(work, dropped)
            if revision > self._seen.get(tenant_id, 0):
                await self._let_go()
                async with self._database.unit_of_work(tenant_id) as work:
                    await store.confirm(work, ERASURE, self.id, revision)
                self._seen[tenant_id] = revision
                self._wakeups.wake(ERASURE)
