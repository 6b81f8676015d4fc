"""Tokens limited to one user, for browsers. A token says itself who it is for and until when, signed with the service's
secret: it costs no row, and ends with its time or with the key that made it, whichever is first.
"""

import base64
import binascii
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from memos.kernel.canonical import canonical_json
from memos.keys.schemas import NewToken, TokenCreate
from memos.kit.errors import Unauthorized
from memos.kit.ids import new_id

PREFIX = "mt_"
_DOMAIN = b"memos token:"  # what else the secret signs begins otherwise
Digest = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Claims:
    token_id: str
    tenant_id: str
    key_id: str
    user_id: str
    agent_id: str | None
    roles: tuple[str, ...]
    expires_at: int  # seconds since 1970


def make(tenant_id: str, key_id: str, wanted: TokenCreate, digest: Digest) -> NewToken:
    token_id, expires_at = new_id("token"), int(time.time()) + wanted.ttl_s
    roles = sorted(set(wanted.roles))
    body = canonical_json([token_id, str(tenant_id), key_id, wanted.user_id, wanted.agent_id, roles, expires_at])
    return NewToken(
        id=token_id,
        token=f"{PREFIX}{_text(body)}.{_text(digest(_DOMAIN + body))}",
        user_id=wanted.user_id,
        agent_id=wanted.agent_id,
        roles=roles,
        expires_at=datetime.fromtimestamp(expires_at, UTC),
    )


def read(token: str, digest: Digest) -> Claims:
    """Raises Unauthorized for one that is not ours, was changed, or is over."""
    written, _, signature = token.removeprefix(PREFIX).partition(".")
    try:
        body, signed = _bytes(written), _bytes(signature)
    except (binascii.Error, ValueError) as error:
        raise Unauthorized("this token is not one of ours") from error
    if not hmac.compare_digest(signed, digest(_DOMAIN + body)):
        raise Unauthorized("this token is not one of ours")
    token_id, tenant_id, key_id, user_id, agent_id, roles, expires_at = json.loads(body)
    if expires_at <= time.time():
        raise Unauthorized("this token is over", hint="Have a new one made with POST /v1/tokens.")
    return Claims(token_id, tenant_id, key_id, user_id, agent_id, tuple(roles), expires_at)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
