"""Makes versions: the hash, the commitment and the columns of one, ready to insert. Knows no SQL."""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import RowMapping

from memos.generation.port import StateRef
from memos.kernel.canonical import commitment
from memos.kernel.version import VersionFacts, version_hash
from memos.kit.ids import new_id


@dataclass(frozen=True, slots=True)
class Payload:
    """Where a version's bytes are: the model's start state, a blob, or text in the row."""

    place: Literal["start", "blob", "text"]
    sha256: str
    size_bytes: int
    blob_id: str | None = None
    content: str | None = None


@dataclass(frozen=True, slots=True)
class StateStep:
    """What a new version of a conversation's state is and why."""

    cube_id: str
    operation: Literal["create", "advance", "rollback", "fork", "migrate"]
    payload: Payload
    fingerprint: str
    conversation_id: str
    epoch: int
    created_by: str
    turn_id: str | None = None
    turn_seq: int | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


def version_columns(step: StateStep, parent: RowMapping | None) -> dict[str, Any]:
    """The row of the version after `parent` (None: the first), hashed and committed to."""
    created_at = datetime.now(UTC)
    nonce = secrets.token_bytes(32)
    sealed = commitment(nonce, step.payload.sha256)
    facts = VersionFacts(
        cube_id=step.cube_id,
        number=0 if parent is None else parent["number"] + 1,
        operation=step.operation,
        fingerprint=step.fingerprint,
        conversation_id=step.conversation_id,
        epoch=step.epoch,
        turn_id=step.turn_id,
        created_at=timestamp(created_at),
        created_by=step.created_by,
    )
    parent_hash = None if parent is None else parent["hash"]
    return {
        "id": new_id("ver"),
        "cube_id": step.cube_id,
        "number": facts.number,
        "operation": step.operation,
        "parent_id": None if parent is None else parent["id"],
        "parent_hash": parent_hash,
        "hash": version_hash(parent_hash, facts, sealed),
        "commitment": sealed,
        "nonce": nonce,
        "payload": step.payload.place,
        "blob_id": step.payload.blob_id,
        "content": step.payload.content,
        "payload_sha256": step.payload.sha256,
        "size_bytes": step.payload.size_bytes,
        "fingerprint": step.fingerprint,
        "metadata": step.metadata,
        "conversation_id": step.conversation_id,
        "epoch": step.epoch,
        "turn_id": step.turn_id,
        "turn_seq": step.turn_seq,
        "created_at": created_at,
        "created_by": step.created_by,
    }


def payload_of(version: RowMapping) -> Payload:
    """The same bytes again, for a version that restores or forks another."""
    return Payload(
        place=version["payload"],
        sha256=version["payload_sha256"],
        size_bytes=version["size_bytes"],
        blob_id=version["blob_id"],
        content=version["content"],
    )


def state_ref(version: RowMapping) -> StateRef:
    """How the generator is told which state to read."""
    return StateRef(
        fingerprint=version["fingerprint"],
        sha256=version["payload_sha256"],
        blob_key=None if version["blob_id"] is None else blob_key(version["blob_id"]),
    )


def blob_key(blob_id: str) -> str:
    """Spread over 256 folders by the id's last, random, byte."""
    return f"{blob_id[-2:]}/{blob_id}"


def timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
