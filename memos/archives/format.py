"""The file: a zip whose members are stored as they are, in one fixed order and with one fixed date, so that the same
memory gives the same bytes. The first member is the manifest: the format's version, and the size and hash of every
other member; then the tables of `rows`, then `payloads/<sha256>`, each payload once.

What is read is checked in this order, and refused by the name of the member: the zip itself, the manifest and its own
hash, that the members are those it names and no others, and each member's size and hash. The hashes show that a file is
damaged or was changed; they are no signature, and do not say who made it.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import IO, Any

from pydantic import ValidationError

from memos.archives.rows import TABLES, Manifest, Member, Row, Subject
from memos.kernel.canonical import canonical_json
from memos.kit.blobs import sha256_hex
from memos.kit.errors import Invalid

VERSION = 1
MANIFEST = "manifest.json"
PAYLOADS = "payloads/"
MEDIA_TYPE = "application/zip"
MOST_MANIFEST_BYTES = 64 * 2**20
_DATE = (1980, 1, 1, 0, 0, 0)
CHUNK = 1 << 20


class ArchiveUnreadable(Invalid):
    """This is no archive of memos."""

    code = "archive_unreadable"
    hint = "Send the file as POST /v1/cubes/export gave it, as the whole body of the request."


class ArchiveTooNew(Invalid):
    """This archive has a format that is not known here."""

    code = "archive_too_new"
    hint = "Bring this service to the release that made the archive, or a later one."


class ArchiveTampered(Invalid):
    """A member of the archive is not what the archive says it is."""

    code = "archive_tampered"
    hint = "Use another copy of the archive: the member that `context.member` names is damaged or was changed."

    @classmethod
    def at(cls, member: str, what: str) -> "ArchiveTampered":
        shown = member.encode("utf-8", "replace").decode()
        return cls(f"{shown}: {what}", member=shown)


Tables = dict[str, list[Row]]


def payload_member(sha256: str) -> str:
    return f"{PAYLOADS}{sha256}"


def write(
    out: IO[bytes],
    subject: Subject,
    tables: Mapping[str, Iterable[Row]],
    payloads: Mapping[str, int],
    read: Callable[[str], bytes],
) -> str:
    """Writes an archive and returns its manifest's hash. `payloads` are sizes by hash; `read` gives one's bytes."""
    bodies = {name: _lines(tables.get(name, ())) for name in TABLES}
    members = [{"name": name, "bytes": len(body), "sha256": sha256_hex(body)} for name, body in bodies.items()]
    members += [
        {"name": payload_member(sha256), "bytes": size, "sha256": sha256} for sha256, size in sorted(payloads.items())
    ]
    told: dict[str, Any] = {
        "format": "memos-archive",
        "version": VERSION,
        "subject": subject.model_dump(),
        "counts": {name.removesuffix(".jsonl"): body.count(b"\n") for name, body in bodies.items()},
        "members": members,
    }
    told["sha256"] = sha256_hex(canonical_json(told))
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, MANIFEST, canonical_json(told) + b"\n")
        for name, body in bodies.items():
            _add(archive, name, body)
        for sha256 in sorted(payloads):
            _add(archive, payload_member(sha256), read(sha256))
    return str(told["sha256"])


def _add(archive: zipfile.ZipFile, name: str, body: bytes) -> None:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.external_attr = 0o600 << 16
    archive.writestr(entry, body)


def _lines(rows: Iterable[Row]) -> bytes:
    return b"".join(canonical_json(row.model_dump(mode="json")) + b"\n" for row in rows)


class Archive:
    """An archive that was found whole. Raises ArchiveUnreadable, ArchiveTooNew or ArchiveTampered when made."""

    def __init__(self, file: IO[bytes]) -> None:
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError, ValueError, RuntimeError) as error:
            raise ArchiveUnreadable(f"the body is no zip file: {error}") from error
        self.manifest = self._manifest()
        self._check_members()
        self.tables = {name: self._rows(name, row) for name, row in TABLES.items()}

    def rows(self, member: str) -> Sequence[Any]:
        return self.tables[member]

    def payload(self, sha256: str) -> bytes:
        return self._read(payload_member(sha256))

    def _manifest(self) -> Manifest:
        if MANIFEST not in self._zip.namelist():
            raise ArchiveUnreadable("the zip file has no manifest.json")
        if self._zip.getinfo(MANIFEST).file_size > MOST_MANIFEST_BYTES:
            raise ArchiveTampered.at(MANIFEST, "it is too large to be one")
        body = self._read(MANIFEST)
        try:
            told = json.loads(body)
            version = told["version"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ArchiveTampered.at(MANIFEST, "it is not the JSON of a manifest") from error
        if isinstance(version, int) and version > VERSION:
            raise ArchiveTooNew(f"the archive has format version {version}; {VERSION} is the newest known here")
        try:
            manifest = Manifest.model_validate(told)
            stated = told.pop("sha256")
            whole = sha256_hex(canonical_json(told)) == stated
        except (ValidationError, ValueError) as error:
            raise ArchiveTampered.at(MANIFEST, _first(error)) from error
        if not whole or manifest.version != VERSION:
            raise ArchiveTampered.at(MANIFEST, "its hash is not the one it states")
        return manifest

    def _check_members(self) -> None:
        stated = {member.name: member for member in self.manifest.members}
        names = self._zip.namelist()
        for name in names:
            if name != MANIFEST and name not in stated:
                raise ArchiveTampered.at(name, "the manifest does not name it")
        for member in self.manifest.members:
            if names.count(member.name) != 1:
                raise ArchiveTampered.at(member.name, "it is not there exactly once")
            self._check(member)
        for name in TABLES:
            if name not in stated:
                raise ArchiveTampered.at(name, "it is missing")

    def _check(self, member: Member) -> None:
        entry = self._zip.getinfo(member.name)
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != member.bytes:
            raise ArchiveTampered.at(member.name, f"it has not the {member.bytes} bytes that the manifest states")
        digest = hashlib.sha256()
        for chunk in self._chunks(member.name):
            digest.update(chunk)
        if digest.hexdigest() != member.sha256:
            raise ArchiveTampered.at(member.name, "its hash is not the one that the manifest states")

    def _chunks(self, name: str) -> Iterable[bytes]:
        """A member that says it is compressed is read no further than it says it is long."""
        left = self._zip.getinfo(name).file_size
        try:
            with self._zip.open(name) as member:
                while left > 0 and (chunk := member.read(min(CHUNK, left))):
                    left -= len(chunk)
                    yield chunk
        except (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError) as error:
            raise ArchiveTampered.at(name, f"it cannot be read: {error}") from error

    def _read(self, name: str) -> bytes:
        return b"".join(self._chunks(name))

    def _rows(self, name: str, row: type[Row]) -> list[Row]:
        found = []
        for number, line in enumerate(io.BytesIO(self._read(name)), 1):
            try:
                found.append(row.model_validate_json(line))
            except ValidationError as error:
                raise ArchiveTampered.at(name, f"line {number}: {_first(error)}") from error
        return found


def _first(error: ValidationError | ValueError) -> str:
    if not isinstance(error, ValidationError):
        return "it is not the JSON of a manifest"
    first = error.errors(include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "it"
    return f"{place}: {first['msg']}".encode("utf-8", "replace").decode()
