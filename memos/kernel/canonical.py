"""Canonical bytes of a value, and hashes over them: equal values hash equally on every machine."""

import hashlib
import hmac
import json
from typing import Any


def canonical_json(value: Any) -> bytes:
    """Sorted keys, no spaces, UTF-8. Refuses NaN and infinities: they have no JSON form."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def commitment(nonce: bytes, payload_sha256: str) -> str:
    """Binds a payload without revealing it: once the nonce is erased nobody can test a guess against it (6b)."""
    return hmac.new(nonce, bytes.fromhex(payload_sha256), hashlib.sha256).hexdigest()
