"""`python -m workers.consumer [--concurrency 2 ...]`: a Celery worker that does not stay stuck.

Starts the worker as a child and watches it from outside, because what is stuck cannot watch itself. It is started again
when it ends, when its main process has been silent for too long (stopped, or blocked), and when it takes no job
although dispatched ones wait (its broker connection hangs, say). Arguments are handed on to `celery worker`.

How long is too long: one lease and one `watchdog_idle_s`. A message that Redis lost is dispatched again after a lease,
so only what outlives that says anything about the worker.

SIGTERM lets the worker finish its jobs, within a bound. If this process is killed, the kernel ends the worker too.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import structlog

from memos.embedded.spawn import spawn
from memos.kit.config import Settings
from memos.kit.errors import MemosError
from memos.kit.logs import configure_logs
from memos.outbox.watchdog import Watchdog
from memos.runtime import Runtime
from workers.app import configuration
from workers.beacon import JOBS, VARIABLE, Lookout
from workers.metrics import with_pool
from workers.relay import stop_on_signals, wait_for

LOG = structlog.get_logger(__name__)
LOOK_S = 0.2
FINISH_S = 45.0  # for jobs under way when asked to stop; less than the compose file's stop_grace_period
START_S = 60.0  # until its first sign
FIRST_DELAY_S, MOST_DELAY_S, STEADY_S = 0.25, 5.0, 60.0
CELERY = ("-m", "celery", "-A", "workers.app", "worker", "--loglevel", "INFO", "--without-gossip", "--without-mingle")


def main(arguments: list[str]) -> int:
    settings = Settings()
    configure_logs(settings)
    try:
        configuration(settings)  # refuses without a Redis, before a child could
        return asyncio.run(serve(settings, arguments))
    except MemosError as error:
        LOG.error("consumer.not_started", code=error.code, reason=error.message, hint=error.hint)
        return 1


async def serve(settings: Settings, arguments: list[str]) -> int:
    """Runs until SIGTERM or SIGINT."""
    stop = stop_on_signals()
    runtime = Runtime(settings, process="consumer")
    await runtime.start()
    patience_s = settings.lease_s + settings.watchdog_idle_s
    try:
        with with_pool(settings, runtime.metrics.registry) as told_by:
            worker = CeleryWorker(arguments, patience_s, told_by)
            watchdog = Watchdog(runtime.database, worker, runtime.metrics, patience_s=patience_s, duty="take")
            await worker.keep(stop, watchdog)
    finally:
        await runtime.stop()
    return 0


class CeleryWorker:
    """The child. `progress` and silence are told by its signs (see `workers.beacon`); `restart` is the watchdog's."""

    def __init__(self, arguments: list[str], silence_s: float, environment: dict[str, str]) -> None:
        self._arguments = arguments
        self._environment = environment
        self._silence_s = silence_s
        self._lookout = Lookout(self._on_sign)
        self._process: subprocess.Popen[bytes] | None = None
        self._last_alive: float | None = None  # none yet: it is still starting
        self.progress = 0
        self.starts = 0

    async def keep(self, stop: asyncio.Event, watchdog: Watchdog) -> None:
        """Keeps one child running until `stop`, then lets it finish."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._lookout.fileno(), self._lookout.read)
        delay_s = FIRST_DELAY_S
        try:
            while not stop.is_set():
                began = time.monotonic()
                process = await self._start()
                ended_by_itself = await self._watch(process, stop, watchdog)
                await asyncio.to_thread(self._kill, process)  # and whatever is left of its pool
                if ended_by_itself:
                    steady = time.monotonic() - began > STEADY_S
                    delay_s = FIRST_DELAY_S if steady else min(2 * delay_s, MOST_DELAY_S)
                    await wait_for(stop, delay_s)
        finally:
            loop.remove_reader(self._lookout.fileno())
            self._lookout.close()

    async def restart(self) -> None:
        """Ends the child at once; `keep` starts the next. What it was doing comes back by its lease."""
        if self._process is not None:
            await asyncio.to_thread(self._kill, self._process)

    def _on_sign(self, sign: bytes) -> None:
        self._last_alive = time.monotonic()
        if sign == JOBS:
            self.progress += 1

    async def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, *CELERY, *self._arguments]
        environment = os.environ | self._environment | {VARIABLE: self._lookout.address}
        process = self._process = await asyncio.to_thread(
            lambda: spawn(command, env=environment, output=sys.stderr.fileno(), cwd=Path.cwd())
        )
        self._last_alive = None
        self.progress += 1  # the watchdog begins anew with a new child
        self.starts += 1
        LOG.info("consumer.worker_started", pid=process.pid, starts=self.starts)
        return process

    async def _watch(self, process: "subprocess.Popen[bytes]", stop: asyncio.Event, watchdog: Watchdog) -> bool:
        """Returns when the child has ended or is to end; True if it ended by itself."""
        began = looked = time.monotonic()
        while not stop.is_set():
            await wait_for(stop, LOOK_S)
            now = time.monotonic()
            if (status := process.poll()) is not None:
                LOG.error("consumer.worker_ended", pid=process.pid, status=status, action="restart")
                return True
            up = self._last_alive is not None
            silent_s = now - (self._last_alive or began)
            if silent_s > (self._silence_s if up else START_S):
                LOG.error("consumer.worker_silent", pid=process.pid, silent_s=round(silent_s, 1), action="restart")
                return False
            if up and now - looked >= watchdog.interval_s:
                looked = now
                if await watchdog.look_if_possible():
                    return False
        await asyncio.to_thread(self._finish, process)
        return False

    @staticmethod
    def _finish(process: "subprocess.Popen[bytes]") -> None:
        # A stopped process cannot hear SIGTERM before it goes on.
        for number in (signal.SIGTERM, signal.SIGCONT):
            process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(FINISH_S)

    @staticmethod
    def _kill(process: "subprocess.Popen[bytes]") -> None:
        """The whole session of the child, pool processes included: a stopped one would never end by itself."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
