"""Deltas: the law of every kind, the fast path against weights with the delta in them, payloads, words, batches."""

import random
import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.engine import DeltaCorrupt, DeltaMismatch, RxtEngine, State
from models.engine.decoding import FastDecoder
from models.engine.deltas import KINDS, Delta, LowRank, overlay, pack_delta, vectors_of
from models.rxt.config import preset
from models.rxt.low_rank import folded, maps_of
from models.rxt.model import Rxt
from models.text.lexicon import Entry, Lexicon
from tests.models.helpers import answer, say
from tests.models.test_fast_decoding import model_of, talk

QUESTION = "What is my dog called?"


def low_rank(model: Rxt, seed: int, rank: int = 3, size: float = 0.3, words: tuple[str, ...] = ()) -> Delta:
    """A delta of random factors, large enough to be seen."""
    chance = torch.Generator().manual_seed(seed)
    factors = {
        name: (
            (torch.randn(rank, linear.in_features, generator=chance) * size).half().float(),
            (torch.randn(linear.out_features, rank, generator=chance) * size).half().float(),
        )
        for name, linear in maps_of(model.decoder).items()
    }
    entries = {word.lower(): Entry(word, index) for index, word in enumerate(words)}
    return Delta(LowRank(factors), entries, vectors_of(tuple(entries), model.config.width))


MADE = {"low_rank": low_rank}


def test_every_kind_is_held_to_the_law() -> None:
    assert MADE.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15)
@given(seed=st.integers(0, 2**16), told=st.lists(st.sampled_from(["My dog is Rex.", "hello", "yes ."]), max_size=2))
def test_unmounting_restores_every_bit(tiny: RxtEngine, kind: str, seed: int, told: list[str]) -> None:
    """After answers with deltas, before them and with none of them ever: the same activations and scores."""
    model = tiny._model
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    tokens, memory = talk(model, seed, 9, seed % 2 == 0)
    tokens = [token % len(tiny._tokenizer) for token in tokens]
    fast, never = (FastDecoder(model, model.table(), rows=3) for _ in range(2))

    def outputs(decoder: FastDecoder, row: int) -> list[torch.Tensor]:
        out = [decoder.prefill(row, tokens[:5], memory)]
        out += [decoder.step([row], [token])[0] for token in tokens[5:]]
        return [*out, decoder.scores(out[-1][None], [row])[0]]

    before = outputs(fast, 1)
    delta = MADE[kind](model, seed, words=("Rex", "Ada"))
    fast.prefill(1, [*tokens[:3], len(model.table())], memory, fast.mount([delta]))
    fast.prefill(2, tokens[:2], memory, fast.mount([delta, delta]))
    fast.step([1, 2], tokens[:2])
    assert not torch.equal(fast.prefill(1, tokens[:5], memory, fast.mount([delta])), before[0])
    for after in (outputs(fast, 1), outputs(never, 1)):
        assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    state = say(tiny, tiny.start_state(), *told)
    plain, payload = answer(tiny, state, QUESTION), tiny.dump_state(state)
    answer(tiny, state, QUESTION, deltas=(delta,))
    assert answer(tiny, state, QUESTION) == plain
    assert tiny.dump_state(state) == payload
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())


@torch.no_grad()
@pytest.mark.parametrize("cross", ["content", "plain", "rotary"])
@pytest.mark.parametrize("ffn", [("swiglu", 0, 0), ("moe", 4, 2)])
def test_the_fast_path_is_the_decoder_with_the_deltas_in_its_weights(ffn, cross) -> None:
    """Rows with no delta, one, another, and two, in one pass."""
    model = model_of(ffn=ffn, cross=cross)
    one, two = low_rank(model, 1), low_rank(model, 2, rank=5)
    mounted = [[], [one], [two], [one, two]]
    fast = FastDecoder(model, model.table(), rows=6)
    plain = model.decoder
    talks = [talk(model, row, 12, row == 2) for row in range(4)]

    def again(row: int, length: int) -> torch.Tensor:
        model.decoder = folded(plain, [delta.memory.factors() for delta in mounted[row]])
        ids = torch.tensor([talks[row][0][:length]])
        out = model.decode(ids, ids != 0, model.table(), talks[row][1], None)[0][0, -1]
        model.decoder = plain
        return out

    for row, (tokens, memory) in enumerate(talks):
        found = fast.prefill(row + 1, tokens[:6], memory, fast.mount(mounted[row]) if mounted[row] else None)
        torch.testing.assert_close(found, again(row, 6), atol=2e-5, rtol=0)
    for length in range(7, 12):
        out = fast.step([1, 2, 3, 4], [tokens[length - 1] for tokens, _ in talks])
        for row in range(4):
            torch.testing.assert_close(out[row], again(row, length), atol=2e-5, rtol=0)


@torch.no_grad()
def test_words_of_a_delta_are_read_and_scored_by_its_own_row_alone() -> None:
    model = model_of()
    delta = low_rank(model, 1, words=("Rex", "Ada"))
    table = torch.cat((model.table(), delta.vectors))
    tokens, memory = talk(model, 3, 6, False)
    said = [*tokens, len(model.table()) + 1]
    fast = FastDecoder(model, model.table(), rows=3)
    activations = torch.stack([fast.prefill(0, tokens, memory), fast.prefill(1, said, memory, fast.mount([delta]))])
    plain = model.decoder
    model.decoder = folded(plain, [delta.memory.factors()])
    ids = torch.tensor([said])
    expected = model.decode(ids, ids != 0, table, memory, None)[0][0, -1]
    model.decoder = plain
    torch.testing.assert_close(activations[1], expected, atol=2e-5, rtol=0)
    scores = fast.scores(activations, [0, 1])
    torch.testing.assert_close(scores[1], table @ activations[1], atol=2e-4, rtol=0)
    assert fast.scores(activations[:1], [0]).shape[1] == len(model.table())
    assert scores[0, len(model.table()) :].tolist() == [0.0, 0.0]


def test_answers_with_different_deltas_at_once_are_those_one_by_one(tiny: RxtEngine) -> None:
    model = tiny._model
    deltas = [(), (low_rank(model, 1, size=1.0, words=("Rex",)),), (low_rank(model, 2, size=1.0, words=("Ada", "Bo")),)]
    states = [tiny.start_state(), say(tiny, tiny.start_state(), "my dog is called Milo .")]
    wanted = {(s, d): answer(tiny, states[s], QUESTION, deltas=deltas[d])[0] for s in range(2) for d in range(3)}
    assert len(set(wanted.values())) > 2
    found: dict[tuple[int, int, int], str] = {}

    def ask(s: int, d: int, n: int) -> None:
        found[s, d, n] = answer(tiny, states[s], QUESTION, deltas=deltas[d])[0]

    threads = [threading.Thread(target=ask, args=(s, d, n)) for n in range(4) for s in range(2) for d in range(3)]
    random.Random(0).shuffle(threads)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(text == wanted[s, d] for (s, d, _), text in found.items())
    assert len(found) == len(threads)


def test_the_conversations_own_words_stay_its_own() -> None:
    lexicon = Lexicon({"rex": Entry("REX", 5)}, 6)
    first = Delta(LowRank({}), {"rex": Entry("Rex", 0), "rose": Entry("Rose", -1)}, torch.zeros(1, 4))
    second = Delta(LowRank({}), {"ada": Entry("Ada", 0), "rex": Entry("Rex", 1)}, torch.zeros(2, 4))
    over, surfaces = overlay(lexicon, [first, second], 64)
    assert over.entries == {"rose": Entry("Rose", -1), "ada": Entry("Ada", 65), "rex": Entry("REX", 5)}
    assert list(over.entries)[-1] == "rex"
    assert surfaces == {64: "Rex", 65: "Ada", 66: "Rex"}
    assert lexicon.entries == {"rex": Entry("REX", 5)}


def test_a_payload_comes_back_and_is_refused_by_name_elsewhere(tiny: RxtEngine) -> None:
    delta = low_rank(tiny._model, 4, words=("Rex", "New York"))
    payload = pack_delta(delta, tiny.identity, {"rank": 3})
    back = tiny.load_delta(payload)
    assert pack_delta(back, tiny.identity, {"rank": 3}) == payload
    state = State(tiny.start_state().memory, Lexicon.empty())
    assert answer(tiny, state, QUESTION, deltas=(back,)) == answer(tiny, state, QUESTION, deltas=(delta,))
    other = pack_delta(delta, tiny.identity | {"weights_sha256": "0" * 64}, {"rank": 3})
    with pytest.raises(DeltaMismatch) as refused:
        tiny.load_delta(other)
    assert refused.value.fields == ("weights_sha256",)
    for damaged in (b"", payload[:-1], payload[: len(payload) // 2], tiny.dump_state(tiny.start_state()), b"\0" * 64):
        with pytest.raises((DeltaCorrupt, DeltaMismatch)):
            tiny.load_delta(damaged)
    wide = Delta(LowRank(maps_with(delta, "9.ffn.up")), delta.words, delta.vectors)
    with pytest.raises(DeltaCorrupt, match=r"9\.ffn\.up"):
        tiny.load_delta(pack_delta(wide, tiny.identity, {}))


def maps_with(delta: Delta, name: str) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    return {**delta.memory.factors(), name: next(iter(delta.memory.factors().values()))}


def test_reads_are_of_the_decoder_that_answered(tiny: RxtEngine) -> None:
    state = say(tiny, tiny.start_state(), "my dog is called Milo .")
    delta = low_rank(tiny._model, 4, size=1.0)
    plain = tiny.reads(state, QUESTION, "yes")
    assert tiny.reads(state, QUESTION, "yes", deltas=(delta,)) != plain
    assert tiny.reads(state, QUESTION, "yes") == plain


def test_a_preset_of_experts_takes_only_the_maps_that_it_has() -> None:
    torch.manual_seed(0)
    names = maps_of(Rxt(preset("nano", 50)).decoder)
    assert {name.partition(".")[2] for name in names} == {"memory.query", "memory.out"}
