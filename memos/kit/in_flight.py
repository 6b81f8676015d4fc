"""What is under way in this process, so that somebody can wait for the end of all that began before a moment."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

POLL_S = 0.02


class InFlight:
    """Of one event loop."""

    def __init__(self) -> None:
        self._under_way: set[object] = set()

    @contextmanager
    def one(self) -> Iterator[None]:
        mark = object()
        self._under_way.add(mark)
        try:
            yield
        finally:
            self._under_way.discard(mark)

    async def drained(self, timeout_s: float) -> bool:
        """Returns when everything that is under way now has ended; False if it did not in time. What begins meanwhile
        is not waited for."""
        before = set(self._under_way)
        deadline = asyncio.get_running_loop().time() + timeout_s
        while before & self._under_way:
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(POLL_S)
        return True
