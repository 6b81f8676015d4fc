"""The audit chain: each link's hash covers the hash before it, its place, and everything its row says. Whoever changes,
removes or moves a row breaks the chain there; `Walk` names the first place.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from memos.kernel.canonical import canonical_json, sha256_hex

START = "0" * 64  # what stands before the first link


@dataclass(frozen=True, slots=True)
class Row:
    """What a link covers of its row: all of it."""

    id: str
    at: str  # ISO 8601, UTC, microseconds
    kind: str
    action: str
    by: str
    actors: tuple[str, ...]
    subjects: tuple[str, ...]
    details: Mapping[str, Any]


def link_hash(previous: str, seq: int, row: Row) -> str:
    """H(previous, seq, row), as hex SHA-256 over canonical JSON."""
    body = {name: getattr(row, name) for name in Row.__slots__} | {"details": dict(row.details)}
    return sha256_hex(canonical_json({"previous": previous, "seq": seq, "row": body}))


@dataclass(frozen=True, slots=True)
class Link:
    """A link and its row; `row` is None if the row it names is gone."""

    seq: int
    audit_id: str
    previous: str
    hash: str
    row: Row | None


@dataclass(frozen=True, slots=True)
class Break:
    """The first thing that is wrong."""

    seq: int
    audit_id: str | None
    what: str


@dataclass(slots=True)
class Walk:
    """Takes links in order of their places, from a place that is trusted."""

    seq: int = 0
    hash: str = START
    broken: Break | None = field(default=None)

    def take(self, link: Link) -> bool:
        """False, and `broken` says why, if the chain ends being whole here."""
        self.broken = self._wrong(link)
        if self.broken is None:
            self.seq, self.hash = link.seq, link.hash
        return self.broken is None

    def _wrong(self, link: Link) -> Break | None:
        if link.seq != self.seq + 1:
            return Break(self.seq + 1, None, f"link {self.seq + 1} is gone; the next one is {link.seq}")
        if link.row is None:
            return Break(link.seq, link.audit_id, f"row {link.audit_id} is gone")
        if link.previous != self.hash:
            return Break(link.seq, link.audit_id, "it does not follow on the link before it: one of the two was moved")
        if link_hash(link.previous, link.seq, link.row) != link.hash:
            return Break(link.seq, link.audit_id, f"row {link.audit_id} is not what it was when it was chained")
        return None
