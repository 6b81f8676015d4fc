"""Wake-ups: "something may have changed, look again". They carry no data and may be lost, doubled or late: whoever
waits also looks at the database by itself, so a lost wake-up costs a poll interval and nothing else.

Within a process they are immediate. Between processes they travel as NOTIFY, sent after the commit from a connection
of their own: NOTIFY inside a transaction would make all commits queue for one lock.
"""

import asyncio
from collections import defaultdict
from contextlib import suppress

import structlog
from psycopg import AsyncConnection
from sqlalchemy import text

from memos.kit.db import Database
from memos.kit.errors import Unavailable

LOG = structlog.get_logger(__name__)
OUTBOX = "outbox"
_NOTIFY = text("SELECT pg_notify('memos', channel) FROM unnest(CAST(:channels AS text[])) AS channel")
RETRY_S = 1.0


class Wakeups:
    """Named channels to wait on. `between_processes` also sends and hears them through Postgres."""

    def __init__(self, database: Database, *, between_processes: bool) -> None:
        self._database = database
        self._between_processes = between_processes
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._unsent: set[str] = set()
        self._to_send = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        if self._between_processes:
            self._tasks = [asyncio.create_task(self._send_forever()), asyncio.create_task(self._listen_forever())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def wake(self, channel: str) -> None:
        self._wake_here(channel)
        if self._between_processes:
            self._unsent.add(channel)
            self._to_send.set()

    async def wait(self, channel: str, timeout_s: float) -> None:
        """Returns when the channel is woken, or after the timeout. The caller looks again in both cases."""
        event = asyncio.Event()
        self._waiting[channel].add(event)
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), timeout_s)
        finally:
            self._waiting[channel].discard(event)
            if not self._waiting[channel]:
                del self._waiting[channel]

    def _wake_here(self, channel: str) -> None:
        for event in self._waiting.get(channel, ()):
            event.set()

    async def _send_forever(self) -> None:
        while True:
            await self._to_send.wait()
            self._to_send.clear()
            channels, self._unsent = list(self._unsent), set()
            try:
                async with self._database.autocommit() as connection:
                    await connection.execute(text("SET synchronous_commit = off"))
                    await connection.execute(_NOTIFY, {"channels": channels})
                    await connection.execute(text("RESET synchronous_commit"))
            except Unavailable as error:
                LOG.debug("wakeups.not_sent", count=len(channels), reason=error.message)

    async def _listen_forever(self) -> None:
        while True:
            try:
                async with self._database.autocommit() as connection:
                    raw = (await connection.get_raw_connection()).driver_connection
                    if not isinstance(raw, AsyncConnection):
                        raise TypeError(f"wake-ups need psycopg, not {type(raw).__name__}")
                    await raw.execute("LISTEN memos")
                    async for notice in raw.notifies():
                        self._wake_here(notice.payload)
            except Unavailable as error:
                LOG.info("wakeups.listener_lost", reason=error.message)
            except OSError as error:
                LOG.info("wakeups.listener_lost", reason=str(error))
            await asyncio.sleep(RETRY_S)
