"""The relay's way into Redis: what fails or hangs once does not stand in the way of the next message."""

import asyncio
from collections.abc import Iterator

import pytest
from celery import Celery

from memos.kit.config import Settings
from memos.kit.doors import ClaimedJob
from memos.outbox.relay import NotSent
from tests.support.live import SECRET
from tests.support.redis import Proxy, RedisServer
from workers.app import QUEUE, configuration
from workers.dispatcher import MOST_WAITING, CeleryDispatcher

pytestmark = pytest.mark.anyio
JOB = ClaimedJob("job", "tenant", "task", "subject")
PROMPTLY_S = 5.0  # half of what a call may take before it is given up


@pytest.fixture
def proxy(redis_running: RedisServer) -> Iterator[Proxy]:
    redis_running.flush()
    with Proxy(redis_running.port) as proxy:
        yield proxy


@pytest.fixture
def dispatcher(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[CeleryDispatcher]:
    monkeypatch.setenv("MEMOS_REDIS_URL", proxy.url)
    monkeypatch.setenv("MEMOS_SECRET", SECRET)
    with Celery(set_as_current=False) as app:
        app.conf.update(configuration(Settings()))
        yield CeleryDispatcher(app)


def waiting(server: RedisServer) -> int:
    with server.client() as client:
        return int(client.llen(QUEUE))


async def test_a_reset_leaves_a_way_to_send(dispatcher: CeleryDispatcher, redis_running: RedisServer) -> None:
    await dispatcher.dispatch(JOB)
    for _ in range(2):
        await dispatcher.reset()
        async with asyncio.timeout(PROMPTLY_S):
            assert await dispatcher.room() == MOST_WAITING - waiting(redis_running)
            await dispatcher.dispatch(JOB)
    assert waiting(redis_running) == 3
    await dispatcher.aclose()


async def test_a_silent_connection_is_not_used_again(
    dispatcher: CeleryDispatcher, proxy: Proxy, redis_running: RedisServer
) -> None:
    await dispatcher.dispatch(JOB)
    assert proxy.hang() > 0
    with pytest.raises(NotSent):
        await dispatcher.room()
    async with asyncio.timeout(PROMPTLY_S):
        await dispatcher.dispatch(JOB)
    assert waiting(redis_running) == 2
    await dispatcher.aclose()


async def test_a_refused_connection_is_told_and_the_next_is_new(
    dispatcher: CeleryDispatcher, redis_running: RedisServer
) -> None:
    redis_running.kill()
    try:
        with pytest.raises(NotSent):
            await dispatcher.dispatch(JOB)
    finally:
        redis_running.start()
    await dispatcher.dispatch(JOB)
    await dispatcher.aclose()
