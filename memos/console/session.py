"""Who is in the console: a session of a browser, begun with an admin's key.

The cookie holds no key and nothing that opens the API: it names a session, a tenant and the id of the key, signed with
the service's secret. It ends with the key, after `IDLE_S` without a page, after `LONGEST_S` in any case, and when one
leaves. As with tokens (`memos.keys.tokens`) no row is kept; sessions that were left are remembered by this process
until they would have ended by themselves, so a copy of a cookie that was left behind is of no use to anybody here.

Every form and every request that changes something carries a token that is made of the session's id, so no other site
can send one (beside `SameSite=Strict`). The form that asks for the key has a cookie and a token of its own.
"""

import base64
import binascii
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from memos.kernel.canonical import canonical_json
from memos.kit.errors import Forbidden, Unauthorized
from memos.kit.ids import new_id

COOKIE, VISIT_COOKIE = "memos_console", "memos_console_visit"
PATH = "/console"
IDLE_S = 1800
LONGEST_S = 8 * 3600
RENEW_S = 60  # a cookie younger than this is not made anew
VISIT_S = 3600
_SESSION, _FORM, _VISIT = b"memos console session:", b"memos console form:", b"memos console visit:"
Digest = Callable[[bytes], bytes]


class NoSession(Unauthorized):
    """You are not in the console, or not any more."""

    code = "no_session"
    hint = "Enter with an admin's key."


class ForgedForm(Forbidden):
    """This did not come from a page of this console."""

    code = "forged_form"
    hint = "Open the page again and send the form from there."


@dataclass(frozen=True, slots=True)
class Session:
    """`began_at` and `seen_at` in seconds since 1970."""

    id: str
    tenant_id: str
    key_id: str
    began_at: int
    seen_at: int

    @property
    def stale(self) -> bool:
        return time.time() - self.seen_at > RENEW_S


class Sessions:
    """Makes, reads and ends them. `digest` is keyed with the service's secret."""

    def __init__(self, digest: Digest) -> None:
        self._digest = digest
        self._ended: dict[str, float] = {}

    def begin(self, tenant_id: str, key_id: str) -> Session:
        now = int(time.time())
        return Session(new_id("token"), str(tenant_id), key_id, now, now)

    def renewed(self, session: Session) -> Session:
        return replace(session, seen_at=int(time.time()))

    def seal(self, session: Session) -> str:
        body = canonical_json([session.id, session.tenant_id, session.key_id, session.began_at, session.seen_at])
        return f"{_text(body)}.{_text(self._digest(_SESSION + body))}"

    def open(self, cookie: str | None) -> Session:
        """Raises NoSession for a cookie that is missing, not ours, over, or was left."""
        written, _, signature = (cookie or "").partition(".")
        try:
            body, signed = _bytes(written), _bytes(signature)
        except (binascii.Error, ValueError) as error:
            raise NoSession from error
        if not hmac.compare_digest(signed, self._digest(_SESSION + body)):
            raise NoSession
        session = Session(*json.loads(body))
        now = time.time()
        if now > session.seen_at + IDLE_S or now > session.began_at + LONGEST_S or session.id in self._ended:
            raise NoSession
        return session

    def end(self, session: Session) -> None:
        now = time.time()
        self._ended = {id: until for id, until in self._ended.items() if until > now}
        self._ended[session.id] = session.began_at + LONGEST_S

    def token(self, session: Session) -> str:
        """What a form of this session carries."""
        return self._digest(_FORM + session.id.encode()).hex()

    def check(self, session: Session, sent: str | None) -> None:
        """Raises ForgedForm."""
        if not hmac.compare_digest((sent or "").encode("utf-8", "replace"), self.token(session).encode()):
            raise ForgedForm

    def visit(self) -> tuple[str, str]:
        """A cookie for a browser without a session, and the token that its form carries."""
        body = f"{int(time.time())}.{secrets.token_hex(16)}"
        return body, self._digest(_VISIT + body.encode()).hex()

    def check_visit(self, cookie: str | None, sent: str | None) -> None:
        """Raises ForgedForm for a form that is not of this browser, or too old."""
        made_at = (cookie or "").partition(".")[0]
        expected = self._digest(_VISIT + (cookie or "").encode("utf-8", "replace")).hex()
        fresh = made_at.isdecimal() and time.time() - int(made_at) < VISIT_S
        if not fresh or not hmac.compare_digest((sent or "").encode("utf-8", "replace"), expected.encode()):
            raise ForgedForm(
                "the form is too old, or not of this browser", hint="Open the page again, with cookies on."
            )


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
