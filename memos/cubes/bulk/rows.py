"""What is to be remembered, as rows: ids, hashes and commitments, made without a look at the database."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memos.cubes.changes import Origin, Sensitivity, Visibility
from memos.cubes.versions import Operation, timestamp
from memos.kernel.canonical import commitment, sha256_hex
from memos.kernel.version import VersionFacts, hash_frame
from memos.kit.ids import new_id


@dataclass(slots=True)
class NewText:
    """A plaintext cube to be, and what it says first. `metadata` is the version's own (`memos.memories.schemas`).
    `key`: 16 bytes that a living cube of the scope has once; None: it may come again. `vector`: float32 [d]."""

    text: str
    user_id: str | None
    agent_id: str | None
    origin: Origin = "user"
    semantic_type: str | None = None
    visibility: Visibility = "owner"
    sensitivity: Sensitivity = "normal"
    priority: int = 0
    tags: Sequence[str] = ()
    expires_at: datetime | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    key: bytes | None = None
    turn_id: str | None = None
    vector: NDArray[np.float32] | None = None
    cube_id: str = field(default_factory=lambda: new_id("cube"))
    version_id: str = field(default_factory=lambda: new_id("ver"))


@dataclass(frozen=True, slots=True)
class Prepared:
    """`cubes` and `versions` are JSON; `vectors` float32, little-endian, end to end, `size` numbers each (0: none)."""

    cube_ids: list[str]
    cubes: str
    versions: str
    vectors: bytes
    size: int


def prepare(texts: Sequence[NewText], *, by: str, operation: Operation = "create") -> Prepared:
    """Vectors are of one model, and all of one length."""
    nonces = secrets.token_bytes(32 * len(texts))
    cubes: list[dict[str, Any]] = []
    versions: list[dict[str, Any]] = []
    vectors: list[NDArray[np.float32]] = []
    for number, new in enumerate(texts):
        nonce = nonces[32 * number : 32 * number + 32]
        version = _version(new, nonce, by, operation)
        if new.vector is not None:
            version["place"] = len(vectors)
            vectors.append(new.vector)
        versions.append(version)
        cubes.append(_cube(new))
    stacked = np.stack(vectors).astype("<f4", copy=False) if vectors else np.empty((0, 0), "<f4")
    return Prepared(
        [new.cube_id for new in texts],
        json.dumps(cubes, ensure_ascii=False),
        json.dumps(versions, ensure_ascii=False),
        stacked.tobytes(),
        stacked.shape[1],
    )


def _cube(new: NewText) -> dict[str, Any]:
    return {
        "id": new.cube_id,
        "version": new.version_id,
        "event": new_id("event"),
        "user_id": new.user_id,
        "agent_id": new.agent_id,
        "origin": new.origin,
        "semantic_type": new.semantic_type,
        "visibility": new.visibility,
        "sensitivity": new.sensitivity,
        "priority": new.priority,
        "tags": list(new.tags),
        "expires_at": None if new.expires_at is None else new.expires_at.isoformat(),
        "key": None if new.key is None else new.key.hex(),
        "turn_id": new.turn_id,
    }


def _version(new: NewText, nonce: bytes, by: str, operation: Operation) -> dict[str, Any]:
    body = new.text.encode()
    sha256 = sha256_hex(body)
    sealed = commitment(nonce, sha256)
    since = None if new.valid_from is None else timestamp(new.valid_from)
    until = None if new.valid_to is None else timestamp(new.valid_to)
    facts = VersionFacts(
        cube_id=new.cube_id,
        number=0,
        operation=operation,
        fingerprint=None,
        conversation_id=None,
        epoch=None,
        turn_id=None,
        created_at="",
        created_by=by,
        valid_from=since,
        valid_to=until,
    )
    before, after = hash_frame(None, facts, sealed)
    return {
        "id": new.version_id,
        "cube": new.cube_id,
        "operation": operation,
        "before": before,
        "after": after,
        "commitment": sealed,
        "nonce": nonce.hex(),
        "content": new.text,
        "sha256": sha256,
        "size": len(body),
        "metadata": new.metadata,
        "valid_from": since,
        "valid_to": until,
    }


def vector_of(stored: bytes | None) -> NDArray[np.float32] | None:
    """float32 [d], as `embeddings.vector` keeps it."""
    return None if stored is None else np.frombuffer(stored, "<f4").astype(np.float32, copy=False)
