"""Export and import of archives.

An export reads its rows in one short transaction and its payloads after it, into a temporary file, so that what cannot
be read is an answer and not a download that breaks off. An import checks everything first, then stores the payloads,
then writes all rows in one transaction: all of the archive is there, or nothing.
"""

import asyncio
import hashlib
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO

from memos.archives import store
from memos.archives.format import CHUNK, Archive, write
from memos.archives.gather import gather
from memos.archives.plan import Plan, plan
from memos.archives.schemas import ExportRequest, ImportedArchive, Renamed
from memos.archives.verify import verify
from memos.cubes import changes
from memos.cubes import store as cubes
from memos.cubes.versions import blob_key
from memos.idempotency.service import Claim, StoredAnswer, once
from memos.kit.blobs import BlobMissing, Blobs
from memos.kit.db import Database
from memos.kit.unit_of_work import UnitOfWork
from memos.kit.wakeups import OUTBOX, Wakeups
from memos.memories.episodes import EMBED
from memos.outbox import store as outbox
from memos.turns.service import ADVANCE

IN_MEMORY_BYTES = 8 * 2**20


def spool() -> "IO[bytes]":
    """A file that stays in memory while it is small, and is gone once it is closed."""
    return tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)


@dataclass(frozen=True, slots=True)
class Exported:
    """`file` stands at its beginning, and is whoever's who asked."""

    file: IO[bytes]
    size_bytes: int
    sha256: str  # of the whole file
    manifest_sha256: str


async def export(database: Database, blobs: Blobs, tenant_id: str, wanted: ExportRequest) -> Exported:
    """Raises NotFound, UnderErasure, or BlobMissing by the name of the version that wants the payload."""
    async with database.unit_of_work(tenant_id) as work:
        gathered = await gather(work, wanted)

    def read(sha256: str) -> bytes:
        _, key, version_id = gathered.payloads[sha256]
        try:
            return blobs.get(key, sha256)
        except BlobMissing as error:
            raise BlobMissing(f"version {version_id}: {error.message}") from error

    def written() -> Exported:
        file = spool()
        sizes = {sha256: size for sha256, (size, _, _) in gathered.payloads.items()}
        try:
            manifest_sha256 = write(file, gathered.subject, gathered.tables, sizes, read)
            size_bytes = file.tell()
            file.seek(0)
            digest = hashlib.sha256()
            while chunk := file.read(CHUNK):
                digest.update(chunk)
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return Exported(file, size_bytes, digest.hexdigest(), manifest_sha256)

    return await asyncio.to_thread(written)


@dataclass(frozen=True, slots=True)
class Importer:
    database: Database
    blobs: Blobs
    wakeups: Wakeups

    async def take_in(
        self, tenant_id: str, file: IO[bytes], claim: Claim, *, by: str, user_id: str | None = None
    ) -> StoredAnswer:
        """Raises what `Archive` and `verify` raise, with nothing written."""
        archive, made = await asyncio.to_thread(_read, file, by, user_id)
        async with self.database.unit_of_work(tenant_id) as work:
            await store.insert_blobs(work, list(made.blobs))
        await asyncio.to_thread(self._upload, archive, made)
        answer = await once(self.database, tenant_id, claim, _effect(archive, made, by))
        self.wakeups.wake(OUTBOX)
        return answer

    def _upload(self, archive: Archive, made: Plan) -> None:
        for blob_id, sha256 in made.blobs.items():
            self.blobs.put(blob_key(blob_id), archive.payload(sha256))


def _read(file: IO[bytes], by: str, user_id: str | None) -> tuple[Archive, Plan]:
    archive = Archive(file)
    verify(archive)
    return archive, plan(archive, by=by, now=datetime.now(UTC), user_id=user_id)


def _effect(archive: Archive, made: Plan, by: str) -> Callable[[UnitOfWork], Awaitable[ImportedArchive]]:
    async def write_all(work: UnitOfWork) -> ImportedArchive:
        await store.insert_conversations(work, made.conversations)
        await store.insert_cubes(work, made.cubes)
        await store.insert_turns(work, made.turns)
        for columns in made.versions:
            cubes.insert_version(work, columns)
        await store.settle_turns(work, made.settled)
        for child, parent, relation in made.edges:
            cubes.insert_edge(work, child_id=child, parent_id=parent, relation=relation)
        await store.insert_reads(work, made.reads)
        await store.insert_events(work, made.events)
        await store.name_turns(work, made.episodes)
        for cube in made.cubes:
            details = {"archive": archive.manifest.sha256, "version_id": cube["head_version_id"]}
            changes.record(work, cube["id"], "change", reason="imported", by=by, details=details)
        for conversation_id, turn_ids in made.pending.items():
            await outbox.record_many(work, task=ADVANCE, subject=conversation_id, turn_ids=turn_ids)
        for conversation_id in made.rebuilding:
            await outbox.record(work, task=ADVANCE, subject=conversation_id, turn_id=None)
        for scope_id in await store.scopes_of(work, [cube["id"] for cube in made.cubes]):
            await outbox.record(work, task=EMBED, subject=scope_id, turn_id=None)
        return _told(archive, made)

    return write_all


def _told(archive: Archive, made: Plan) -> ImportedArchive:
    def renamed(prefix: str) -> list[Renamed]:
        return [Renamed(archived_id=old, id=new) for old, new in made.names.items() if old.startswith(prefix)]

    sizes = {member.sha256: member.bytes for member in archive.manifest.members}
    return ImportedArchive(
        archive_sha256=archive.manifest.sha256,
        format_version=archive.manifest.version,
        conversations=renamed("conv_"),
        cubes=renamed("cube_"),
        versions=len(made.versions),
        turns=len(made.turns),
        payloads=len(made.blobs),
        payload_bytes=sum(sizes[sha256] for sha256 in made.blobs.values()),
        left_out=made.left_out,
    )
