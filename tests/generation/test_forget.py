"""What is forgotten is not in memory any more, also when it was being computed with while it was forgotten."""

import asyncio

import pytest

from memos.generation.echo import EchoEngine
from memos.generation.embedders import LocalEmbedder
from memos.generation.in_process import InProcessGenerator
from memos.generation.port import Finished, GenerateRequest
from memos.generation.state_cache import StateCache
from memos.kit.blobs import Blobs
from memos.kit.in_flight import InFlight
from tests.generation.talk import answer, told

pytestmark = pytest.mark.anyio


def test_a_cache_forgets_what_it_is_told_and_all() -> None:
    cache: StateCache[str] = StateCache(100, 60.0)
    for name in ("one", "two", "three"):
        cache.put(name, name.upper(), 10)
    assert cache.forget(["one", "four"]) == 1
    assert (cache.get("one"), cache.get("two")) == (None, "TWO")
    assert cache.forget(None) == 2
    assert cache.stats()["bytes"] == 0


async def test_states_are_forgotten_and_read_anew(generator, blobs) -> None:
    first, second = await told(generator, "one"), await told(generator, "two")
    await answer(generator, first, "?")
    await answer(generator, second, "?")
    held = (await generator.health())["cache"]["entries"]
    assert held >= 2
    gone = await generator.forget([first.sha256])
    assert (gone.states, gone.max_age_s > 0) == (1, True)
    assert (await generator.health())["cache"]["entries"] == held - 1
    assert (await generator.forget(None)).states == held - 1
    assert (await generator.health())["cache"]["entries"] == 0
    assert (await answer(generator, first, "?"))[0].startswith("echo 1 ")


async def test_what_was_being_computed_is_waited_for(tmp_path) -> None:
    """An answer that began before goes on to its end; nothing of its state is left in the cache after it."""
    made = InProcessGenerator(EchoEngine(), Blobs(tmp_path.as_uri()), LocalEmbedder("hash-384"))
    state = await told(made, "one")
    stream = made.generate(GenerateRequest(state, "/slow 30 a b c d e f"))
    await anext(stream)
    forgetting = asyncio.create_task(made.forget([state.sha256]))
    await asyncio.sleep(0.05)
    assert not forgetting.done()
    last = [item async for item in stream][-1]
    assert isinstance(last, Finished)
    assert last.reason == "stop"
    await forgetting
    assert (await made.health())["cache"]["entries"] == 0
    await made.aclose()


async def test_what_begins_later_is_not_waited_for() -> None:
    in_flight = InFlight()
    with in_flight.one("early"):
        waiting = asyncio.create_task(in_flight.left(10.0))
        await asyncio.sleep(0.05)
        late = in_flight.one("late")
        late.__enter__()
        assert await in_flight.left(0.05) == ["early", "late"]
    assert await waiting == []
    late.__exit__(None, None, None)
