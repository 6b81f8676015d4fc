"""Laws of the memory: chaining, start state, silence, batching."""

from collections.abc import Iterator

import pytest
import torch

from models.rxt.config import RxtConfig, preset
from models.rxt.memory_writer import Written
from models.rxt.model import Rxt
from models.rxt.state import health_of


@pytest.fixture
def model() -> Rxt:
    torch.manual_seed(3)
    return Rxt(preset("tiny", 30)).eval()


def interactions(count: int, length: int = 9) -> torch.Tensor:
    return torch.randint(1, 90, (count, length), generator=torch.Generator().manual_seed(5))


def write_each(model: Rxt, memory: torch.Tensor, tokens: torch.Tensor) -> Iterator[Written]:
    table = model.table()
    for row in tokens:
        mask = torch.ones(1, len(row), dtype=torch.bool)
        written = model.write(memory, model.encode(row[None], mask, table), mask)
        memory = written.memory
        yield written


def write_all(model: Rxt, memory: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    for written in write_each(model, memory, tokens):
        memory = written.memory
    return memory


@torch.no_grad()
@pytest.mark.parametrize("cut", [0, 1, 4, 6])
def test_a_whole_sequence_equals_its_chunks_with_carried_state(model, cut):
    tokens = interactions(6)
    whole = write_all(model, model.start_memory(1), tokens)
    half = write_all(model, model.start_memory(1), tokens[:cut])
    torch.testing.assert_close(write_all(model, half, tokens[cut:]), whole, atol=1e-5, rtol=0)
    if 0 < cut < 6:  # the law has teeth: without the carried state the result differs
        assert (write_all(model, model.start_memory(1), tokens[cut:]) - whole).abs().max() > 1e-3


@torch.no_grad()
def test_padding_does_not_leak_into_memory(model):
    tokens, table = interactions(1), model.table()
    padded = torch.cat((tokens, torch.zeros(1, 5, dtype=torch.int64)), dim=1)
    mask = padded != 0
    memory = model.write(model.start_memory(1), model.encode(padded, mask, table), mask).memory
    torch.testing.assert_close(memory, write_all(model, model.start_memory(1), tokens), atol=1e-5, rtol=0)


@torch.no_grad()
def test_an_interaction_without_tokens_changes_nothing(model):
    tokens = torch.zeros(2, 6, dtype=torch.int64)
    mask = tokens != 0
    written = model.write(model.start_memory(2), model.encode(tokens, mask, model.table()), mask)
    assert torch.equal(written.memory, model.start_memory(2))
    assert written.gate.abs().max() == 0
    assert written.attention.abs().max() == 0


@torch.no_grad()
def test_gates_lie_between_keeping_and_taking(model):
    tokens = interactions(3)
    mask = torch.ones_like(tokens, dtype=torch.bool)
    gate = model.write(model.start_memory(3), model.encode(tokens, mask, model.table()), mask).gate
    assert gate.min() >= 0
    assert gate.max() <= 1
    assert gate.std() > 0


@torch.no_grad()
def test_start_slots_are_distinct_and_stay_distinct(model):
    start = model.start
    for layer in start:
        distances = torch.cdist(layer, layer) + torch.eye(len(layer)) * 9
        assert distances.min() > 0.1
    assert health_of(start, start, start, [])["slot_diversity"] > 0.5
    equal = health_of(start, torch.ones_like(start), start, [])
    assert equal["slot_diversity"] < 1e-5
    assert equal["collapsed"] == 1
    after = write_all(model, model.start_memory(1), interactions(12))
    assert health_of(start, after[0], start, [])["slot_diversity"] > 0.01


@torch.no_grad()
def test_health_says_how_far_the_gates_opened_and_how_far_the_memory_moved(model):
    start = model.start
    still = health_of(start, start, start, [])
    assert {still[name] for name in ("gate_mean", "gate_max", "drift", "distance_to_start", "collapsed")} == {0}
    writes = list(write_each(model, model.start_memory(1), interactions(3)))
    parent, last = writes[-2].memory[0], writes[-1].memory[0]
    gates = [written.gate[0] for written in writes]
    health = health_of(parent, last, start, gates)
    every = [float(gate) for written in gates for gate in written.flatten()]
    assert health["gate_mean"] == pytest.approx(sum(every) / len(every), abs=1e-6)
    assert health["gate_max"] == max(every)
    assert health["drift"] == pytest.approx(float((last - parent).norm() / parent.norm()), abs=1e-6)
    assert health["distance_to_start"] == pytest.approx(float((last - start).norm() / start.norm()), abs=1e-6)
    assert health["drift"] != health["distance_to_start"]
    one_layer = start.clone()
    one_layer[1] = 1.0
    assert health_of(start, one_layer, start, gates)["collapsed"] == 1


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="memory_heads"):
        RxtConfig(name="x", words=9, width=16, heads=2, memory_heads=3)
