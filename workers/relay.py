"""`python -m workers.relay`: claims outbox rows and hands them to Celery; fails turns whose owner went silent.

Any number may run: the claims lock rows, not processes. It ends with 1 when one of its loops has ended by a bug, and
leaves the starting again to whoever supervises it; SIGTERM ends it in order, and with 0.
"""

import asyncio
import signal
import sys

import structlog

from memos.kit.config import Settings
from memos.kit.errors import MemosError
from memos.kit.logs import configure_logs
from memos.runtime import Background, Runtime
from workers.app import app
from workers.dispatcher import CeleryDispatcher

LOG = structlog.get_logger(__name__)
LOOK_S = 1.0


def main() -> int:
    settings = Settings()
    configure_logs(settings)
    try:
        return asyncio.run(serve(settings))
    except MemosError as error:
        LOG.error("relay.not_started", code=error.code, reason=error.message, hint=error.hint)
        return 1


async def serve(settings: Settings) -> int:
    """Runs until SIGTERM or SIGINT (0), or until a loop ends by itself (1)."""
    stop = stop_on_signals()
    runtime = Runtime(settings)
    await runtime.start()
    background = Background(runtime, CeleryDispatcher(app))
    await background.start()
    LOG.info("relay.started")
    try:
        while not stop.is_set() and background.status()["ok"]:
            await wait_for(stop, LOOK_S)
    finally:
        await background.stop()
        await runtime.stop()
    LOG.info("relay.stopped", asked=stop.is_set())
    return 0 if stop.is_set() else 1


def stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def wait_for(event: asyncio.Event, most_s: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), most_s)
    except TimeoutError:
        return  # the ordinary case: nothing happened


if __name__ == "__main__":
    sys.exit(main())
