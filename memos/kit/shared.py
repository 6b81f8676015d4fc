"""Readings that concurrent callers share. Whoever asks while one is under way waits for the next one, which begins
after they asked: nobody is told what was so before their question, so that sharing cannot be seen.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Shared(Generic[K, V]):
    """Of one event loop. `read` is told a key, and may fail: then all who share that reading are told so."""

    def __init__(self, read: Callable[[K], Awaitable[V]]) -> None:
        self._read = read
        self._next: dict[K, asyncio.Future[V]] = {}
        self._reading: dict[K, asyncio.Task[None] | None] = {}

    async def read(self, key: K) -> V:
        if key not in self._reading:
            self._reading[key] = None
            try:
                return await self._read(key)
            finally:
                if key in self._next:
                    self._reading[key] = asyncio.create_task(self._go_on(key))
                else:
                    del self._reading[key]
        if key not in self._next:
            self._next[key] = asyncio.get_running_loop().create_future()
        return await asyncio.shield(self._next[key])

    async def _go_on(self, key: K) -> None:
        """Reads for those who wait, until nobody does."""
        try:
            while (told := self._next.pop(key, None)) is not None:
                try:
                    told.set_result(await self._read(key))
                except Exception as error:
                    told.set_exception(error)
                    told.exception()  # all who waited may have gone
                except BaseException:
                    told.cancel()
                    raise
        finally:
            del self._reading[key]
