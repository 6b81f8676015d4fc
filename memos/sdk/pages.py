"""Lists that fetch their next page when the one before is used up. Nothing is sent before the first
item is asked for.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Generic, TypeVar

from memos.sdk._calls import Call
from memos.sdk.models import Page

T = TypeVar("T")


class Pages(Generic[T]):
    """`for item in client.jobs.list()`, or page by page with `.pages()`. May be iterated again, from the start."""

    def __init__(self, send: Callable[[Call[Page[T]]], Page[T]], call: Call[Page[T]]) -> None:
        self._send = send
        self._call = call

    def pages(self) -> Iterator[Page[T]]:
        """One Page after the other; each knows its `next_cursor`."""
        call = self._call
        while True:
            page = self._send(call)
            yield page
            if not page.next_cursor:
                return
            call = call.at(page.next_cursor)

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page.items


class AsyncPages(Generic[T]):
    """`async for item in client.jobs.list()`, or page by page with `.pages()`."""

    def __init__(self, send: Callable[[Call[Page[T]]], Awaitable[Page[T]]], call: Call[Page[T]]) -> None:
        self._send = send
        self._call = call

    async def pages(self) -> AsyncIterator[Page[T]]:
        """One Page after the other; each knows its `next_cursor`."""
        call = self._call
        while True:
            page = await self._send(call)
            yield page
            if not page.next_cursor:
                return
            call = call.at(page.next_cursor)

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.pages():
            for item in page.items:
                yield item
