"""A stored version as the kernel's chain check takes it, and whether its payload is the one it committed to."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping

from memos.cubes.versions import timestamp
from memos.kernel.canonical import commitment, sha256_hex
from memos.kernel.version import Link, VersionFacts


def link_of(row: RowMapping | Mapping[str, Any]) -> Link:
    """From a version's columns, or from their like in an archive."""
    return Link(
        version_id=row["id"],
        parent_hash=row["parent_hash"],
        hash=row["hash"],
        facts=VersionFacts(
            cube_id=row["cube_id"],
            number=row["number"],
            operation=row["operation"],
            fingerprint=row["fingerprint"],
            conversation_id=row["conversation_id"],
            epoch=row["epoch"],
            turn_id=row["turn_id"],
            created_at=timestamp(row["created_at"]),
            created_by=row["created_by"],
            valid_from=None if row["valid_from"] is None else timestamp(row["valid_from"]),
            valid_to=None if row["valid_to"] is None else timestamp(row["valid_to"]),
        ),
        commitment=row["commitment"],
    )


def unbound(row: RowMapping | Mapping[str, Any]) -> str | None:
    """What of a version is not what it committed to, or None. Of an erased one there is nothing left to be checked."""
    if row["nonce"] is None or row["payload_sha256"] is None:
        return None
    if commitment(bytes(row["nonce"]), row["payload_sha256"], row["written"]) != row["commitment"]:
        return f"{row['id']}: its payload or its written slots are not those it committed to"
    if row["content"] is not None and sha256_hex(row["content"].encode()) != row["payload_sha256"]:
        return f"{row['id']}: its text does not match its hash"
    return None
