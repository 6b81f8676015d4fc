"""No answer that has to be in the audit log leaves before its row is committed, whichever route made it. Most rows are
in the transaction of what they tell of (`memos.audit.recording`); this writes those that no transaction took.
"""

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memos.audit.recording import Recording
from memos.http.problems import respond
from memos.kit.errors import MemosError

LOG = structlog.get_logger(__name__)


class Audited:
    """Holds an answer of 2xx back until its row is committed; if that cannot be, the answer is the problem instead."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = False

        async def send_recorded(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and 200 <= message["status"] < 300:
                error = await _record(scope)
                if error is not None:
                    refused = True
                    await respond(error, Request(scope))(scope, receive, send)
            if not refused:
                await send(message)

        await self._app(scope, receive, send_recorded)


async def _record(scope: Scope) -> MemosError | None:
    recording: Recording | None = scope.get("state", {}).get("recording")
    if recording is None:
        return None
    try:
        await recording.make_sure(scope["app"].state.runtime.database)
    except MemosError as error:
        LOG.error("audit.not_written", action=recording.action, code=error.code)
        return error
    return None
