"""States as bytes: the round trip, and every way to be refused."""

import json

import pytest
import torch
from safetensors.torch import load, save

from models.engine import RxtEngine, State, StateCorrupt, StateMismatch, StateRejected
from models.text.lexicon import Entry, Lexicon
from tests.models.conftest import make_checkpoint
from tests.models.helpers import answer, say


@pytest.fixture
def state(tiny) -> State:
    return say(tiny, tiny.start_state(), "My dog is called Biscuit.", "Zoë lives in New York", "\u72ac MY CAT IS REX!")


def parts(payload: bytes) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    size = int.from_bytes(payload[:8], "little")
    return load(payload), json.loads(payload[8 : 8 + size])["__metadata__"]


def test_round_trip_keeps_everything(tiny, state):
    payload = tiny.dump_state(state)
    back = tiny.load_state(payload)
    assert torch.equal(back.memory, state.memory)
    assert back.lexicon == state.lexicon
    assert list(back.lexicon.entries) == list(state.lexicon.entries)
    assert "Biscuit" in back.lexicon.rows().values()
    assert tiny.dump_state(back) == payload
    assert answer(tiny, back, "what is my dog called?") == answer(tiny, state, "what is my dog called?")


def test_every_state_has_the_same_size(tiny, state):
    sizes = {len(tiny.dump_state(s)) for s in (tiny.start_state(), state, say(tiny, state, "a b c d e f g h" * 40))}
    assert max(sizes) - min(sizes) < 16  # the header's padding


def test_a_state_of_another_model_is_refused_by_name(tiny, tiny_folder, tmp_path, state):
    other = RxtEngine.load(make_checkpoint(tmp_path / "a", seed=1))
    with pytest.raises(StateMismatch) as caught:
        other.load_state(tiny.dump_state(state))
    assert caught.value.fields == ("weights_sha256",)
    words = RxtEngine.load(make_checkpoint(tmp_path / "b", words=["hello", "."]))
    with pytest.raises(StateMismatch) as caught:
        words.load_state(tiny.dump_state(state))
    assert set(caught.value.fields) == {"weights_sha256", "tokenizer_sha256"}
    assert tiny.fingerprint not in (other.fingerprint, words.fingerprint)
    assert tiny.fingerprint == RxtEngine.load(tiny_folder).fingerprint


def test_every_truncation_is_refused(tiny, state):
    payload = tiny.dump_state(state)
    for length in [*range(0, 700, 7), len(payload) // 2, len(payload) - 1]:
        with pytest.raises(StateCorrupt):
            tiny.load_state(payload[:length])
    with pytest.raises(StateRejected):
        tiny.load_state(payload + b"x")


def test_damaged_contents_are_refused_by_name(tiny, state):
    tensors, meta = parts(tiny.dump_state(state))

    def refused(name: str, value: torch.Tensor) -> None:
        with pytest.raises(StateCorrupt) as caught:
            tiny.load_state(save({**tensors, name: value}, meta))
        assert name in caught.value.fields or "lexicon" in caught.value.fields[0]

    bad = tensors["memory"].clone()
    for value in (float("nan"), float("inf")):
        bad[0, 0, 0] = value
        refused("memory", bad)
    refused("memory", tensors["memory"][:, :-1].contiguous())
    refused("memory", tensors["memory"].double())
    rows = tensors["lexicon_rows"]
    refused("lexicon_rows", torch.where(rows == rows[0], 4000, rows).to(torch.int32))
    refused("lexicon_rows", torch.where(rows >= 0, rows[0], rows))
    refused("lexicon_rows", rows.roll(1))
    refused("lexicon_text", torch.full_like(tensors["lexicon_text"], 255))
    refused("lexicon_text", torch.zeros_like(tensors["lexicon_text"]))
    missing = {k: v for k, v in tensors.items() if k != "next_row"}
    with pytest.raises(StateCorrupt, match="next_row"):
        tiny.load_state(save(missing, meta))
    with pytest.raises(StateCorrupt):
        tiny.load_state(save({**tensors, "more": torch.zeros(1)}, meta))


def test_no_metadata_or_other_metadata_is_refused(tiny, state):
    tensors, meta = parts(tiny.dump_state(state))
    for other in (None, {"x": "y"}, {next(iter(meta)): "[]"}, {next(iter(meta)): "not json"}):
        with pytest.raises(StateCorrupt):
            tiny.load_state(save(tensors, other))
    with pytest.raises(StateMismatch) as caught:
        tiny.load_state(save(tensors, {next(iter(meta)): "{}"}))
    assert "model" in caught.value.fields


def test_a_full_lexicon_packs(tiny):
    entries = {f"w{i}": Entry(f"W{i}", i) for i in range(32)}
    state = State(tiny.start_state().memory, Lexicon(entries, 32))
    assert tiny.load_state(tiny.dump_state(state)).lexicon == state.lexicon
