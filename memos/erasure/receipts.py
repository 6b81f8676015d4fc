"""Signs receipts and checks signatures: Ed25519, with a key derived from the service's secret, so that a receipt can be
checked by whoever is given the public key, and made by nobody but this service.

A receipt has two dated stages. Each is signed as canonical JSON; the later one names the earlier one's signature.
"""

from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from memos.kernel.canonical import canonical_json, sha256_hex

STAGES = ("logical", "physical")
PURPOSE = b"memos erasure receipts, 1"


class Signer:
    def __init__(self, secret: bytes) -> None:
        seed = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=PURPOSE).derive(secret)
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = self._key.public_key().public_bytes_raw().hex()

    def sign(self, stage: Mapping[str, Any]) -> dict[str, Any]:
        """The stage with its signature and the public key that checks it."""
        body = {**stage, "algorithm": "Ed25519", "public_key": self.public_key}
        return {**body, "signature": self._key.sign(canonical_json(body)).hex()}

    def holds(self, stage: Any) -> bool:
        """Whether this service signed the stage, and nobody has changed it since."""
        if not isinstance(stage, Mapping) or stage.get("public_key") != self.public_key:
            return False
        body = {name: value for name, value in stage.items() if name != "signature"}
        try:
            signature = bytes.fromhex(stage.get("signature", ""))
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.public_key)).verify(signature, canonical_json(body))
        except (InvalidSignature, ValueError, TypeError):
            return False
        return True


def digest(items: list[list[str]]) -> str:
    """Binds a receipt to what was reached: store, id and action of each thing, in order."""
    return sha256_hex(canonical_json(items))
