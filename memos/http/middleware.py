"""What happens to every request before and after its route, as plain ASGI: an id, its figures and its span, a
readable address, a bound on the body.
"""

import re
import time
import uuid
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memos.http.problems import MalformedAddress, respond, route_of
from memos.kit.errors import TooLarge
from memos.kit.metrics import Metrics
from memos.kit.tracing import Span, Tracing

LOG = structlog.get_logger(__name__)
UNTRACED = frozenset({"/healthz", "/readyz", "/metrics"})  # asked every few seconds, and nobody's trace
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})  # a caller may send any word
_REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{1,128}$")


class RequestId:
    """Every answer carries X-Request-Id: the caller's, if it sent a sane one, else a new one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.match(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._app(scope, receive, send_with_id)


class Observed:
    """Counts how long each request took, by the template of its route (an address that no route takes is `none`), and
    opens its span, within the trace that the caller names by `traceparent`."""

    def __init__(self, app: ASGIApp, metrics: Metrics, tracing: Tracing) -> None:
        self._app = app
        self._metrics = metrics
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] in UNTRACED:
            await self._timed(scope, receive, send, None)
            return
        method = _method(scope)
        parent = Headers(scope=scope).get("traceparent")
        with self._tracing.entry(method, "server", parent, **{"http.request.method": method}) as span:
            await self._timed(scope, receive, send, span)

    async def _timed(self, scope: Scope, receive: Receive, send: Send, span: Span | None) -> None:
        began, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            took_s, method, route = time.perf_counter() - began, _method(scope), route_of(scope)
            self._metrics.request_ended(method, route, status, took_s)
            if span is not None:
                span.named(f"{method} {route}", {"http.route": route, "http.response.status_code": status})
            LOG.debug("request.ended", method=method, route=route, status=status, took_ms=round(took_s * 1000, 1))


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in METHODS else "other"


class ReadableAddress:
    """Refuses a path or a query that is not UTF-8 without NUL once unescaped: frameworks would repair it in silence."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for part, written in (("path", scope.get("raw_path") or b""), ("query", scope["query_string"])):
                if not _readable(written):
                    error = MalformedAddress(f"the {part} is not UTF-8, or contains a NUL")
                    await respond(error, Request(scope))(scope, receive, send)
                    return
        await self._app(scope, receive, send)


def _readable(escaped: bytes) -> bool:
    try:
        return "\x00" not in unquote_to_bytes(escaped).decode()
    except UnicodeDecodeError:
        return False


class BodyTooLarge(HTTPException):
    """Raised where the body is read: anything but an HTTPException would be taken for a body that cannot be parsed."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__(413, f"the body is larger than {most_bytes} bytes")


class BodyLimit:
    """Refuses a body over the limit with 413, by its declared length or, if that lies or is missing, by counting."""

    def __init__(self, app: ASGIApp, most_bytes: int, larger: Mapping[str, int] | None = None) -> None:
        """`larger`: the limits of paths that have one of their own."""
        self._app = app
        self._most_bytes = most_bytes
        self._larger = dict(larger or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most_bytes = self._larger.get(scope["path"], self._most_bytes)
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdecimal() and int(declared) > most_bytes:
            error = TooLarge(BodyTooLarge(most_bytes).detail)
            await respond(error, Request(scope))(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > most_bytes:
                raise BodyTooLarge(most_bytes)
            return message

        await self._app(scope, counted, send)
