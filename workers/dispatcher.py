"""Hands claimed jobs to Celery. Publishing blocks, so it happens in a thread, within the bounds of `workers.app`."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from celery import Celery
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

    async def room(self) -> int:
        return MOST_WAITING - await self._in_thread(self._waiting)

    async def dispatch(self, job: ClaimedJob) -> None:
        await self._in_thread(lambda: self._publish(job))

    async def reset(self) -> None:
        await asyncio.to_thread(self._app.pool.force_close_all, close_pool=False)

    async def aclose(self) -> None:
        await asyncio.to_thread(self._app.close)

    def _waiting(self) -> int:
        with self._app.pool.acquire(block=True, timeout=CALL_TIMEOUT_S) as connection:
            return int(connection.default_channel.client.llen(QUEUE))

    def _publish(self, job: ClaimedJob) -> None:
        self._app.send_task(
            RUN_JOB, args=[job.job_id, job.tenant_id, job.task, job.subject], queue=QUEUE, ignore_result=True
        )

    async def _in_thread(self, call: Callable[[], R]) -> R:
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                return await asyncio.to_thread(call)
        except TimeoutError as error:
            raise NotSent(f"Redis did not answer in {CALL_TIMEOUT_S:g} s") from error
        except (OSError, KombuError, RedisError) as error:
            raise NotSent(f"Redis did not take it: {str(error) or type(error).__name__}") from error
