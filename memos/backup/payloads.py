"""Payloads on their way into a backup and out of one, each checked against its hash as it passes."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from memos.backup.folder import PAYLOADS, BackupRefused, Payload
from memos.cubes.versions import blob_key
from memos.kit.blobs import BlobMissing, Blobs, sha256_hex

TOLD_EVERY = 1_000


def copy_out(
    blobs: Blobs, wanted: Iterable[Payload], folder: Path, erased: Callable[[str], bool], say: Callable[[str], None]
) -> Iterator[Payload]:
    """Copies payloads from the blob store into a backup, and yields each as it is there. One that is gone from the
    store is yielded as gone if it was `erased`; else raises BlobMissing."""
    made: set[str] = set()
    for count, payload in enumerate(wanted, 1):
        key = blob_key(payload.id)
        target = folder / PAYLOADS / key
        try:
            body = blobs.get(key, payload.sha256)
        except BlobMissing:
            if not erased(payload.id):
                raise
            yield payload.model_copy(update={"gone": True})
            continue
        if target.parent.name not in made:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            made.add(target.parent.name)
        target.write_bytes(body)
        if count % TOLD_EVERY == 0:
            say(f"{count:,} payloads copied")
        yield payload


def copy_in(target: Path, wanted: Iterable[Payload], folder: Path, say: Callable[[str], None]) -> tuple[int, int]:
    """Copies payloads from a backup into the folder of a new blob store; how many, and their bytes. They are durable
    after `sync_all`: one wait for all of them, and not two for each. Raises BackupRefused by the name of one that is
    missing, or is not what it was."""
    count = size = 0
    for payload in wanted:
        if payload.gone:
            continue
        key = blob_key(payload.id)
        try:
            body = (folder / PAYLOADS / key).read_bytes()
        except OSError as error:
            raise BackupRefused(f"{PAYLOADS}/{key} is missing") from error
        if sha256_hex(body) != payload.sha256:
            raise BackupRefused(f"{PAYLOADS}/{key}: its hash is not the one that the backup states")
        (target / key).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        (target / key).write_bytes(body)
        count, size = count + 1, size + len(body)
        if count % TOLD_EVERY == 0:
            say(f"{count:,} payloads restored")
    return count, size


def sync_all() -> None:
    """Everything written is on disk before a backup is called one."""
    os.sync()
