"""Payloads: every version's is in the blob store, and nothing is there that no version wants.

Notable choices:

* Both look at a part of the store each time and go on where they were; what they found before, they look at each time.
* Objects have no tenant, so those that nobody knows are looked for once for all: by the run of the first tenant, which
  asks each tenant in turn for the ids it knows. They are only named, never removed: another installation may share the
  bucket.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from memos.cubes.versions import blob_key
from memos.invariants import store
from memos.invariants.registry import MOST_FINDINGS, Finding, Tools, register
from memos.kit.blobs import Blobs, Stored
from memos.kit.doors import tenant_ids
from memos.kit.unit_of_work import UnitOfWork

LOOKED_AT = 2_000  # blobs in one run
FOLDERS = 256  # of the blob store, by the last byte of an id
FOLDERS_AT_ONCE = 16
COLLECTOR_LATE_S = 2 * 86_400.0  # beyond the grace time: the collector had its chance


@register
class NoBlobMissing:
    name: ClassVar[str] = "no_blob_missing"
    what: ClassVar[str] = "Every payload that a version names is in the blob store, whole."

    def __init__(self, tools: Tools) -> None:
        self._blobs = tools.blobs

    async def check(self, work: UnitOfWork) -> list[Finding]:
        before = await store.found_before(work, self.name)
        after = await store.place(work, self.name)
        rows = await store.referenced(work, after=after, also=before, limit=LOOKED_AT)
        sizes = await asyncio.to_thread(_sizes, self._blobs, [row["id"] for row in rows])
        await store.set_place(work, self.name, rows[-1]["id"] if len(rows) == LOOKED_AT else "")
        found = []
        for row in rows:
            size = sizes[row["id"]]
            if size is None:
                found.append(Finding(row["id"], f"the payload of {row['version_id']} is not in the blob store"))
            elif size != row["size_bytes"]:
                detail = f"the payload of {row['version_id']} has {size} bytes and should have {row['size_bytes']}"
                found.append(Finding(row["id"], detail))
        return found[:MOST_FINDINGS]


@register
class NoOrphanBlobs:
    name: ClassVar[str] = "no_orphan_blobs"
    what: ClassVar[str] = "Nothing is kept that no version names: the collector keeps up, and no object is unknown."

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def check(self, work: UnitOfWork) -> list[Finding]:
        late_s = self._tools.settings.blob_grace_s + COLLECTOR_LATE_S
        found = [
            Finding(blob_id, "no version names it, and the collector has left it")
            for blob_id in await store.orphans(work, grace_s=late_s, limit=MOST_FINDINGS)
        ]
        tenants = await tenant_ids(self._tools.database)
        if work.tenant_id == min(tenants):
            found += await self._unknown_objects(work, tenants)
        return found[:MOST_FINDINGS]

    async def _unknown_objects(self, work: UnitOfWork, tenants: list[str]) -> list[Finding]:
        first = int(await store.place(work, self.name) or "0")
        folders = [f"{number % FOLDERS:02x}" for number in range(first, first + FOLDERS_AT_ONCE)]
        also = [f"{blob_id[-2:]}" for blob_id in await store.found_before(work, self.name)]
        objects = await asyncio.to_thread(_listed, self._tools.blobs, sorted({*folders, *also}))
        old = datetime.now(UTC) - timedelta(seconds=self._tools.settings.blob_grace_s)
        ids = {entry.key.rpartition("/")[2]: entry for entry in objects if entry.modified_at <= old}
        unknown = set(ids)
        for tenant_id in tenants:
            if unknown:
                unknown -= await store.known(self._tools.database.single(tenant_id), sorted(unknown))
        await store.set_place(work, self.name, str((first + FOLDERS_AT_ONCE) % FOLDERS))
        return [
            Finding(blob_id, f"the object {ids[blob_id].key} belongs to nothing that this installation knows")
            for blob_id in sorted(unknown)
        ]


def _sizes(blobs: Blobs, ids: list[str]) -> dict[str, int | None]:
    return {blob_id: blobs.size_bytes(blob_key(blob_id)) for blob_id in ids}


def _listed(blobs: Blobs, folders: list[str]) -> list[Stored]:
    return [entry for folder in folders for entry in blobs.listing(folder)]
