"""Texts of concurrent callers in one batch: the same vectors, everybody in turn, and a bound."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import numpy as np
import pytest

from memos.generation.batcher import BACKGROUND_SHARE, MOST_TEXTS, SLICE, Batcher
from memos.generation.encoder import HashEncoder
from memos.generation.pool import Pool, QueueFull
from memos.generation.port import ModelUnavailable
from tests.generation.talk import eventually

pytestmark = pytest.mark.anyio
ENCODER = HashEncoder(32)
Batches = list[list[str]]


class Gated:
    """An encoder that computes only while its gate is open, and remembers its batches."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.batches: Batches = []
        self.fails: set[str] = set()

    def __call__(self, texts: Sequence[str]) -> Any:
        self.batches.append(list(texts))
        assert self.open.wait(20)
        if self.fails & set(texts):
            raise ValueError("this one cannot be encoded")
        return ENCODER.encode(texts)


@pytest.fixture
async def made() -> AsyncIterator[tuple[Batcher, Gated]]:
    gated, pool = Gated(), Pool("embed", 1, 64)
    batcher = Batcher(gated, 32, pool, most_waiting=300)
    yield batcher, gated
    gated.open.set()
    await batcher.aclose()
    pool.close()


async def begun(batcher: Batcher, gated: Gated) -> "asyncio.Task[Any]":
    """A batch of one that is being computed until the gate opens."""
    gated.open.clear()
    first = asyncio.create_task(batcher.embed(["first"]))
    await until(lambda: len(gated.batches) == 1)
    return first


async def until(true: Callable[[], bool]) -> None:
    async def check() -> bool:
        return true()

    await eventually(check)


async def test_callers_share_a_batch_and_get_what_they_would_alone(made: tuple[Batcher, Gated]) -> None:
    batcher, gated = made
    first = await begun(batcher, gated)
    texts = [[f"text {n} of {caller}" for n in range(1 + caller % 3)] for caller in range(20)]
    waiting = [asyncio.create_task(batcher.embed(some)) for some in texts]
    await until(lambda: batcher.waiting == sum(map(len, texts)))
    gated.open.set()
    for some, vectors in zip(texts, await asyncio.gather(*waiting), strict=True):
        np.testing.assert_allclose(vectors, ENCODER.encode(some), atol=1e-5)
    await first
    assert len(gated.batches) == 2
    assert (await batcher.embed([])).shape == (0, 32)


async def test_a_question_does_not_wait_for_a_whole_import(made: tuple[Batcher, Gated]) -> None:
    batcher, gated = made
    first = await begun(batcher, gated)
    large = asyncio.create_task(batcher.embed([f"import {n}" for n in range(3 * MOST_TEXTS)]))
    other = asyncio.create_task(batcher.embed(["question"]))
    await until(lambda: batcher.waiting == 3 * MOST_TEXTS + 1)
    gated.open.set()
    await asyncio.gather(first, large, other)
    assert gated.batches[1].index("question") == SLICE, "after one slice of the import"
    assert all(len(batch) <= MOST_TEXTS for batch in gated.batches)
    order = [text for batch in gated.batches for text in batch if text.startswith("import")]
    assert order == [f"import {n}" for n in range(3 * MOST_TEXTS)]


async def test_the_background_waits_for_all_else_and_holds_nobody_up_for_long(made: tuple[Batcher, Gated]) -> None:
    batcher, gated = made
    first = await begun(batcher, gated)
    behind = asyncio.create_task(batcher.embed([f"behind {n}" for n in range(40)], background=True))
    await until(lambda: batcher.waiting == 40)
    urgent = [asyncio.create_task(batcher.embed([f"urgent {n}"])) for n in range(5)]
    await until(lambda: batcher.waiting == 45)
    gated.open.set()
    await asyncio.gather(first, behind, *urgent)
    assert sorted(gated.batches[1]) == [f"urgent {n}" for n in range(5)]
    assert max(map(len, gated.batches[2:])) == MOST_TEXTS // BACKGROUND_SHARE


async def test_a_long_text_makes_a_small_batch(made: tuple[Batcher, Gated]) -> None:
    batcher, gated = made
    await batcher.embed(["x" * 50_000] * 40)
    assert all(len(batch) <= 14 for batch in gated.batches)


async def test_beyond_the_bound_callers_are_told_when_to_come_back(made: tuple[Batcher, Gated]) -> None:
    batcher, gated = made
    first = await begun(batcher, gated)
    held = asyncio.create_task(batcher.embed(["text"] * 290))
    await until(lambda: batcher.waiting == 290)
    with pytest.raises(QueueFull) as caught:
        await batcher.embed(["text"] * 11)
    assert caught.value.status == 503
    assert caught.value.retry_after_s
    gated.open.set()
    await asyncio.gather(first, held)
    assert len(await batcher.embed(["text"] * 500)) == 500, "one that is alone may be larger than the bound"


async def test_what_a_caller_left_behind_is_not_computed(made: tuple[Batcher, Gated]) -> None:
    batcher, gated = made
    first = await begun(batcher, gated)
    gone = asyncio.create_task(batcher.embed(["gone"] * 100))
    stays = asyncio.create_task(batcher.embed(["stays"]))
    await until(lambda: batcher.waiting == 101)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert batcher.waiting == 1
    gated.open.set()
    await asyncio.gather(first, stays)
    assert [text for batch in gated.batches for text in batch] == ["first", "stays"]


async def test_a_batch_that_fails_fails_its_callers_and_no_others(made: tuple[Batcher, Gated]) -> None:
    batcher, gated = made
    gated.fails = {"bad"}
    with pytest.raises(ValueError, match="cannot be encoded"):
        await batcher.embed(["bad"])
    assert (await batcher.embed(["good"])).shape == (1, 32)
    assert batcher.waiting == 0


async def test_who_waits_when_it_closes_is_told(made: tuple[Batcher, Gated]) -> None:
    batcher, gated = made
    first = await begun(batcher, gated)
    second = asyncio.create_task(batcher.embed(["second"]))
    await until(lambda: batcher.waiting == 1)
    await batcher.aclose()
    for task in (first, second):
        with pytest.raises(ModelUnavailable):
            await task
    with pytest.raises(ModelUnavailable):
        await batcher.embed(["third"])
