"""What the history checker looks at: a client's attempts, and the rows of the database as plain values."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from memos.cubes.versions import timestamp
from memos.kernel.version import Link, VersionFacts


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request of a client. `body` is what a 201 carried, byte for byte; a status of None means no whole answer."""

    key: str
    conversation_id: str
    input: str
    consistency: str
    status: int | None = None
    body: bytes | None = None
    code: str | None = None
    began_s: float = 0.0
    ended_s: float = 0.0

    @property
    def acknowledged(self) -> bool:
        return self.status == 201 and self.body is not None


@dataclass(frozen=True, slots=True)
class TurnRow:
    id: str
    conversation_id: str
    seq: int
    status: str
    input: str
    output: str | None
    consistency: str
    idempotency_key: str | None
    base_version_id: str | None
    base_number: int | None
    written_version_id: str | None
    lag: int | None


@dataclass(frozen=True, slots=True)
class VersionRow:
    id: str
    cube_id: str
    number: int
    operation: str
    parent_id: str | None
    parent_hash: str | None
    hash: str
    commitment: str
    nonce: bytes
    payload: str
    blob_id: str | None
    payload_sha256: str
    size_bytes: int
    fingerprint: str | None
    conversation_id: str | None
    epoch: int | None
    turn_id: str | None
    turn_seq: int | None
    created_at: datetime
    created_by: str
    written: list[dict[str, Any]] | None

    def link(self) -> Link:
        facts = VersionFacts(
            cube_id=self.cube_id, number=self.number, operation=self.operation, fingerprint=self.fingerprint,
            conversation_id=self.conversation_id, epoch=self.epoch, turn_id=self.turn_id,
            created_at=timestamp(self.created_at), created_by=self.created_by,
        )  # fmt: skip
        return Link(self.id, self.parent_hash, self.hash, facts, self.commitment)


@dataclass(frozen=True, slots=True)
class CubeRow:
    id: str
    conversation_id: str
    head_version_id: str
    head_number: int


@dataclass(frozen=True, slots=True)
class EdgeRow:
    child_id: str
    parent_id: str
    relation: str


@dataclass(frozen=True, slots=True)
class ReadRow:
    turn_id: str
    version_id: str


@dataclass(frozen=True, slots=True)
class KeyRow:
    key: str
    turn_id: str | None
    status: int | None
    body: bytes | None


@dataclass(frozen=True, slots=True)
class JobRow:
    id: str
    subject: str
    turn_id: str | None
    status: str


@dataclass(frozen=True)
class History:
    """The client log and the rows at the end. `payloads` has the bytes of every blob that was found."""

    attempts: tuple[Attempt, ...]
    turns: tuple[TurnRow, ...]
    versions: tuple[VersionRow, ...]
    cubes: tuple[CubeRow, ...]
    edges: tuple[EdgeRow, ...]
    reads: tuple[ReadRow, ...]
    keys: tuple[KeyRow, ...]
    jobs: tuple[JobRow, ...]
    payloads: Mapping[str, bytes] = field(repr=False)

    @cached_property
    def line(self) -> dict[str, list[TurnRow]]:
        """Each conversation's turns in order of seq."""
        found: dict[str, list[TurnRow]] = defaultdict(list)
        for turn in sorted(self.turns, key=lambda turn: turn.seq):
            found[turn.conversation_id].append(turn)
        return found

    @cached_property
    def by_cube(self) -> dict[str, list[VersionRow]]:
        found: dict[str, list[VersionRow]] = defaultdict(list)
        for version in sorted(self.versions, key=lambda version: version.number):
            found[version.cube_id].append(version)
        return found

    @cached_property
    def turn(self) -> dict[str, TurnRow]:
        return {turn.id: turn for turn in self.turns}

    @cached_property
    def version(self) -> dict[str, VersionRow]:
        return {version.id: version for version in self.versions}
