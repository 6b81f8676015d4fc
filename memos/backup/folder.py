"""The folder of a backup, format version 1.

    manifest.json      what is in it, with size and hash, and the hash of the manifest itself
    database.dump      pg_dump's custom format: every row, of one moment
    payloads.jsonl     every payload that a row of that moment names: id, size, hash
    payloads/3f/...    the payloads, under the keys that they have in the blob store
    secret, admin.key  of an embedded service: without the secret no API key is worth anything
    erasures.jsonl     the ledger of erasures when the backup ended

The rows are of one snapshot, and the payloads are copied after it was taken: a payload is stored before the row that
names it is committed, so what a row of the snapshot names is there. Only an erasure takes a payload away from a row;
what was erased while the backup ran is listed as such, and a restore erases it again.
"""

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from memos.kernel.canonical import canonical_json
from memos.kit.blobs import sha256_hex
from memos.kit.errors import MemosError

VERSION = 1
MANIFEST = "manifest.json"
DUMP = "database.dump"
PAYLOAD_LIST = "payloads.jsonl"
PAYLOADS = "payloads"
LEDGER = "erasures.jsonl"
CHUNK = 1 << 20


class BackupRefused(MemosError):
    """The backup cannot be used, or not there."""

    code = "backup_refused"
    hint = "Use another copy of the backup; the part that is named is missing, damaged or was changed."


class Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class File(Value):
    name: str
    bytes: int
    sha256: str


class Payload(Value):
    """`gone`: it was erased while the backup ran, and is not in it."""

    id: str
    bytes: int
    sha256: str
    gone: bool = False


class Manifest(Value):
    format: Literal["memos-backup"] = "memos-backup"
    version: int = VERSION
    memos: str
    postgres: str
    schema_revision: str
    made_at: datetime
    placement: Literal["embedded", "distributed"]
    payloads: int
    payload_bytes: int
    files: list[File]


def hash_of(path: Path) -> tuple[int, str]:
    """Its size in bytes and its hash."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


def seal(folder: Path, manifest: Manifest) -> None:
    """Writes the manifest: the last thing that a backup does."""
    told = manifest.model_dump(mode="json")
    path = folder / MANIFEST
    path.write_bytes(canonical_json(told | {"sha256": sha256_hex(canonical_json(told))}) + b"\n")
    path.chmod(0o600)


def files_in(folder: Path) -> list[File]:
    """Everything at its top, hashed."""
    paths = sorted(path for path in folder.iterdir() if path.is_file() and path.name != MANIFEST)
    return [File(name=path.name, bytes=size, sha256=sha) for path in paths for size, sha in [hash_of(path)]]


def opened(folder: Path) -> Manifest:
    """The manifest of a backup whose files at the top are whole. Raises BackupRefused by the name of what is not."""
    try:
        told = json.loads((folder / MANIFEST).read_bytes())
        stated = told.pop("sha256")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupRefused(f"{folder} is no backup: {MANIFEST} cannot be read") from error
    if sha256_hex(canonical_json(told)) != stated:
        raise BackupRefused(f"{MANIFEST}: its hash is not the one it states")
    if told.get("version", 0) > VERSION:
        raise BackupRefused(
            f"{folder} has format version {told['version']}; {VERSION} is the newest known here",
            hint="Restore it with the release that made it, or a later one.",
        )
    try:
        manifest = Manifest.model_validate(told)
    except ValidationError as error:
        raise BackupRefused(f"{MANIFEST}: {error.errors()[0]['msg']}") from error
    for file in manifest.files:
        path = folder / file.name
        if not path.is_file():
            raise BackupRefused(f"{file.name} is missing")
        if hash_of(path) != (file.bytes, file.sha256):
            raise BackupRefused(f"{file.name}: its hash is not the one that the manifest states")
    return manifest


def payloads_in(folder: Path) -> Iterator[Payload]:
    with (folder / PAYLOAD_LIST).open("rb") as lines:
        for line in lines:
            yield Payload.model_validate_json(line)
