"""Joins the texts of concurrent callers into batches for one encoder: a batch costs far less than its texts one by one.

Notable choices
* Everybody is served in turn: a batch takes at most `SLICE` texts of one caller before it goes to the next, so a
  question does not wait behind an import. What is not urgent (`background`) gets only the batches that nobody else
  wants any of, and smaller ones: that is how long a question may wait for it.
* While a batch computes, the next one gathers by itself. Only when there have just been several callers does an idle
  batcher wait a moment for more; a lone caller never does.
* The queue is bounded in texts; beyond the bound a caller is refused and told when to come back.

Not thread-safe: everything but the encoding happens on the event loop.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from memos.generation.pool import Pool, QueueFull
from memos.generation.port import ModelUnavailable

MOST_TEXTS = 64
MOST_CHARS = 16_000
CHARS_READ = 1_200  # of one text: encoders cut what is longer
SLICE = 16
WAIT_S = 0.002
MOST_WAITING = 4_096
BACKGROUND_SHARE = 4  # a background batch is this much smaller
CAME_BACK_S = 1.0

Vectors = NDArray[np.float32]


class _Asked:
    """One caller's texts, and as much of the answer as there is."""

    def __init__(self, texts: Sequence[str], dimensions: int, done: "asyncio.Future[None]") -> None:
        self.texts = texts
        self.vectors: Vectors = np.empty((len(texts), dimensions), dtype=np.float32)
        self.taken = 0
        self.left = len(texts)
        self.done = done


_Piece = tuple[_Asked, int, int]  # texts from, to


class Batcher:
    """Over `encode`, which runs on `pool`."""

    def __init__(
        self,
        encode: Callable[[Sequence[str]], Vectors],
        dimensions: int,
        pool: Pool,
        *,
        most_waiting: int = MOST_WAITING,
        wait_s: float = WAIT_S,
    ) -> None:
        self._encode = encode
        self._dimensions = dimensions
        self._pool = pool
        self._most_waiting = most_waiting
        self._wait_s = wait_s
        self._urgent: deque[_Asked] = deque()
        self._background: deque[_Asked] = deque()
        self._running: asyncio.Task[None] | None = None
        self._crowded = False
        self._closed = False
        self.waiting = 0  # texts that no batch has taken yet
        self.batches = 0
        self.texts = 0

    async def embed(self, texts: Sequence[str], *, background: bool = False) -> Vectors:
        """Unit vectors [n, dimensions], in order. Raises QueueFull, and ModelUnavailable when closed meanwhile."""
        if self._closed:
            raise _closing()
        if not texts:
            return np.empty((0, self._dimensions), dtype=np.float32)
        if self.waiting and self.waiting + len(texts) > self._most_waiting:
            raise QueueFull(f"{self.waiting} texts wait to be embedded, which is the limit", retry_after_s=CAME_BACK_S)
        asked = _Asked(texts, self._dimensions, asyncio.get_running_loop().create_future())
        (self._background if background else self._urgent).append(asked)
        self.waiting += len(texts)
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name="embed.batches")
        try:
            await asked.done
        finally:
            self._drop(asked)
        return asked.vectors

    @property
    def busy(self) -> bool:
        return self._running is not None

    async def aclose(self) -> None:
        self._closed = True
        running = self._running
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        for asked in (*self._urgent, *self._background):
            _fail(asked, _closing())

    async def _run(self) -> None:
        pieces: list[_Piece] = []
        try:
            while self._urgent or self._background:
                if self._crowded and self._wait_s and self.waiting < MOST_TEXTS:
                    await asyncio.sleep(self._wait_s)
                pieces = self._batch()
                self._crowded = len({id(asked) for asked, _, _ in pieces}) > 1
                texts = [text for asked, start, end in pieces for text in asked.texts[start:end]]
                if texts:
                    await self._compute(pieces, texts)
        except asyncio.CancelledError:
            for asked, _, _ in pieces:
                _fail(asked, _closing())
            raise
        finally:
            self._running = None

    async def _compute(self, pieces: Sequence[_Piece], texts: Sequence[str]) -> None:
        try:
            vectors = await self._pool.run(lambda: self._encode(texts))
        except Exception as error:
            for asked, _, _ in pieces:
                _fail(asked, error)
                self._drop(asked)
            return
        self.batches += 1
        self.texts += len(texts)
        row = 0
        for asked, start, end in pieces:
            asked.vectors[start:end] = vectors[row : row + end - start]
            row += end - start
            asked.left -= end - start
            if not asked.left and not asked.done.done():
                asked.done.set_result(None)

    def _batch(self) -> list[_Piece]:
        """What the next batch computes: a slice of each urgent caller in turn, or of the first that can wait."""
        if self._urgent:
            return self._pieces(self._urgent, MOST_TEXTS, MOST_CHARS)
        return self._pieces(self._background, MOST_TEXTS // BACKGROUND_SHARE, MOST_CHARS // BACKGROUND_SHARE)

    def _pieces(self, queue: "deque[_Asked]", most_texts: int, most_chars: int) -> list[_Piece]:
        pieces: list[_Piece] = []
        while queue and most_texts > 0 and most_chars > 0:
            asked = queue.popleft()
            end = start = asked.taken
            for text in asked.texts[start : start + min(SLICE, most_texts)]:
                if most_chars <= 0:
                    break
                most_chars -= min(len(text), CHARS_READ)
                end += 1
            most_texts -= end - start
            self.waiting -= end - start
            asked.taken = end
            pieces.append((asked, start, end))
            if end < len(asked.texts):
                queue.append(asked)
        return pieces

    def _drop(self, asked: _Asked) -> None:
        """What of it no batch has taken will not be computed: its caller has left, or has failed."""
        for queue in (self._urgent, self._background):
            if asked in queue:
                queue.remove(asked)
                self.waiting -= len(asked.texts) - asked.taken


def _fail(asked: _Asked, error: Exception) -> None:
    if not asked.done.done():
        asked.done.set_exception(error)


def _closing() -> ModelUnavailable:
    return ModelUnavailable("the embedder is shutting down")
