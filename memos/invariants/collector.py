"""Removes payloads that nothing refers to; the task `collect_blobs`.

A blob's row commits before its upload, and a version refers to it afterwards, so a row without a version is either
young or garbage: what is older than the grace time goes. The row goes first, together with a note of it; then the
object; then the note. A reader that came by the row in between fails loudly, and a collector that dies leaves the note
to the next one, so nothing is left behind that nobody knows of.
"""

import asyncio
from dataclasses import dataclass
from typing import Literal

from memos.cubes.versions import blob_key
from memos.invariants import store
from memos.kit.blobs import Blobs
from memos.kit.config import Settings
from memos.kit.db import Database
from memos.kit.metrics import Metrics
from memos.outbox.schedule import Schedule, register

SCHEDULE = register(Schedule("blobs", "collect_blobs", 3600.0))
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class CollectBlobs:
    database: Database
    blobs: Blobs
    metrics: Metrics
    settings: Settings

    async def __call__(self, tenant_id: str, subject: str) -> Literal["settled"]:
        while True:
            async with self.database.unit_of_work(tenant_id) as work:
                await store.collect(work, grace_s=self.settings.blob_grace_s, limit=AT_ONCE)
            async with self.database.unit_of_work(tenant_id) as work:
                ids = await store.to_remove(work, AT_ONCE)
            if not ids:
                return "settled"
            await asyncio.to_thread(self._remove, ids)
            async with self.database.unit_of_work(tenant_id) as work:
                await store.removed(work, ids)
            self.metrics.blobs_collected.inc(len(ids))

    def _remove(self, ids: list[str]) -> None:
        for blob_id in ids:
            self.blobs.delete(blob_key(blob_id))
