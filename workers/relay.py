"""`python -m workers.relay`: claims outbox rows and hands them to Celery; fails turns whose owner went silent.

Any number may run: the claims lock rows, not processes. It ends with 1 when it refuses to start, and leaves the trying
again to whoever supervises it; SIGTERM ends it in order, and with 0. A database or a Redis that goes away later is
waited for.
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
from workers.metrics import told

LOG = structlog.get_logger(__name__)


def main() -> int:
    settings = Settings()
    configure_logs(settings)
    try:
        return asyncio.run(serve(settings))
    except MemosError as error:
        LOG.error("relay.not_started", code=error.code, reason=error.message, hint=error.hint)
        return 1


async def serve(settings: Settings) -> int:
    """Runs until SIGTERM or SIGINT."""
    stop = stop_on_signals()
    runtime = Runtime(settings, process="relay")
    await runtime.start()
    background = Background(runtime, CeleryDispatcher(app))
    with told(settings, runtime.metrics.registry):
        await background.start()
        LOG.info("relay.started")
        await stop.wait()
        await background.stop()
    await runtime.stop()
    LOG.info("relay.stopped")
    return 0


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
