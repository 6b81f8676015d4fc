"""The bounded pool and the stream out of it."""

import asyncio
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any

import pytest
from structlog.testing import capture_logs

from memos.generation.echo import EchoFinish
from memos.generation.pool import Pool, QueueFull
from memos.generation.port import Finished, ModelUnavailable, Token
from tests.generation.talk import eventually

pytestmark = pytest.mark.anyio


@pytest.fixture
def pool():
    made = Pool("test", threads=2, waiting=1)
    yield made
    made.close()


def counting(count: int, reason: str = "stop") -> Generator[str, None, EchoFinish]:
    for number in range(count):
        yield f"{number} "
    return EchoFinish(reason, 0, count)  # type: ignore[arg-type]


@pytest.mark.parametrize("pause_s", [0.0, 0.00002, 0.001])
async def test_no_token_is_lost_or_moved_whatever_the_timing(pool, pause_s):
    def paused(count: int) -> Generator[str, None, EchoFinish]:
        for number in range(count):
            yield f"{number} "
            time.sleep(pause_s)
        return EchoFinish("stop", 0, count)

    for count in (*range(30), 200):
        items = [item async for item in pool.stream(lambda _, count=count: paused(count))]
        assert items == [*(Token(f"{number} ") for number in range(count)), Finished("stop", 0, count)]


async def test_tokens_made_between_looking_and_asking_whether_it_is_done_are_kept():
    """The one order of events that chance rarely gives: all of it happens after the mailbox was found empty."""

    class Late(Future[Any]):
        def __init__(self, work: Callable[[], Any]) -> None:
            super().__init__()
            self._work = work

        def add_done_callback(self, fn: Callable[[Any], object]) -> None:
            fn(self)  # wakes the reader, who finds nothing

        def done(self) -> bool:
            if not super().done():
                self.set_result(self._work())
            return True

    class LatePool(Pool):
        def submit(self, work: Callable[[], Any]) -> Future[Any]:
            return Late(work)

    made = LatePool("late", threads=1, waiting=0)
    items = [item async for item in made.stream(lambda _: counting(2))]
    assert items == [Token("0 "), Token("1 "), Finished("stop", 0, 2)]
    made.close()


async def test_a_job_beyond_the_bounds_is_refused_and_a_place_frees_with_its_job(pool):
    gate = threading.Event()
    jobs = [pool.submit(gate.wait) for _ in range(3)]

    async def both_run() -> bool:
        return bool(pool.active == 2)

    await eventually(both_run)
    assert pool.waiting == 1
    with pytest.raises(QueueFull):
        pool.submit(gate.wait)
    gate.set()
    for job in jobs:
        assert job.result(timeout=5)
    assert await pool.run(lambda: 7) == 7
    await eventually(lambda: asyncio.to_thread(lambda: (pool.active, pool.waiting) == (0, 0)))


async def test_a_failing_engine_fails_its_reader_after_the_tokens_it_made(pool):
    def failing() -> Generator[str, None, EchoFinish]:
        yield "one"
        raise ZeroDivisionError

    stream = pool.stream(lambda _: failing())
    assert await anext(stream) == Token("one")
    with pytest.raises(ZeroDivisionError):
        await anext(stream)


async def test_an_unknown_reason_is_refused(pool):
    with pytest.raises(ValueError, match="tired"):
        assert [item async for item in pool.stream(lambda _: counting(0, "tired"))]


async def test_a_failure_after_the_reader_left_is_logged(pool):
    gate = threading.Event()

    def failing() -> Generator[str, None, EchoFinish]:
        yield "one"
        gate.wait(5)
        raise ZeroDivisionError

    with capture_logs() as logs:
        stream = pool.stream(lambda _: failing())
        await anext(stream)
        await stream.aclose()
        gate.set()
        await eventually(lambda: asyncio.to_thread(lambda: bool(logs)))
    assert logs[0]["event"] == "generation.failed_after_cancel"


async def test_a_closed_pool_refuses_work(pool):
    pool.close()
    with pytest.raises(ModelUnavailable, match="shutting down"):
        pool.submit(lambda: None)
    assert pool.waiting == 0


async def test_work_dropped_by_closing_is_unavailable_and_its_caller_is_not_cancelled():
    made = Pool("closing", threads=1, waiting=2)
    gate = threading.Event()
    running = made.submit(gate.wait)
    job = asyncio.create_task(made.run(lambda: 1))
    stream = made.stream(lambda _: counting(1))
    token = asyncio.create_task(anext(stream))
    await eventually(lambda: asyncio.to_thread(lambda: made.waiting == 2))
    made.close()
    for dropped in (job, token):
        with pytest.raises(ModelUnavailable, match="shutting down"):
            await dropped
    gate.set()
    assert running.result(5)


async def test_a_caller_that_is_cancelled_is_cancelled(pool):
    gate = threading.Event()
    job = asyncio.create_task(pool.run(gate.wait))
    await asyncio.sleep(0.01)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    gate.set()


async def test_every_thread_is_prepared_before_its_first_job():
    prepared = set()
    made = Pool("prepared", threads=3, waiting=30, prepare=lambda: prepared.add(threading.get_ident()))
    ran = set(await asyncio.gather(*(made.run(threading.get_ident) for _ in range(20))))
    assert ran <= prepared
    made.close()
