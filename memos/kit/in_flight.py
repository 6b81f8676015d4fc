"""What is under way in this process, so that somebody can wait for the end of all that began before a moment."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

POLL_S = 0.02


class InFlight:
    """Of one event loop. `ended` is told of everything that ends: its name, and how many seconds it took."""

    def __init__(self, ended: Callable[[str, float], object] = lambda name, took_s: None) -> None:
        self._ended = ended
        self._under_way: dict[object, str] = {}

    @contextmanager
    def one(self, name: str) -> Iterator[None]:
        mark, began = object(), time.perf_counter()
        self._under_way[mark] = name
        try:
            yield
        finally:
            del self._under_way[mark]
            self._ended(name, time.perf_counter() - began)

    async def left(self, timeout_s: float) -> list[str]:
        """Returns when everything that is under way now has ended, or after the timeout; the names of what has not.
        What begins meanwhile is not waited for."""
        before = set(self._under_way)
        deadline = asyncio.get_running_loop().time() + timeout_s
        while left := before & self._under_way.keys():
            if asyncio.get_running_loop().time() > deadline:
                return sorted(self._under_way[mark] for mark in left)
            await asyncio.sleep(POLL_S)
        return []
