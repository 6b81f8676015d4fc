"""Attention, feed-forward, cross-attention, MLM head and whole models against their twins, and the sizes of presets."""

import math
from dataclasses import replace
from itertools import cycle
from typing import Any

import pytest
import torch

from models.rxt.attention import ATTENTION, causal_mask
from models.rxt.config import PRESETS, RxtConfig, preset
from models.rxt.feed_forward import FEED_FORWARD, MixtureOfExperts, SwiGLU, router_losses
from models.rxt.layers import rotary_table
from models.rxt.memory_attention import MEMORY_ATTENTION
from models.rxt.memory_cross import MEMORY_CROSS
from models.rxt.mlm import MlmHead
from models.rxt.model import Rxt
from tests.models.twins import feed_forward as slow
from tests.models.twins.attention import attend
from tests.models.twins.memory import normed

HEADS = [("mha", 4, None), ("gqa", 4, 2), ("gqa", 4, 1), ("sqa", 4, None), ("sqa", 4, 1)]


def close(one: torch.Tensor, other: torch.Tensor) -> None:
    torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def small(**changes: Any) -> RxtConfig:
    return replace(preset("tiny", 30), heads=4, **changes)


@torch.no_grad()
@pytest.mark.parametrize(("name", "heads", "kv_heads"), HEADS)
@pytest.mark.parametrize("causal", [False, True])
def test_attention_equals_its_twin(name, heads, kv_heads, causal):
    torch.manual_seed(1)
    attention = ATTENTION[name](16, heads, kv_heads)
    x, table = torch.randn(2, 5, 16), rotary_table(5, 4)
    keys, values = attention.project(x, table)
    out = attention(x, keys, values, causal_mask(5) if causal else None, table)
    for row, found in zip(x, out, strict=True):
        may_read = (lambda n, m: m <= n) if causal else (lambda n, m: True)
        close(found, attend(attention, row, row, turn_queries=True, turn_keys=True, may_read=may_read)[0])


def test_the_variants_differ_in_their_heads_and_in_nothing_else():
    counts = [
        (ATTENTION[name](16, heads, kv).query_heads, ATTENTION[name](16, heads, kv).kv_heads)
        for name, heads, kv in HEADS
    ]
    assert counts == [(4, 4), (4, 2), (4, 1), (2, 2), (2, 1)]
    for name, kv_heads in (("mha", 2), ("gqa", None), ("gqa", 3)):
        with pytest.raises(ValueError, match="heads"):
            ATTENTION[name](16, 4, kv_heads)


@torch.no_grad()
@pytest.mark.parametrize("name", MEMORY_CROSS)
@pytest.mark.parametrize("attention", ["mha", "sqa"])
def test_memory_cross_attention_equals_its_twin(name, attention):
    torch.manual_seed(2)
    cross: Any = MEMORY_CROSS[name](small(attention=attention, memory_cross=name))
    null, heads = None, cross
    if name == "content":
        cross.null_key.normal_()
        cross.null_bias.normal_()
        null = (cross.null_key, cross.null_bias)
    if name == "rotary":
        heads = cross.attention
    slots, x, table = torch.randn(2, 6, 16), torch.randn(2, 3, 16), rotary_table(3, 4)
    keys, values = cross.project(slots)
    out, weights = cross(x, keys, values, table), cross.weights(x, keys, table)
    for index in range(2):
        expected = attend(heads, x[index], slots[index], turn_queries=name == "rotary", null=null)
        close(out[index], expected[0])
        close(weights[index], expected[1])


@torch.no_grad()
def test_what_goes_to_the_null_key_reads_nothing():
    cross: Any = MEMORY_CROSS["content"](small())
    cross.null_bias.fill_(50.0)
    keys, values = cross.project(torch.randn(1, 6, 16))
    assert cross(torch.randn(1, 3, 16), keys, values).abs().max() < 1e-5


@torch.no_grad()
@pytest.mark.parametrize("active", [1, 2, 4])
def test_feed_forward_equals_its_twin(active):
    torch.manual_seed(3)
    block = FEED_FORWARD["moe"](small(experts=4, experts_active=active, feed_forward="moe"))
    dense = FEED_FORWARD["swiglu"](small())
    assert isinstance(block, MixtureOfExperts)
    assert isinstance(dense, SwiGLU)
    x = torch.randn(2, 5, 16)
    with router_losses(block) as losses:
        out = block(x)
    assert len(losses) == 1
    assert float(losses[0]) == pytest.approx(slow.balance(block, x.flatten(0, 1)), abs=1e-5)
    for row in range(2):
        for n in range(5):
            close(out[row, n], slow.mixture(block, x[row, n]))
            close(dense(x)[row, n], slow.swiglu(dense, x[row, n]))
    assert torch.equal(block(x), out)
    close(block(x[1:, 2:3])[0, 0], out[1, 2])  # whoever else is in the batch


def test_router_losses_are_collected_only_while_asked_for_and_push_towards_balance():
    torch.manual_seed(4)
    model = Rxt(small(experts=4, experts_active=1, feed_forward="moe"))
    tokens, table = torch.randint(1, 90, (3, 9)), model.table()
    memory = model.project_memory(model.start_memory(3))
    with router_losses(model) as losses:
        model.decode(tokens, tokens != 0, table, memory, None)
    assert len(losses) == model.config.layers  # the encoder is dense
    model.decode(tokens, tokens != 0, table, memory, None)
    assert len(losses) == model.config.layers
    torch.stack(losses).sum().backward()
    blocks: list[Any] = [layer.ffn for layer in model.decoder.stack]
    assert all(float(block.router.weight.grad.abs().max()) > 0 for block in blocks)
    block = blocks[0]
    with torch.no_grad():
        block.router.weight.zero_()
        block.router.weight[2] = 50.0
        with router_losses(block) as one_sided:
            block(torch.rand(1, 20, 16))
    assert float(one_sided[0]) == pytest.approx(4.0, abs=1e-3)


@torch.no_grad()
def test_the_mlm_head_equals_its_twin():
    torch.manual_seed(5)
    head = MlmHead(small())
    x = torch.randn(1, 3, 16)
    out = head(x)
    assert out.shape == (1, 3, 30)
    for n in range(3):
        inner = head.inner.weight @ x[0, n] + head.inner.bias
        gelu = torch.tensor([float(v) * 0.5 * (1.0 + math.erf(float(v) / math.sqrt(2.0))) for v in inner])
        close(out[0, n], head.words.weight @ normed(head.norm, gelu[None])[0] + head.words.bias)


WHOLE = [
    {"attention": "mha", "memory_cross": "plain"},
    {"attention": "gqa", "kv_heads": 2, "memory_cross": "content"},
    {"attention": "sqa", "memory_cross": "rotary", "feed_forward": "moe", "experts": 3, "experts_active": 2},
    {"attention": "sqa", "memory_cross": "rotary", "window_before": 0, "window_after": 0, "rows": 0},
]


@torch.no_grad()
@pytest.mark.parametrize("changes", WHOLE, ids=lambda c: "-".join(str(v) for v in c.values()))
def test_decoding_in_steps_and_in_ragged_batches_equals_decoding_one_by_one(changes):
    torch.manual_seed(6)
    model = Rxt(small(**changes)).eval()
    table, lengths = model.table(), (9, 4, 6)
    tokens = torch.randint(1, len(table), (3, 9))
    for row, length in enumerate(lengths):
        tokens[row, length:] = 0
    memory = torch.randn(3, *model.start.shape)
    together, _ = model.decode(tokens, tokens != 0, table, model.project_memory(memory), None)
    for row, length in enumerate(lengths):
        own, cache, steps = model.project_memory(memory[row : row + 1]), None, []
        for n in range(length):
            token = tokens[row : row + 1, n : n + 1]
            step, cache = model.decode(token, token != 0, table, own, cache)
            steps.append(step[0])
        close(together[row, :length], torch.cat(steps))
    other, _ = model.decode(tokens, tokens != 0, table, model.project_memory(memory.flip(0)), None)
    assert (other[0] - together[0]).abs().max() > 1e-3  # every conversation reads its own memory


@torch.no_grad()
@pytest.mark.parametrize("attention", ["mha", "sqa"])
def test_positions_restart_each_turn(attention):
    """The same interaction is encoded alike in every turn, whatever is padded behind it; order within it counts."""
    torch.manual_seed(7)
    model = Rxt(small(attention=attention, window_before=0, window_after=0)).eval()
    table = model.table()
    tokens = torch.randint(1, 90, (1, 6)).repeat(2, 1)
    padded = torch.cat((tokens, torch.zeros(2, 4, dtype=torch.int64)), dim=1)
    encoded = model.encode(tokens, tokens != 0, table)
    close(model.encode(padded, padded != 0, table)[:, :, :6], encoded)
    swapped = tokens.clone()
    swapped[:, 1], swapped[:, 4] = tokens[:, 4], tokens[:, 1]
    assert (model.encode(swapped, swapped != 0, table)[:, :, 0] - encoded[:, :, 0]).abs().max() > 1e-4
    memory = model.project_memory(model.start_memory(1))
    first, _ = model.decode(tokens[:1], tokens[:1] != 0, table, memory, None)
    again, _ = model.decode(tokens[:1], tokens[:1] != 0, table, memory, None)
    assert torch.equal(first, again)


PUBLISHED = {"nano": 12e6, "micro": 26e6, "mini": 100e6, "synthetic": 160e6}


@pytest.mark.parametrize("name", PRESETS)
def test_presets_have_the_published_numbers_of_parameters(name):
    with torch.device("meta"):
        model = Rxt(preset(name, 7500))
    count = sum(p.numel() for p in model.parameters())
    assert count == pytest.approx(PUBLISHED.get(name, count), rel=0.1)
    assert preset(name, 7500).name == PRESETS[name]["name"]
    assert count > 1e5


def test_the_start_does_not_depend_on_the_seed_of_training():
    starts = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        starts.append(Rxt(small()).start)
    assert torch.equal(*starts)
    before = torch.random.get_rng_state()
    Rxt(small())
    assert not torch.equal(before, torch.random.get_rng_state())  # the weights do


def test_sizes_that_do_not_fit_are_refused():
    refused: tuple[tuple[dict[str, Any], str], ...] = (
        ({"memory_heads": 3}, "memory_heads"),
        ({"experts": 2, "experts_active": 3}, "active"),
        ({"experts": 2}, "active"),
        ({"groups": 3}, "groups"),
    )
    for wrong, match in refused:
        with pytest.raises(ValueError, match=match):
            RxtConfig(name="x", words=9, width=16, heads=2, **wrong)
    with pytest.raises(KeyError):
        Rxt(replace(preset("tiny", 30), gate="nonsense"))


CROSSED = list(zip(MEMORY_ATTENTION, cycle(MEMORY_CROSS), strict=False))


@torch.no_grad()
@pytest.mark.parametrize(("memory_attention", "memory_cross"), CROSSED)
def test_a_forward_pass_stays_on_the_device_of_the_weights(memory_attention, memory_cross):
    """On the meta device, where a tensor made on the CPU on the way is refused."""
    changes = {"memory_cross": memory_cross, "memory_attention": memory_attention, "gate": "sigmoid_linear"}
    model = Rxt(small(**changes)).eval().to("meta")
    tokens = torch.ones(2, 5, dtype=torch.int64, device="meta")
    mask, table = tokens != 0, model.table()
    written = model.write(model.start_memory(2), model.encode(tokens, mask, table), mask)
    projected = model.project_memory(written.memory, model.start_memory(2))
    first, cache = model.decode(tokens, mask, table, projected, None)
    step, _ = model.decode(tokens[:, :1], mask[:, :1], table, projected, cache)
    found = (written.memory, written.gate, written.attention, first, model.logits(step, table))
    assert {tensor.device.type for tensor in found} == {"meta"}


@torch.no_grad()
def test_a_forward_pass_keeps_to_bfloat16():
    torch.manual_seed(8)
    model = Rxt(small(memory_cross="rotary", memory_attention="gated_self", gate="tanh_linear")).eval()
    tokens = torch.randint(1, 90, (2, 5))
    found = []
    for kind in (torch.float32, torch.bfloat16):
        model = model.to(kind)
        encoded = model.encode(tokens, tokens != 0, model.table())
        memory = model.write(model.start_memory(2), encoded, tokens != 0).memory
        out, _ = model.decode(tokens, tokens != 0, model.table(), model.project_memory(memory), None)
        assert encoded.dtype == memory.dtype == out.dtype == kind
        found.append(out.float())
    assert (found[0] - found[1]).abs().mean() < 0.05 * found[0].abs().mean()
