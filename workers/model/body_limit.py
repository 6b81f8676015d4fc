"""Refuses a body that is too large before reading it, so that no caller can fill this process's memory."""

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from memos.generation.wire import MAX_BODY_BYTES
from memos.kit.errors import TooLarge
from workers.model.problems import problem_response


class BodyLimit:
    """A body must say its length: one that does not could have any."""

    def __init__(self, app: ASGIApp, stamp: Mapping[str, str]) -> None:
        self._app = app
        self._stamp = stamp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            length = headers.get("content-length", "0")
            if "transfer-encoding" in headers or not length.isdecimal() or int(length) > MAX_BODY_BYTES:
                error = TooLarge(f"a body must say its length and have at most {MAX_BODY_BYTES} bytes")
                await problem_response(error, self._stamp)(scope, receive, send)
                return
        await self._app(scope, receive, send)
