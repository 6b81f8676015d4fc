"""Hands claimed jobs to Celery. Publishing blocks, so it happens in a thread, within the bounds of `workers.app`.

Notable choices
* Connections of its own, not Celery's pool: after kombu's `force_close_all` a pool is empty and still waits for
  somebody to give a connection back, so what was meant to free a stuck relay is what kept it stuck.
* A connection is kept only by a call that went well. One that failed, or still hangs in a thread nobody waits for, is
  never met again.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from celery import Celery
from kombu.connection import Connection
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from memos.kit.doors import ClaimedJob
from memos.outbox.relay import NotSent
from workers.app import QUEUE

R = TypeVar("R")
RUN_JOB = "memos.run_job"
# Messages that may wait in Redis. More would not be done sooner, and would be dispatched again while they wait.
MOST_WAITING = 128
# Longer than all socket timeouts of one call together; a thread cannot be interrupted, only left.
CALL_TIMEOUT_S = 10.0


class CeleryDispatcher:
    """Fits `memos.outbox.relay.Dispatcher`. Any number of them may feed one queue."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._idle: deque[Connection] = deque()

    async def room(self) -> int:
        return MOST_WAITING - await self._in_thread(_waiting)

    async def dispatch(self, job: ClaimedJob) -> None:
        await self._in_thread(lambda connection: self._publish(job, connection))

    async def reset(self) -> None:
        await asyncio.to_thread(self._close_idle)

    async def aclose(self) -> None:
        await asyncio.to_thread(self._close_idle)

    def _publish(self, job: ClaimedJob, connection: Connection) -> None:
        self._app.send_task(
            RUN_JOB,
            args=[job.job_id, job.tenant_id, job.task, job.subject],
            queue=QUEUE,
            ignore_result=True,
            connection=connection,
        )

    async def _in_thread(self, call: Callable[[Connection], R]) -> R:
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                return await asyncio.to_thread(self._with_connection, call)
        except TimeoutError as error:
            raise NotSent(f"Redis did not answer in {CALL_TIMEOUT_S:g} s") from error
        except (OSError, KombuError, RedisError) as error:
            raise NotSent(f"Redis did not take it: {str(error) or type(error).__name__}") from error

    def _with_connection(self, call: Callable[[Connection], R]) -> R:
        connection = self._idle.pop() if self._idle else self._app.connection_for_write()
        try:
            result = call(connection)
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return result

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()  # type: ignore[no-untyped-call]


def _waiting(connection: Connection) -> int:
    channel: Any = connection.default_channel  # the Redis transport's, which has a client
    return int(channel.client.llen(QUEUE))
