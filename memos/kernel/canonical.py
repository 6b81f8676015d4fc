"""Canonical bytes of a value, and hashes over them: equal values hash equally on every machine."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any


def canonical_json(value: Any) -> bytes:
    """Sorted keys, no spaces, UTF-8. Refuses NaN and infinities: they have no JSON form."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def commitment(nonce: bytes, payload_sha256: str, written: Sequence[Mapping[str, Any]] | None = None) -> str:
    """Binds a payload, and what it says was written into it, without revealing either: once the nonce is erased nobody
    can test a guess against it (6b)."""
    bound = bytes.fromhex(payload_sha256)
    if written is not None:
        bound += hashlib.sha256(canonical_json(written)).digest()
    return hmac.new(nonce, bound, hashlib.sha256).hexdigest()
