"""A bounded pool of threads for work that would hold up the event loop, and the way tokens come out of it.

Two bounds: how many jobs run at once, and how many wait. A job beyond both is refused at once: a queue without a bound
turns a slow model into a slow and then a dead service.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import TypeVar, cast, get_args

import structlog

from memos.generation.engine import Finish
from memos.generation.port import Finished, FinishReason, ModelUnavailable, Token

LOG = structlog.get_logger(__name__)
T = TypeVar("T")
Steps = Generator[str, None, Finish]


class QueueFull(ModelUnavailable):
    """The model worker has as much work as it accepts."""

    code = "queue_full"


class Pool:
    """`threads` jobs at once and `waiting` behind them; `prepare` runs once in every thread before its first job."""

    def __init__(self, name: str, threads: int, waiting: int, prepare: Callable[[], None] = lambda: None) -> None:
        self.threads = threads
        self.limit = threads + waiting
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=prepare)
        self._lock = threading.Lock()
        self._held = 0
        self._running = 0

    @property
    def active(self) -> int:
        return self._running

    @property
    def waiting(self) -> int:
        return max(0, self._held - self._running)

    def submit(self, work: Callable[[], T]) -> Future[T]:
        with self._lock:
            if self._held >= self.limit:
                raise QueueFull(f"{self._held} jobs are running or waiting, which is the limit")
            self._held += 1
        try:
            future = self._executor.submit(self._run, work)
        except RuntimeError as error:
            self._release()
            raise _closing() from error
        # A place is free again when the thread is, not when the caller stops waiting for it.
        future.add_done_callback(lambda _: self._release())
        return future

    async def run(self, work: Callable[[], T]) -> T:
        future = self.submit(work)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise _closing() from None  # it was the job that was dropped, and not the caller

    async def stream(self, start: Callable[[Callable[[], bool]], Steps]) -> AsyncGenerator[Token | Finished, None]:
        """Runs `start(cancelled)` on a thread and yields its tokens as they come, then how it finished. Closing the
        stream cancels the work, which stops at its next token."""
        stop = threading.Event()
        mailbox = _Mailbox(asyncio.get_running_loop())
        future = self.submit(lambda: _pump(start(stop.is_set), mailbox))
        future.add_done_callback(lambda _: mailbox.wake())
        try:
            while True:
                tokens = await mailbox.take()
                done = future.done()
                if done:  # what was posted between the two lines above
                    tokens += mailbox.drain()
                for text in tokens:
                    yield Token(text)
                if done:
                    break
            if future.cancelled():
                raise _closing()
            finish = future.result()
            yield Finished(_reason(finish), finish.prompt_tokens, finish.completion_tokens)
        finally:
            stop.set()
            if not future.done() and not future.cancel():
                future.add_done_callback(_report_abandoned)

    def close(self) -> None:
        """Refuses further work and drops what waits; jobs that run are left to end."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _run(self, work: Callable[[], T]) -> T:
        with self._lock:
            self._running += 1
        try:
            return work()
        finally:
            with self._lock:
                self._running -= 1

    def _release(self) -> None:
        with self._lock:
            self._held -= 1


class _Mailbox:
    """Hands texts from one pool thread to the event loop, with one wake-up for all that lie ready."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._texts: list[str] = []
        self._ready = asyncio.Event()
        self._woken = False

    def post(self, text: str) -> None:
        with self._lock:
            self._texts.append(text)
        self.wake()

    def wake(self) -> None:
        with self._lock:
            needed, self._woken = not self._woken, True
        if needed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ready.set)

    async def take(self) -> list[str]:
        """What has come since the last time; waits for a wake-up, so it may be nothing."""
        await self._ready.wait()
        return self.drain()

    def drain(self) -> list[str]:
        with self._lock:
            texts, self._texts = self._texts, []
            self._woken = False
            self._ready.clear()
        return texts


def _pump(steps: Steps, mailbox: _Mailbox) -> Finish:
    try:
        while True:
            mailbox.post(next(steps))
    except StopIteration as end:
        finish: Finish = end.value
        return finish
    finally:
        steps.close()


def _closing() -> ModelUnavailable:
    return ModelUnavailable("the model worker is shutting down")


def _reason(finish: Finish) -> FinishReason:
    if finish.reason not in get_args(FinishReason):
        raise ValueError(f"an engine finished for an unknown reason: {finish.reason!r}")
    return cast(FinishReason, finish.reason)


def _report_abandoned(future: "Future[Finish]") -> None:
    """Nobody waits for this generation any more: a failure of it would otherwise vanish."""
    try:
        error = future.exception()
    except CancelledError:
        return
    if error is not None:
        LOG.error("generation.failed_after_cancel", exc_info=error)
