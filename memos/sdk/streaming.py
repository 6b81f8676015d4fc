"""An answer as it is made. Iterating gives Token events and then one Done, whose Turn is durable; tokens before it
are provisional.

A connection that breaks on the way is taken up again with the same idempotency key: the service then gives the stored
answer, or works the turn out anew. In both cases a Restarted event tells that the tokens so far do not count.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

from memos.sdk._calls import Call
from memos.sdk.errors import InvalidResponseError, MemosError, StreamInterruptedError, _from_problem
from memos.sdk.models import Turn


@dataclass(frozen=True, slots=True)
class Token:
    """The next piece of text."""

    text: str


@dataclass(frozen=True, slots=True)
class Restarted:
    """The tokens so far do not count; the answer begins anew."""


@dataclass(frozen=True, slots=True)
class Done:
    """The answer is stored, in full, in `turn`."""

    turn: Turn


StreamEvent = Token | Restarted | Done


class _ServerEvent(Protocol):
    """What the HTTP library makes of one server-sent event."""

    @property
    def event(self) -> str: ...
    @property
    def data(self) -> str: ...


class _Reader:
    """Turns the server-sent events of one logical call, over all its attempts, into StreamEvents."""

    def __init__(self, call: Call[Turn]) -> None:
        self._call = call
        self._provisional = False
        self.final: Turn | None = None

    def begin(self) -> list[StreamEvent]:
        """A new attempt starts to answer."""
        restarted, self._provisional = self._provisional, False
        return [Restarted()] if restarted else []

    def take(self, event: _ServerEvent) -> list[StreamEvent]:
        """Raises the error that an `error` event carries. Unknown events are for newer clients and are passed over."""
        if event.event == "token":
            self._provisional = True
            return [Token(_text(event.data))]
        if event.event == "done":
            self.final = self._call.read(event.data.encode())
            return [Done(self.final)]
        if event.event == "error":
            problem = _object(event.data)
            status = problem.get("status")
            raise _from_problem(status if isinstance(status, int) else 500, problem)
        return []

    def end(self) -> None:
        """The connection has ended; without a `done` that is an error."""
        if self.final is None:
            raise StreamInterruptedError(
                "the stream ended before its `done` event", idempotency_key=self._call.idempotency_key
            )

    def result(self) -> Turn:
        if self.final is None:
            raise MemosError(
                "the stream has not finished", code="stream_unfinished", hint="Iterate it, or call until_done(), first."
            )
        return self.final


def _object(data: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError as error:
        raise InvalidResponseError(f"an event of the stream is not JSON: {data[:80]!r}") from error
    if not isinstance(value, dict):
        raise InvalidResponseError(f"an event of the stream is not an object: {data[:80]!r}")
    return value


def _text(data: str) -> str:
    text = _object(data).get("text")
    if not isinstance(text, str):
        raise InvalidResponseError(f"a token event has no text: {data[:80]!r}")
    return text


class TurnStream:
    """Iterate it for the events; leave its `with` block, or close() it, to stop listening."""

    def __init__(self, reader: _Reader, events: Generator[StreamEvent, None, None]) -> None:
        self._reader = reader
        self._events = events

    def __iter__(self) -> Iterator[StreamEvent]:
        return self

    def __next__(self) -> StreamEvent:
        return next(self._events)

    @property
    def final(self) -> Turn:
        """The stored turn, once Done has come."""
        return self._reader.result()

    def until_done(self) -> Turn:
        """Passes over the remaining events and gives the stored turn."""
        for _ in self:
            pass
        return self.final

    def close(self) -> None:
        """Stops listening. The turn goes on; `turns.cancel` ends it."""
        self._events.close()

    def __enter__(self) -> "TurnStream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncTurnStream:
    """Iterate it with `async for`; leave its `async with` block, or close() it, to stop listening."""

    def __init__(self, reader: _Reader, events: AsyncGenerator[StreamEvent, None]) -> None:
        self._reader = reader
        self._events = events

    def __aiter__(self) -> AsyncIterator[StreamEvent]:
        return self

    async def __anext__(self) -> StreamEvent:
        return await anext(self._events)

    @property
    def final(self) -> Turn:
        """The stored turn, once Done has come."""
        return self._reader.result()

    async def until_done(self) -> Turn:
        """Passes over the remaining events and gives the stored turn."""
        async for _ in self:
            pass
        return self.final

    async def close(self) -> None:
        """Stops listening. The turn goes on; `turns.cancel` ends it."""
        await self._events.aclose()

    async def __aenter__(self) -> "AsyncTurnStream":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
