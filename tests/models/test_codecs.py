"""States in fewer bytes: rounding twice is rounding once, whatever the numbers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.engine import RxtEngine, StateCorrupt
from models.engine.codecs import CODECS, rounded
from tests.models.helpers import answer, say

NAMES = sorted(CODECS)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), power=st.integers(-30, 15))
def test_rounding_twice_is_rounding_once(name, seed, power):
    memory = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(seed)) * 2.0**power
    codec = CODECS[name]
    once = rounded(memory, codec)
    again = codec.pack(once)
    assert torch.equal(rounded(once, codec), once)
    assert all(torch.equal(tensor, again[key]) for key, tensor in codec.pack(memory).items())
    assert {key: (t.dtype, tuple(t.shape)) for key, t in again.items()} == codec.shapes((2, 3, 8))


@pytest.mark.parametrize("largest", [0.0, 1e-38, 126.4, 127.0, 127.5, 128.0, 1e6])
def test_int8_is_off_by_less_than_a_127th_of_the_largest(largest):
    memory = torch.linspace(-1, 1, 33).view(1, 1, 33) * largest
    assert ((rounded(memory, CODECS["int8"]) - memory).abs() <= largest / 127 + 1e-36).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_state_from_the_cache_is_the_state_of_its_payload(tiny_folder, name):
    engine = RxtEngine.load(tiny_folder, state_dtype=name)
    kept = read_back = engine.start_state()
    for turn in range(6):
        text = f"my dog is called Rex{turn}"
        kept = engine.advance(kept, text, "yes").state
        read_back = engine.load_state(engine.dump_state(engine.advance(read_back, text, "yes").state))
        assert torch.equal(kept.memory, read_back.memory)
    assert engine.dump_state(kept) == engine.dump_state(read_back)


def test_the_type_is_part_of_the_fingerprint_and_of_the_size(tiny_folder):
    engines = {name: RxtEngine.load(tiny_folder, state_dtype=name) for name in NAMES}
    assert len({engine.fingerprint for engine in engines.values()}) == len(NAMES)
    sizes = {name: len(engine.dump_state(engine.start_state())) for name, engine in engines.items()}
    assert sizes["int8"] < sizes["float16"] < sizes["float32"]
    with pytest.raises(KeyError):
        RxtEngine.load(tiny_folder, state_dtype="float8")


def test_an_int8_state_without_its_exponents_is_refused(tiny_folder):
    engine = RxtEngine.load(tiny_folder, state_dtype="int8")
    payload = engine.dump_state(engine.start_state())
    with pytest.raises(StateCorrupt):
        engine.load_state(payload.replace(b"memory_exponent", b"memory_exponenx"))


@pytest.mark.parametrize("name", NAMES)
def test_the_released_model_remembers_in_every_type(name):
    engine = RxtEngine.load(state_dtype=name)
    state = say(
        engine, engine.start_state(), "My dog is called Biscuit.", "It rained today.", "My cat is called Zorbo."
    )
    assert "Biscuit" in answer(engine, state, "What is my dog called?")[0]
    assert "Zorbo" in answer(engine, state, "What is my cat called?")[0]
