"""Payload bytes, by key, in a folder or an S3-compatible bucket (obstore does both). Objects are written once under a
fresh key and never changed; who may read one is decided by the row that names it. A read is always checked against
the hash its reader expects, so a damaged object is an error and never an answer.
"""

import hashlib
import os
from pathlib import Path
from urllib.parse import urlparse

import obstore
from obstore.store import LocalStore, ObjectStore, from_url

from memos.kit.errors import Unavailable


class BlobMissing(Unavailable):
    """A stored object is missing."""

    code = "blob_missing"
    hint = "The blob store has lost an object: restore it from a backup, or roll back to an earlier version."


class BlobCorrupt(Unavailable):
    """A stored object does not match its hash."""

    code = "blob_corrupt"
    hint = "The blob store has damaged an object: restore it from a backup, or roll back to an earlier version."


def sha256_hex(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


class Blobs:
    """One blob store. Threads may share it."""

    def __init__(self, url: str) -> None:
        self._folder: Path | None = None
        self._store: ObjectStore
        if url.startswith("file://"):
            self._folder = Path(urlparse(url).path)
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._store = LocalStore(self._folder, mkdir=True)
        else:
            self._store = from_url(url)

    def put(self, key: str, payload: bytes) -> str:
        """Writes durably (a folder is fsynced) and returns the SHA-256."""
        try:
            obstore.put(self._store, key, payload)
            if self._folder is not None:
                self._sync(self._folder / key)
        except OSError as error:
            raise Unavailable(f"the blob store refused a write: {error}", hint="Free disk space.") from error
        return sha256_hex(payload)

    def get(self, key: str, expected_sha256: str) -> bytes:
        try:
            payload = bytes(obstore.get(self._store, key).bytes())
        except FileNotFoundError as error:
            raise BlobMissing(f"object {key} is not in the blob store") from error
        if sha256_hex(payload) != expected_sha256:
            raise BlobCorrupt(f"object {key} does not match its recorded hash")
        return payload

    def delete(self, key: str) -> None:
        """Deleting what is already gone is fine."""
        try:
            obstore.delete(self._store, key)
        except FileNotFoundError:
            return

    @staticmethod
    def _sync(path: Path) -> None:
        for target in (path, path.parent):
            descriptor = os.open(target, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
