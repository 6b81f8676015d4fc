"""Payload bytes, by key, in a folder or an S3-compatible bucket (obstore does both). Objects are written once under a
fresh key and never changed; who may read one is decided by the row that names it. A read is always checked against
the hash its reader expects, so a damaged object is an error and never an answer.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlparse

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from memos.kit.errors import Unavailable


class BlobsUnavailable(Unavailable):
    """The blob store cannot be used."""

    code = "blob_store_unavailable"
    hint = "Make the blob store reachable and writable, with free space; then try again as Retry-After says."


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


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as a listing shows it."""

    key: str
    size_bytes: int
    modified_at: datetime


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
        except (OSError, BaseError) as error:
            _unavailable("a write", error)
        return sha256_hex(payload)

    def get(self, key: str, expected_sha256: str) -> bytes:
        try:
            payload = bytes(obstore.get(self._store, key).bytes())
        except FileNotFoundError as error:
            raise BlobMissing(f"object {key} is not in the blob store") from error
        except (OSError, BaseError) as error:
            _unavailable("a read", error)
        if sha256_hex(payload) != expected_sha256:
            raise BlobCorrupt(f"object {key} does not match its recorded hash")
        return payload

    def size_bytes(self, key: str) -> int | None:
        """None if there is no such object."""
        try:
            return int(obstore.head(self._store, key)["size"])
        except FileNotFoundError:
            return None
        except (OSError, BaseError) as error:
            _unavailable("a look", error)

    def listing(self, prefix: str) -> Iterator[Stored]:
        """What lies below a folder of keys, such as `3f`."""
        try:
            for batch in obstore.list(self._store, prefix):
                for found in batch:
                    yield Stored(found["path"], int(found["size"]), found["last_modified"])
        except FileNotFoundError:
            return
        except (OSError, BaseError) as error:
            _unavailable("a listing", error)

    def read(self, key: str) -> bytes | None:
        """An object that says itself whether it is genuine; None if there is none."""
        try:
            return bytes(obstore.get(self._store, key).bytes())
        except FileNotFoundError:
            return None
        except (OSError, BaseError) as error:
            _unavailable("a read", error)

    def delete(self, key: str) -> None:
        """Deleting what is already gone is fine."""
        try:
            obstore.delete(self._store, key)
        except FileNotFoundError:
            return
        except (OSError, BaseError) as error:
            _unavailable("a deletion", error)

    @staticmethod
    def _sync(path: Path) -> None:
        for target in (path, path.parent):
            descriptor = os.open(target, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _unavailable(what: str, error: Exception) -> NoReturn:
    """The library's messages go on for pages: their first line says it."""
    raise BlobsUnavailable(f"the blob store refused {what}: {str(error).partition(chr(10))[0]}") from error
