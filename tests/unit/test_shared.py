"""Readings that are shared: fewer than were asked for, and none from before the question."""

import asyncio

import pytest

from memos.kit.shared import Shared

pytestmark = pytest.mark.anyio


class Source:
    def __init__(self) -> None:
        self.now = 0
        self.readings = 0
        self.fails = False

    async def read(self, key: str) -> int:
        self.readings += 1
        seen = self.now  # what a snapshot sees, from when the reading began
        for _ in range(3):
            await asyncio.sleep(0)
        if self.fails:
            raise OSError("away")
        return seen


async def test_nobody_is_told_what_was_so_before_they_asked() -> None:
    source = Source()
    shared = Shared(source.read)
    late: list[tuple[int, int]] = []

    async def ask() -> None:
        asked_at = source.now
        late.append((asked_at, await shared.read("key")))

    asking = []
    for _ in range(40):
        source.now += 1
        asking += [asyncio.create_task(ask()) for _ in range(3)]
        await asyncio.sleep(0)
    await asyncio.gather(*asking)
    assert len(late) == 120
    assert all(told >= asked for asked, told in late)
    assert source.readings < 40


async def test_keys_do_not_share() -> None:
    source = Source()
    shared = Shared(source.read)
    await asyncio.gather(*(shared.read(key) for key in "abc"))
    assert source.readings == 3


async def test_a_failure_is_told_to_all_who_share_it_and_to_no_other() -> None:
    source = Source()
    source.fails = True
    shared = Shared(source.read)
    told = await asyncio.gather(*(shared.read("key") for _ in range(5)), return_exceptions=True)
    assert all(isinstance(one, OSError) for one in told)
    source.fails = False
    assert await shared.read("key") == 0


async def test_who_gives_up_takes_nobody_along() -> None:
    source = Source()
    shared = Shared(source.read)
    first, second, third = (asyncio.create_task(shared.read("key")) for _ in range(3))
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    source.now = 5
    assert await third >= 0
    assert await shared.read("key") == 5
    assert shared._reading == {}
    assert shared._next == {}
