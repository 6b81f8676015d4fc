"""The cache of indexes: its bound holds whoever asks when, and a cold scope is built once."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from memos.recall.cache import Entry, IndexCache

pytestmark = pytest.mark.anyio


@dataclass
class Index:
    size_bytes: int = 10


class Builder:
    """Takes a few turns of the loop, and counts."""

    def __init__(self, size_bytes: int = 10) -> None:
        self.built: Counter[object] = Counter()
        self.at_once = self.most_at_once = 0
        self.size_bytes = size_bytes

    def of(self, key: object) -> Callable[[], Awaitable[tuple[Index, int]]]:
        async def build() -> tuple[Index, int]:
            self.built[key] += 1
            self.at_once += 1
            self.most_at_once = max(self.at_once, self.most_at_once)
            for _ in range(3):
                await asyncio.sleep(0)
            self.at_once -= 1
            return Index(self.size_bytes), 7

        return build


async def test_a_cold_scope_is_built_once_while_others_wait() -> None:
    cache, builder = IndexCache[Index](100), Builder()
    entries = await asyncio.gather(*(cache.get("a", builder.of("a")) for _ in range(20)))
    assert builder.built["a"] == 1
    assert len({id(entry) for entry in entries}) == 1
    assert entries[0].revision == 7
    assert (cache.figures.hits, cache.figures.misses) == (19, 1)


async def test_what_was_asked_last_stays() -> None:
    cache, builder = IndexCache[Index](30), Builder()
    for key in ("a", "b", "c", "a", "d"):
        await cache.get(key, builder.of(key))
    assert cache.held("b") is None
    assert all(cache.held(key) is not None for key in "acd")
    assert cache.figures.evictions == 1
    assert cache.figures.held_bytes == 30


async def test_the_bound_holds_whoever_asks_when() -> None:
    cache = IndexCache[Index](100, most_builds=3)
    builder = Builder()
    drawn = random.Random(5)

    async def user() -> None:
        for _ in range(60):
            key = drawn.randrange(30)
            entry = await cache.get(key, builder.of(key))
            async with entry.lock:
                entry.index.size_bytes = drawn.choice([5, 10, 40, 101])
                cache.recount(entry)
            held = [found for number in range(30) if (found := cache.held(number)) is not None]
            assert sum(found.index.size_bytes for found in held) == cache.figures.held_bytes <= 100
            if drawn.random() < 0.05:
                cache.drop(key)
            if drawn.random() < 0.02:
                cache.forget()

    await asyncio.gather(*(user() for _ in range(12)))
    assert builder.most_at_once <= 3
    assert cache.figures.evictions > 0
    assert cache.figures.too_large > 0
    assert cache.figures.hits + cache.figures.misses == 12 * 60


async def test_an_index_larger_than_the_bound_answers_and_is_let_go() -> None:
    cache, builder = IndexCache[Index](100), Builder(size_bytes=101)
    await cache.get("small", Builder().of("small"))
    entry = await cache.get("a", builder.of("a"))
    assert entry.index.size_bytes == 101
    assert cache.held("a") is None
    assert cache.held("small") is not None
    assert cache.figures.too_large == 1


async def test_what_was_built_while_all_was_forgotten_is_not_kept() -> None:
    cache = IndexCache[Index](100)
    versions: list[str] = []
    erased = asyncio.Event()

    async def build() -> tuple[Index, int]:
        versions.append("after" if erased.is_set() else "before")
        index = Index()
        if not erased.is_set():
            await erased.wait()
        return index, len(versions)

    asked = asyncio.create_task(cache.get("a", build))
    await asyncio.sleep(0)
    erased.set()
    assert cache.forget() == 0
    entry = await asked
    assert versions == ["before", "after"]
    assert entry.revision == 2
    assert cache.held("a") is entry
    assert cache.forget() == 1
    assert cache.held("a") is None
    assert cache.figures.held_bytes == 0


async def test_who_waited_for_a_failed_build_builds() -> None:
    cache, builder = IndexCache[Index](100), Builder()

    async def fails() -> tuple[Index, int]:
        await asyncio.sleep(0)
        raise OSError("the database is away")

    first, second, third = await asyncio.gather(
        cache.get("a", fails), cache.get("a", builder.of("a")), cache.get("a", builder.of("a")), return_exceptions=True
    )
    assert isinstance(first, OSError)
    assert isinstance(second, Entry)
    assert second is third
    assert builder.built["a"] == 1


async def test_who_gives_up_does_not_take_the_others_with_him() -> None:
    cache, builder = IndexCache[Index](100), Builder()
    first = asyncio.create_task(cache.get("a", builder.of("a")))
    second = asyncio.create_task(cache.get("a", builder.of("a")))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).revision == 7
    assert builder.built["a"] == 2
    assert cache.held("a") is not None
