"""Answering a generation or a training: items as server-sent events, and a client that leaves cancels the work.

Nothing is sent before the first token exists, so that a refusal is still a plain HTTP answer with its own status.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Generic, TypeVar

import structlog
from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from memos.generation.port import Distilled, DistilProgress, Finished, Token
from memos.generation.wire import (
    DistilledEvent,
    DoneEvent,
    ErrorEvent,
    ProgressEvent,
    TokenEvent,
    problem_of,
)
from memos.kit.errors import MemosError
from workers.model.problems import internal, problem_response

LOG = structlog.get_logger(__name__)
T = TypeVar("T")


class EventStream(Response, Generic[T]):
    """Streams what a generator yields. The disconnect is watched from the start: a client may leave while its request
    still waits in the queue."""

    media_type = "text/event-stream"

    def __init__(self, items: AsyncGenerator[T, None], headers: Mapping[str, str], event: Callable[[T], bytes]) -> None:
        super().__init__(headers={**headers, "cache-control": "no-store"})
        del self.headers["content-length"]
        self._items = items
        self._event = event

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answering = asyncio.create_task(self._answer(scope, receive, send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Reached with both running only when the server itself cuts us off.
            left_early = not answering.done()
            leaving.cancel()
            answering.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)
            await self._items.aclose()
        if not left_early:
            answering.result()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            item = await anext(self._items)
        except Exception as error:
            await problem_response(_known(error), self.headers)(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            await self._send(send, self._event(item))
            async for item in self._items:
                await self._send(send, self._event(item))
        except Exception as error:
            problem = problem_of(_known(error))
            await self._send(send, _framed("error", ErrorEvent.model_validate(problem)))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    @staticmethod
    async def _send(send: Send, body: bytes) -> None:
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _known(error: Exception) -> MemosError:
    if isinstance(error, MemosError):
        return error
    LOG.error("generate.failed", exc_info=error)
    return internal(error)


def answer_event(item: Token | Finished) -> bytes:
    if isinstance(item, Token):
        return _framed("token", TokenEvent(text=item.text))
    return _framed(
        "done",
        DoneEvent(reason=item.reason, prompt_tokens=item.prompt_tokens, completion_tokens=item.completion_tokens),
    )


def training_event(item: DistilProgress | Distilled) -> bytes:
    if isinstance(item, DistilProgress):
        return _framed("progress", ProgressEvent(step=item.step, steps=item.steps))
    return _framed("done", DistilledEvent(sha256=item.sha256, size_bytes=item.size_bytes, figures=item.figures))


def _framed(name: str, data: BaseModel) -> bytes:
    """JSON has no raw line breaks, so one data line holds any token."""
    return f"event: {name}\ndata: {data.model_dump_json()}\n\n".encode()
