"""One runtime on one event loop in one thread of a worker process.

The loop runs all the time, not only during a task: database connections are closed in order, wake-ups are sent after
the task that caused them has returned, and several threads may hand in jobs.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future

from memos.kit.config import Settings
from memos.kit.doors import ClaimedJob
from memos.runtime import Runtime

# A worker process runs one job at a time: its steps, its lease, wake-ups sent and wake-ups heard.
CONNECTIONS = 5
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0


class RuntimeLoop:
    """Started when made. Raises StartupError or Unavailable, and leaves nothing behind, if that fails."""

    def __init__(self, settings: Settings, on_job_progress: Callable[[], None]) -> None:
        self._settings = settings.model_copy(update={"database_pool_size": CONNECTIONS})
        self._on_job_progress = on_job_progress
        self._started: Future[tuple[Runtime, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=self._main, name="memos-runtime", daemon=True)
        self._thread.start()
        self._runtime, self._loop, self._stop = self._started.result(START_TIMEOUT_S)

    def run(self, job: ClaimedJob) -> None:
        """Returns when the job has ended, however it ended. Raises Unavailable if that could not be written down."""
        asyncio.run_coroutine_threadsafe(self._runtime.jobs.run(job), self._loop).result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(STOP_TIMEOUT_S)

    def _main(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        try:
            runtime = Runtime(self._settings, on_job_progress=self._on_job_progress, process="worker")
            await runtime.start()
        except Exception as error:
            self._started.set_exception(error)
            return
        stop = asyncio.Event()
        self._started.set_result((runtime, asyncio.get_running_loop(), stop))
        await stop.wait()
        await runtime.stop()
