"""Two memories beside each other, and two as one."""

import math

import pytest
import torch

from models.engine import RxtEngine
from models.engine.comparing import averaged, difference
from models.text.lexicon import Entry, Lexicon


def test_distances_are_those_of_numpy_by_hand() -> None:
    before = torch.zeros(2, 3, 4)
    before[1, 2] = torch.tensor([3.0, 4.0, 0.0, 0.0])
    after = before.clone()
    after[1, 2, 2] = 12.0
    after[0, 1, 0] = 2.0
    found = difference(before, after)
    assert [(s.layer, s.slot, s.norm) for s in found.slots] == [(1, 2, 12.0), (0, 1, 2.0)]
    assert found.slots[0].drift == pytest.approx(12.0 / 5.0)
    assert [(t.name, t.norm, t.before) for t in found.tensors] == [("memory.1", 12.0, 5.0), ("memory.0", 2.0, 0.0)]
    assert found.tensors[0].after == pytest.approx(13.0)
    assert difference(before, before).slots == ()


def test_a_slot_is_of_whoever_moved_it_and_between_them_where_both_did() -> None:
    base = torch.zeros(1, 4, 2)
    ours, theirs = base.clone(), base.clone()
    ours[0, 1, 0], theirs[0, 2, 0] = 5.0, 7.0
    ours[0, 3], theirs[0, 3] = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 1.0])
    merged = averaged(base, ours, theirs)
    assert merged[0, :3].tolist() == [[0.0, 0.0], [5.0, 0.0], [7.0, 0.0]]
    assert merged[0, 3].tolist() == [2.25, 0.25]  # weights 3/4 and 1/4


def test_of_two_words_in_one_row_ours_is_spelled() -> None:
    ours = Lexicon({"zorb": Entry("Zorb", 0), "tim": Entry("Tim", -1)}, 1)
    theirs = Lexicon({"blip": Entry("Blip", 0), "frob": Entry("frob", 1)}, 2)
    joined = ours.joined(theirs, 64)
    assert joined.rows() == {0: "Zorb", 1: "frob"}
    assert joined.next_row == 2


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_states_are_compared_and_merged_as_they_will_be_read_back(dtype: str) -> None:
    engine = RxtEngine.load(state_dtype=dtype)
    base = engine.start_state()
    ours = engine.advance(base, "My dog is called Biscuit.", "Nice.").state
    theirs = engine.advance(base, "My city is Lisbon.", "Nice.").state
    again = engine.load_state(engine.dump_state(ours))
    assert engine.diff(ours, again).slots == ()
    found = engine.diff(base, ours)
    total = math.hypot(*(tensor.norm for tensor in found.tensors))
    assert total == pytest.approx(float((ours.memory - base.memory).norm()), rel=1e-4)
    step = engine.merge(base, ours, theirs)
    payload = engine.dump_state(step.state)
    assert engine.dump_state(engine.load_state(payload)) == payload
    assert payload == engine.dump_state(engine.merge(base, ours, theirs).state)
    assert engine.dump_state(engine.merge(base, ours, base).state) == engine.dump_state(ours)
    assert step.health["drift"] > 0
