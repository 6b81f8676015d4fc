"""Decoded states by the hash of their payload. A hash names one content for ever, so an entry is never stale.

An entry leaves when the bytes held exceed the bound (least recently used first; it counts as its payload's bytes), when
it is told to be forgotten, or when it has been held for `max_age_s`: an erased state must not survive in a cache, and
its age is the one bound that holds on machines that erasure cannot reach.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

S = TypeVar("S")
SWEEPS_PER_AGE = 10


class StateCache(Generic[S]):
    """Threads may share it. `max_bytes` 0 switches it off."""

    def __init__(self, max_bytes: int, max_age_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_bytes = max_bytes
        self.max_age_s = max_age_s
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[S, int, float]] = OrderedDict()
        self._bytes = 0
        self._swept = clock()
        self.hits = 0
        self.misses = 0

    def get(self, sha256: str) -> S | None:
        with self._lock:
            entry = self._entries.get(sha256)
            if entry is None or self._clock() - entry[2] > self.max_age_s:
                self.misses += 1
                return None
            self._entries.move_to_end(sha256)
            self.hits += 1
            return entry[0]

    def put(self, sha256: str, state: S, size_bytes: int) -> None:
        if size_bytes > self._max_bytes:
            return
        with self._lock:
            self._drop(sha256)
            self._entries[sha256] = (state, size_bytes, self._clock())
            self._bytes += size_bytes
            while self._bytes > self._max_bytes:
                self._drop(next(iter(self._entries)))

    def forget(self, hashes: Iterable[str] | None) -> int:
        """Drops these states, or all; how many were held."""
        with self._lock:
            before = len(self._entries)
            for sha256 in list(self._entries) if hashes is None else hashes:
                self._drop(sha256)
            return before - len(self._entries)

    def expire(self) -> None:
        """Drops what is too old; cheap to call often. Whoever owns the cache also calls it on a timer: an idle one must
        forget too."""
        with self._lock:
            now = self._clock()
            if now - self._swept < self.max_age_s / SWEEPS_PER_AGE:
                return
            self._swept, oldest = now, now - self.max_age_s
            for sha256 in [key for key, entry in self._entries.items() if entry[2] < oldest]:
                self._drop(sha256)

    def stats(self) -> dict[str, int]:
        with self._lock:
            return {
                "hits": self.hits,
                "misses": self.misses,
                "entries": len(self._entries),
                "bytes": self._bytes,
                "max_bytes": self._max_bytes,
            }

    def _drop(self, sha256: str) -> None:
        entry = self._entries.pop(sha256, None)
        if entry is not None:
            self._bytes -= entry[1]
