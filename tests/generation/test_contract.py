"""One contract, whichever way an engine is reached: in this process, or in a worker over HTTP."""

import asyncio
import contextlib
import math

import numpy as np
import pytest
from safetensors.numpy import save

from memos.generation.echo import EchoEngine, held_turns, turn_fingerprint
from memos.generation.engine import SlotRead, SlotWrite
from memos.generation.port import (
    EmbedderUnavailable,
    Finished,
    GenerateRequest,
    ModelMismatch,
    StateRef,
    StateUnreadable,
    TensorsRef,
    Token,
)
from memos.kit.blobs import sha256_hex
from memos.kit.errors import Invalid
from memos.kit.transactions import OPEN
from tests.generation.talk import answer, eventually, start_ref, told, turns_in

pytestmark = pytest.mark.anyio
AWKWARD = "line\nbreak\r\n\r\ndata: {}\n\nevent: done\n\n \u2028 \u0085 \U0001f9e0 e\u0301 \x00 \x7f end  \n"


async def test_identity_names_the_start_state(generator):
    identity = await generator.identity()
    payload = await generator.start_payload()
    assert identity.start_sha256 == sha256_hex(payload)
    assert identity.start_bytes == len(payload)
    assert identity.fingerprint == EchoEngine().fingerprint
    assert identity.details == EchoEngine().identity


async def test_a_start_state_has_seen_nothing(generator):
    text, finished = await answer(generator, await start_ref(generator), "hello there")
    assert text == "echo 0 [] hello there"
    assert finished == Finished("stop", 2, 5)


async def test_an_answer_comes_from_the_state_that_was_named(generator):
    ref = await told(generator, "one", "two", "one")
    text, _ = await answer(generator, ref, "hi")
    expected = [turn_fingerprint(item) for item in ("one", "two", "one")]
    assert turns_in(text) == expected
    assert text.startswith("echo 3 [")


async def test_a_new_state_is_in_the_blob_store_when_advance_returns(generator, blobs):
    made = await generator.advance(await start_ref(generator), "in", "out", "states/durable")
    payload = blobs.get("states/durable", made.sha256)
    assert len(payload) == made.size_bytes
    assert held_turns(payload) == [(1, turn_fingerprint("in"))]
    assert made.health["turns"] == 1.0


async def test_a_step_says_what_it_wrote_and_an_answer_what_it_read(generator):
    parent = await told(generator, "one")
    made = await generator.advance(parent, "my dog is called Biscuit", "nice", "states/written")
    assert made.written == (SlotWrite(0, 1, 1.0, ("my", "dog", "is", "called", "Biscuit")),)
    assert made.health["collapsed"] == 0.0
    ref = StateRef(parent.fingerprint, made.sha256, "states/written")
    text, _ = await answer(generator, ref, "and?")
    assert await generator.reads(ref, "and?", text) == (SlotRead(0, 1, 0.5), SlotRead(0, 0, 0.5))
    assert await generator.reads(ref, "and?", AWKWARD, ("recalled",)) == ()


async def test_what_was_read_of_a_state_that_is_not_there_is_refused(generator):
    start = await start_ref(generator)
    with pytest.raises(StateUnreadable):
        await generator.reads(StateRef(start.fingerprint, "0" * 64, "states/nowhere"), "in", "out")
    with pytest.raises(ModelMismatch):
        await generator.reads(StateRef("f" * 64, "0" * 64, "states/nowhere"), "in", "out")


async def test_two_states_are_compared_slot_by_slot(generator):
    before, after = await told(generator, "one", "two"), await told(generator, "one", "2", "three")
    found = await generator.diff(before, after)
    assert {(slot.layer, slot.slot) for slot in found.slots} == {(0, 1), (0, 2)}
    norms = [slot.norm for slot in found.slots]
    assert norms == sorted(norms, reverse=True)
    assert math.isclose(found.tensors[0].norm, math.hypot(*norms))
    same = await generator.diff(after, after)
    assert (same.slots, [tensor.norm for tensor in same.tensors]) == ((), [0.0])
    with pytest.raises(ModelMismatch):
        await generator.diff(before, StateRef("f" * 64, "0" * 64, "states/nowhere"))


async def test_tensors_are_compared_by_name(generator, blobs):
    def put(key: str, **tensors: list[float]) -> TensorsRef:
        payload = save({name: np.array(values, np.float16) for name, values in tensors.items()})
        return TensorsRef(blobs.put(key, payload), key)

    before = put("deltas/before", a=[1.0, 2.0], b=[3.0, 4.0])
    after = put("deltas/after", a=[1.0, 2.0], b=[3.0, 6.0], c=[5.0])
    found = await generator.diff_tensors(before, after)
    assert [(t.name, t.norm, t.before) for t in found.tensors] == [
        ("c", 5.0, 0.0), ("b", 2.0, 5.0), ("a", 0.0, pytest.approx(5**0.5)),
    ]  # fmt: skip
    assert found.slots == ()
    with pytest.raises(StateUnreadable):
        await generator.diff_tensors(before, TensorsRef(blobs.put("deltas/not", b"no tensors"), "deltas/not"))


async def test_two_states_become_one(generator, blobs):
    base = await told(generator, "one")
    states = []
    for key, texts in {"states/ours": ["two"], "states/theirs": ["2", "three"]}.items():
        ref = base
        for text in texts:
            ref = StateRef(base.fingerprint, (await generator.advance(ref, text, "", key)).sha256, key)
        states.append(ref)
    made = await generator.merge(base, *states, "states/merged")
    assert made == await generator.merge(base, *states, "states/merged")
    kept = held_turns(blobs.get("states/merged", made.sha256))
    assert kept == [(n, turn_fingerprint(text)) for n, text in enumerate(("one", "two", "three"), 1)]


async def test_a_stop_text_ends_an_answer(generator):
    text, finished = await answer(generator, await start_ref(generator), "one two three", stop=("thr", "never"))
    assert (text, finished.reason) == ("echo 0 [] one two ", "stop")


async def test_advancing_twice_gives_the_same_bytes(generator, blobs):
    parent = await told(generator, "before")
    first = await generator.advance(parent, "in", "out", "states/again")
    second = await generator.advance(parent, "in", "out", "states/again")
    elsewhere = await generator.advance(parent, "in", "out", "states/elsewhere")
    assert first == second == elsewhere
    assert blobs.get("states/again", first.sha256) == blobs.get("states/elsewhere", first.sha256)
    other = await generator.advance(parent, "in", "another answer", "states/other")
    assert other.sha256 != first.sha256


@pytest.mark.parametrize("text", [AWKWARD, "", " ", "\n\n", "data: x", "\ufeffbom"])
async def test_tokens_arrive_as_they_were_made(generator, text):
    answered, finished = await answer(generator, await start_ref(generator), text)
    assert answered == f"echo 0 [] {text}"
    assert finished.reason == "stop"


async def test_max_tokens_ends_an_answer(generator):
    text, finished = await answer(generator, await start_ref(generator), "one two three", max_tokens=4)
    assert (text, finished) == ("echo 0 [] one", Finished("length", 3, 4))


async def test_recalled_texts_reach_the_engine(generator):
    text, _ = await answer(generator, await start_ref(generator), "/recall x", recalled=("tea", "dog\n"))
    assert text == "echo 0 [] /recall x | tea | dog\n"


async def test_a_missing_or_damaged_state_is_an_error_and_never_an_answer(generator, blobs):
    ref = await told(generator, "one")
    payload = await generator.start_payload()
    blobs.put("states/damaged", b"x" + payload)
    blobs.put("states/no-state", b"hello")
    broken = [
        StateRef(ref.fingerprint, sha256_hex(b"never written"), "states/missing"),
        StateRef(ref.fingerprint, sha256_hex(payload), "states/damaged"),
        StateRef(ref.fingerprint, sha256_hex(b"hello"), "states/no-state"),
    ]
    for state in broken:
        with pytest.raises(StateUnreadable) as caught:
            await answer(generator, state, "hi")
        assert caught.value.details["blob_key"] == state.blob_key
        assert caught.value.retry_after_s is not None
        with pytest.raises(StateUnreadable):
            await generator.advance(state, "in", "out", "states/never")


async def test_a_state_of_another_model_is_refused_by_name(generator, blobs):
    other = EchoEngine(revision=2)
    payload = other.dump_state(other.start_state())
    foreign = StateRef(other.fingerprint, blobs.put("states/foreign", payload), "states/foreign")
    with pytest.raises(ModelMismatch) as caught:
        await answer(generator, foreign, "hi")
    assert {"model", "weights_sha256"} <= set(caught.value.details["fields"])
    assert caught.value.details["model_fingerprint"] == EchoEngine().fingerprint
    with pytest.raises(ModelMismatch):
        await generator.advance(foreign, "in", "out", "states/never")
    with pytest.raises(ModelMismatch):  # a start state by fingerprint alone
        await answer(generator, StateRef(other.fingerprint, sha256_hex(payload)), "hi")


async def test_another_models_state_is_refused_as_such_even_if_it_cannot_be_read(generator, blobs):
    """Whether its payload is there, and in a form we know, is not what is wrong."""
    of_no_known_form = blobs.put("states/of-no-known-form", b"weights and measures")
    for sha256, key in ((of_no_known_form, "states/of-no-known-form"), (sha256_hex(b"gone"), "states/gone")):
        with pytest.raises(ModelMismatch) as caught:
            await answer(generator, StateRef("0" * 64, sha256, key), "hi")
        assert caught.value.details["fields"] == ["fingerprint"]


async def test_a_reference_that_claims_another_model_is_refused_even_if_its_payload_is_ours(generator):
    ref = await told(generator, "one")
    with pytest.raises(ModelMismatch):
        await answer(generator, StateRef("0" * 64, ref.sha256, ref.blob_key), "hi")
    start = await start_ref(generator)
    with pytest.raises(ModelMismatch):
        await answer(generator, StateRef(start.fingerprint, ref.sha256), "hi")


async def test_closing_early_cancels_the_work(generator):
    stream = generator.generate(
        GenerateRequest(await start_ref(generator), "/slow 20 " + "word " * 2000, max_tokens=2000)
    )
    assert isinstance(await anext(stream), Token)
    assert (await generator.health())["active"] >= 1
    await stream.aclose()

    async def idle() -> bool:
        return bool((await generator.health())["active"] == 0)

    await eventually(idle, within_s=15.0)


async def test_conversations_at_once_never_mix(generator):
    """16 states, several questions to each, all at the same time: each answer tells only its own turns."""
    histories = {await told(generator, *(f"c{n} t{m}" for m in range(n + 1))): n for n in range(16)}
    questions = [(ref, n, f"/slow 1 question {k} to {n}") for ref, n in histories.items() for k in range(3)]
    apart = [await answer(generator, ref, text) for ref, _, text in questions]
    together = await asyncio.gather(*(answer(generator, ref, text) for ref, _, text in questions))
    assert together == apart
    for (_, n, _), (text, _) in zip(questions, together, strict=True):
        assert turns_in(text) == [turn_fingerprint(f"c{n} t{m}") for m in range(n + 1)]


async def test_advances_at_once_are_byte_for_byte_those_made_one_by_one(generator, blobs):
    parents = [await told(generator, f"first of {n}") for n in range(16)]

    async def step(parent: StateRef, n: int, key: str) -> bytes:
        made = await generator.advance(parent, f"second of {n}", f"answer {n}", key)
        return bytes(blobs.get(key, made.sha256))

    apart = [await step(parent, n, f"states/apart-{n}") for n, parent in enumerate(parents)]
    together = await asyncio.gather(*(step(parent, n, f"states/together-{n}") for n, parent in enumerate(parents)))
    assert together == apart
    assert len(set(apart)) == 16


async def test_vectors_are_unit_length_and_near_for_near_texts(generator):
    texts = ["the dog likes the park", "the park is liked by the dog", "quarterly tax filing rules"]
    made = await generator.embed(texts)
    assert (made.dimensions, made.vectors.shape, made.vectors.dtype) == (384, (3, 384), np.float32)
    np.testing.assert_allclose(np.linalg.norm(made.vectors, axis=1), 1.0, atol=1e-4)
    near, same, far = made.vectors
    assert near @ same > near @ far + 0.3
    nothing = await generator.embed([])
    assert (nothing.model, nothing.vectors.shape) == (made.model, (0, 384))
    many = [f"text {n}" for n in range(300)]  # more than one batch, in the order asked
    vectors = (await generator.embed(many)).vectors
    assert vectors.shape == (300, 384)
    for at in (0, 127, 128, 299):
        np.testing.assert_allclose(vectors[at], (await generator.embed([many[at]])).vectors[0], atol=1e-5)


async def test_a_model_is_chosen_by_its_spec_or_its_id(generator):
    small, larger = await generator.embed(["a dog"], "hash-32"), await generator.embed(["a dog"], "hash-48")
    assert (small.dimensions, larger.dimensions) == (32, 48)
    assert small.model != larger.model
    again = await generator.embed(["a dog"], small.model, background=True)
    assert again.model == small.model
    np.testing.assert_array_equal(again.vectors, small.vectors)
    for gone in (small.model.replace("@", "@0")[:-4] + ":32", "/nowhere/at/all", "nonesuch"):
        with pytest.raises(EmbedderUnavailable):
            await generator.embed(["a dog"], gone)


async def test_no_model_computes_inside_a_database_transaction(generator):
    ref = await start_ref(generator)
    token = OPEN.set(1)
    try:
        with pytest.raises(RuntimeError, match="transaction"):
            generator.generate(GenerateRequest(ref, "hi"))
        with pytest.raises(RuntimeError, match="transaction"):
            await generator.advance(ref, "in", "out", "states/never")
        with pytest.raises(RuntimeError, match="transaction"):
            await generator.reads(ref, "in", "out")
        with pytest.raises(RuntimeError, match="transaction"):
            await generator.diff(ref, ref)
        with pytest.raises(RuntimeError, match="transaction"):
            await generator.diff_tensors(TensorsRef("0" * 64, "a"), TensorsRef("0" * 64, "a"))
        with pytest.raises(RuntimeError, match="transaction"):
            await generator.merge(ref, ref, ref, "states/never")
        with pytest.raises(RuntimeError, match="transaction"):
            await generator.embed(["x"])
    finally:
        OPEN.reset(token)


async def test_a_cancelled_caller_leaves_the_generator_usable(generator):
    ref = await start_ref(generator)
    waiting = asyncio.create_task(answer(generator, ref, "/slow 50 one two three"))
    await asyncio.sleep(0.1)
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    assert (await answer(generator, ref, "still there"))[0] == "echo 0 [] still there"


async def test_text_that_is_not_unicode_is_answered_or_refused_and_never_a_failure(generator):
    """JSON carries a lone surrogate that UTF-8 cannot: the API refuses such input before it comes here."""
    with contextlib.suppress(Invalid):
        await answer(generator, await start_ref(generator), "lone \ud800 surrogate")


async def test_what_was_said_of_oneself_becomes_facts(generator):
    episodes = ["Good morning! My dog is called Rex. Is it late?", "I live in Oslo.\nMy dog is called Rex."]
    assert await generator.can_fold()
    assert await generator.fold(episodes) == ["My dog is called Rex.", "I live in Oslo."]
    assert await generator.fold([]) == []
