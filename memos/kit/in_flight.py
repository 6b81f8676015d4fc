"""What is under way in this process, so that somebody can wait for the end of all that began before a moment."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

POLL_S = 0.02


class InFlight:
    """Of one event loop."""

    def __init__(self) -> None:
        self._under_way: dict[object, str] = {}

    @contextmanager
    def one(self, name: str) -> Iterator[None]:
        mark = object()
        self._under_way[mark] = name
        try:
            yield
        finally:
            del self._under_way[mark]

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
