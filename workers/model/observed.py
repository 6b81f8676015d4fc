"""Whose work a request is: the ids that came along stand in every line that is logged for it, and its span is within
the trace of whoever asked.
"""

import time

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memos.kit import carried
from memos.kit.tracing import Tracing

LOG = structlog.get_logger(__name__)
UNTRACED = frozenset({"/health", "/metrics"})


class Observed:
    """Plain ASGI, outside of everything that could log."""

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self._app = app
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNTRACED:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        parent = headers.get(carried.TRACEPARENT)
        with carried.incoming(headers), self._tracing.entry(scope["method"], "server", parent) as span:
            began, status = time.perf_counter(), 500

            async def noted(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            try:
                await self._app(scope, receive, noted)
            finally:
                route = str(getattr(scope.get("route"), "path", "none"))
                if span is not None:
                    span.named(f"{scope['method']} {route}", {"http.route": route, "http.response.status_code": status})
                took_ms = round((time.perf_counter() - began) * 1000, 1)
                LOG.debug("model_worker.answered", route=route, status=status, took_ms=took_ms)
