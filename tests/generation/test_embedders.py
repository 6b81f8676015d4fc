"""Encoders in one process: each loaded once, by its first use; a few held at a time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import numpy as np
import pytest

from memos.generation.embedders import MOST_LOADED, LocalEmbedder, load_hash
from memos.generation.encoder import Encoder, HashEncoder, model_id, parsed
from memos.generation.port import EmbedderUnavailable
from memos.generation.wire import vectors_answer, vectors_of

pytestmark = pytest.mark.anyio
LOADED: Counter[str] = Counter()


def load(spec: str) -> Encoder:
    LOADED[spec] += 1
    return load_hash(spec)


@pytest.fixture
async def embedder() -> AsyncIterator[LocalEmbedder]:
    LOADED.clear()
    made = LocalEmbedder("hash-32", load)
    yield made
    await made.aclose()


async def test_an_encoder_is_loaded_once_and_not_before_it_is_used(embedder: LocalEmbedder) -> None:
    assert embedder.stats()["model"] == "hash-32"
    made = await asyncio.gather(*(embedder.embed([f"text {n}"]) for n in range(20)))
    assert LOADED == {"hash-32": 1}
    assert {one.model for one in made} == {HashEncoder(32).model} == {embedder.stats()["model"]}
    assert embedder.stats()["texts"] == 20


async def test_what_cannot_be_loaded_is_not_looked_for_again_at_once(embedder: LocalEmbedder) -> None:
    for _ in range(3):
        with pytest.raises(EmbedderUnavailable, match="/nowhere cannot be loaded"):
            await embedder.embed(["text"], "/nowhere")
    assert LOADED["/nowhere"] == 1
    with pytest.raises(EmbedderUnavailable, match="at most"):
        await embedder.embed(["text"], "/" + "x" * 300)


async def test_a_few_are_held_and_the_one_unused_the_longest_goes(embedder: LocalEmbedder) -> None:
    specs = [f"hash-{32 + n}" for n in range(MOST_LOADED)]
    for spec in (*specs, specs[0], "hash-99", specs[0], specs[1]):
        await embedder.embed(["text"], spec)
    assert Counter(specs) + Counter([specs[1], "hash-99"]) == LOADED


async def test_a_folder_may_have_any_name(embedder: LocalEmbedder) -> None:
    spec = "/models/ünï@c0de:7 #1"
    known = model_id(spec, "ab" * 32, 32)
    assert (parsed(known).spec, parsed(known).dimensions) == (spec, 32)
    assert (parsed(spec).spec, parsed(spec).dimensions) == (spec, None)
    made = await embedder.embed(["a", "b"])
    body, headers = vectors_answer(made)
    again = vectors_of(bytes(body), headers, 2)
    np.testing.assert_array_equal(again.vectors, made.vectors)
    assert all(value.isascii() for value in headers.values())
    for wrong in (bytes(body)[4:], bytes(body) + b"1234"):
        with pytest.raises(ValueError, match="are not 2 vectors"):
            vectors_of(wrong, headers, 2)
    with pytest.raises(ValueError, match="invalid literal"):
        vectors_of(bytes(body), {}, 2)
