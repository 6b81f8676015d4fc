"""Readings of memories, counted after the answer: many in one statement, a moment later. What a crash takes with it are
the counts of that moment, and nothing else.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable

import structlog

from memos.kit.db import Database
from memos.kit.errors import MemosError
from memos.memories import store

LOG = structlog.get_logger(__name__)
EVERY_S = 1.0
MOST_AT_ONCE = 1_000
MOST_WAITING = 100_000  # beyond, while the database is away, readings are not counted


class Reads:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[str, Counter[str]] = {}
        self._task: asyncio.Task[None] | None = None

    def count(self, tenant_id: str, cube_ids: Iterable[str]) -> None:
        waiting = self._waiting.setdefault(tenant_id, Counter())
        if len(waiting) < MOST_WAITING:
            waiting.update(cube_ids)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._later())

    async def flush(self) -> None:
        """In the order of ids, so that two processes never wait for each other in a circle."""
        waiting, self._waiting = self._waiting, {}
        for tenant_id, counted in waiting.items():
            ids = sorted(counted)
            for start in range(0, len(ids), MOST_AT_ONCE):
                some = {cube_id: counted[cube_id] for cube_id in ids[start : start + MOST_AT_ONCE]}
                try:
                    async with self._database.unit_of_work(tenant_id) as work:
                        await store.count_reads(work, some)
                except MemosError as error:
                    LOG.warning("recall.reads_not_counted", code=error.code, count=len(some))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.flush()

    async def _later(self) -> None:
        while self._waiting:
            await asyncio.sleep(EVERY_S)
            await self.flush()
