"""The indexes of this process, by scope: those that were asked last, as many as their bound in bytes lets it hold.

Notable choices:

* A cold index is built once: whoever else asks for it meanwhile waits for that build. At most `most_builds` run at a
  time, because an index in the making is not counted yet.
* An index that is larger than the whole bound answers the search it was built for and is let go. `too_large` counts
  them: the bound is too low, or the vectors belong in the database.
* `forget` drops everything, and what is being built at that moment is not kept: it may hold what was erased since, so
  it is built again.
* An index is followed under its entry's `lock`: of two that read its changes, the later must not write first.

It belongs to one event loop; the figures may be read by any thread. What an index is built from is its caller's.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

MOST_BUILDS = 4


class Sized(Protocol):
    @property
    def size_bytes(self) -> int: ...


X = TypeVar("X", bound=Sized)


@dataclass(slots=True, eq=False)
class Entry(Generic[X]):
    """`revision`: up to which the index knows its scope; whoever follows it raises it, and calls `recount`."""

    key: Hashable
    index: X
    revision: int
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    counted_bytes: int = 0


@dataclass(frozen=True, slots=True)
class CacheFigures:
    hits: int
    misses: int
    evictions: int
    too_large: int
    entries: int
    held_bytes: int
    most_bytes: int


class IndexCache(Generic[X]):
    def __init__(self, most_bytes: int, *, most_builds: int = MOST_BUILDS) -> None:
        if most_bytes < 0 or most_builds < 1:
            raise ValueError("a bound is not negative, and somebody has to build")
        self._most_bytes = most_bytes
        self._builders = asyncio.Semaphore(most_builds)
        self._entries: OrderedDict[Hashable, Entry[X]] = OrderedDict()
        self._building: dict[Hashable, asyncio.Future[Entry[X]]] = {}
        self._held_bytes = 0
        self._epoch = 0  # how often everything was forgotten
        self._hits = self._misses = self._evictions = self._too_large = 0

    @property
    def figures(self) -> CacheFigures:
        return CacheFigures(
            self._hits,
            self._misses,
            self._evictions,
            self._too_large,
            len(self._entries),
            self._held_bytes,
            self._most_bytes,
        )

    async def get(self, key: Hashable, build: Callable[[], Awaitable[tuple[X, int]]]) -> Entry[X]:
        """The entry of a scope. `build` makes a cold one and says at which revision; what it raises reaches the one who
        called it, and the next who waits builds in its place."""
        while True:
            if (entry := self.held(key)) is not None:
                self._hits += 1
                return entry
            if (going_on := self._building.get(key)) is None:
                self._misses += 1
                return await self._build(key, build)
            await asyncio.wait([going_on])
            if not going_on.cancelled() and going_on.exception() is None:
                self._hits += 1
                return going_on.result()

    def held(self, key: Hashable) -> Entry[X] | None:
        """Not counted as a hit or a miss."""
        if (entry := self._entries.get(key)) is not None:
            self._entries.move_to_end(key)
        return entry

    def recount(self, entry: Entry[X]) -> None:
        """After the index of an entry changed."""
        if self._entries.get(entry.key) is entry:
            self._keep(entry)

    def drop(self, key: Hashable) -> None:
        """One scope: what it is asked with next is built anew."""
        if (entry := self._entries.pop(key, None)) is not None:
            self._held_bytes -= entry.counted_bytes

    def forget(self) -> int:
        """Drops all of them; how many there were. What is being built now is built again."""
        self._epoch += 1
        dropped = len(self._entries)
        self._entries.clear()
        self._held_bytes = 0
        return dropped

    async def _build(self, key: Hashable, build: Callable[[], Awaitable[tuple[X, int]]]) -> Entry[X]:
        told: asyncio.Future[Entry[X]] = asyncio.get_running_loop().create_future()
        self._building[key] = told
        try:
            async with self._builders:
                entry = await self._built(key, build)
        except BaseException:
            told.cancel()  # who waits looks again
            raise
        else:
            told.set_result(entry)
            return entry
        finally:
            del self._building[key]

    async def _built(self, key: Hashable, build: Callable[[], Awaitable[tuple[X, int]]]) -> Entry[X]:
        while True:
            epoch = self._epoch
            index, revision = await build()
            if epoch == self._epoch:
                entry = Entry(key, index, revision)
                self._keep(entry)
                return entry

    def _keep(self, entry: Entry[X]) -> None:
        self.drop(entry.key)
        entry.counted_bytes = entry.index.size_bytes
        if entry.counted_bytes > self._most_bytes:
            self._too_large += 1
            return
        self._entries[entry.key] = entry
        self._held_bytes += entry.counted_bytes
        while self._held_bytes > self._most_bytes:
            self._held_bytes -= self._entries.popitem(last=False)[1].counted_bytes
            self._evictions += 1
