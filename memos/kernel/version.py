"""A version's place in its line: its hash covers its parent's hash, its metadata and a commitment to its payload.

The payload, its nonce and the words of what it wrote can be erased; the commitment, which binds them, stays, so the
chain verifies for ever (DESIGN 6b).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from memos.kernel.canonical import canonical_json, sha256_hex

_OPEN = "<created_at>"  # comes before anything that a caller wrote; the commitment before it is hex


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """What a version's hash covers, besides its parent. Free of text, so that it survives an erasure."""

    cube_id: str
    number: int
    operation: str
    fingerprint: str | None
    conversation_id: str | None
    epoch: int | None
    turn_id: str | None
    created_at: str  # ISO 8601, UTC, microseconds
    created_by: str
    valid_from: str | None = None  # world time; absent from the hashed body when unset, as in versions made before it
    valid_to: str | None = None


def version_hash(parent_hash: str | None, facts: VersionFacts, commitment: str) -> str:
    """H(parent hash, metadata, commitment), as hex SHA-256 over canonical JSON."""
    return sha256_hex(canonical_json(_hashed(parent_hash, facts, commitment)))


def hash_frame(parent_hash: str | None, facts: VersionFacts, commitment: str) -> tuple[str, str]:
    """What is hashed before and after `created_at`, for whoever learns the time last; that of `facts` is not looked
    at. A timestamp is written in JSON as it is."""
    body = _hashed(parent_hash, replace(facts, created_at=_OPEN), commitment)
    before, _, after = canonical_json(body).decode().partition(_OPEN)
    return before, after


def _hashed(parent_hash: str | None, facts: VersionFacts, commitment: str) -> dict[str, Any]:
    body: dict[str, Any] = {name: getattr(facts, name) for name in VersionFacts.__slots__}
    body = {name: value for name, value in body.items() if value is not None or name not in ("valid_from", "valid_to")}
    return {"parent": parent_hash, "facts": body, "commitment": commitment}


@dataclass(frozen=True, slots=True)
class Link:
    """One version as the chain check needs it."""

    version_id: str
    parent_hash: str | None
    hash: str
    facts: VersionFacts
    commitment: str


def broken_links(chain: Sequence[Link], *, first: int = 0, after: str | None = None) -> list[str]:
    """What is wrong with one cube's versions in order of number; empty for an unbroken line. A part of the line begins
    at number `first`, after the version whose hash is `after`."""
    wrong: list[str] = []
    previous = after
    for place, link in enumerate(chain, first):
        if link.facts.number != place:
            wrong.append(f"{link.version_id}: number {link.facts.number} stands at place {place}")
        if link.parent_hash != previous:
            wrong.append(f"{link.version_id}: its parent hash is not the hash of the version before it")
        if version_hash(link.parent_hash, link.facts, link.commitment) != link.hash:
            wrong.append(f"{link.version_id}: its hash does not match its contents")
        previous = link.hash
    return wrong
