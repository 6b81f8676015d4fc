"""The decoder prepared for inference against the decoder as the paper states it, which reads everything again."""

from dataclasses import replace
from itertools import product

import pytest
import torch

from models.engine.decoding import FastDecoder
from models.rxt.config import preset
from models.rxt.model import Rxt

ATTENTIONS = [("mha", None), ("gqa", 2), ("gqa", 1), ("sqa", None), ("sqa", 1)]
FEED_FORWARDS = [("swiglu", 0, 0), ("moe", 4, 2)]
VARIANTS = list(product(ATTENTIONS, FEED_FORWARDS, ["content", "plain", "rotary"]))


def model_of(attention=("mha", None), ffn=("swiglu", 0, 0), cross="content", before=4) -> Rxt:
    """A small model in which no gain, bias or null key is where it starts."""
    torch.manual_seed(4)
    config = replace(
        preset("tiny", 30), heads=4, attention=attention[0], kv_heads=attention[1], feed_forward=ffn[0],
        experts=ffn[1], experts_active=ffn[2], memory_cross=cross, window_before=before,
    )  # fmt: skip
    model = Rxt(config).eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        if name.endswith(("gain", "null_bias", "null_key", "recall_tag", "window.weight")):
            parameter.add_(torch.randn_like(parameter), alpha=0.5)
    return model


def talk(model: Rxt, seed: int, length: int, recalled: bool) -> tuple[list[int], tuple]:
    """Random tokens, and a projected memory."""
    chance = torch.Generator().manual_seed(seed)
    tokens = torch.randint(1, 90, (length,), generator=chance).tolist()
    memory = [torch.randn(1, *model.start.shape, generator=chance) for _ in range(2)]
    return tokens, model.project_memory(memory[0], memory[1] if recalled else None)


def again(model: Rxt, tokens: list[int], memory: tuple) -> torch.Tensor:
    """The twin: activations [D] after the last token, everything read again."""
    ids = torch.tensor([tokens])
    return model.decode(ids, ids != 0, model.table(), memory, None)[0][0, -1]


def close(one: torch.Tensor, other: torch.Tensor, atol: float = 1e-5) -> None:
    torch.testing.assert_close(one, other, atol=atol, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize(("attention", "ffn", "cross"), VARIANTS)
def test_every_variant_equals_reading_everything_again(attention, ffn, cross):
    model = model_of(attention, ffn, cross)
    fast = FastDecoder(model, model.table(), rows=2)
    for prefill, recalled in ((1, True), (3, False), (9, True)):
        tokens, memory = talk(model, prefill, 12, recalled)
        close(fast.prefill(1, tokens[:prefill], memory), again(model, tokens[:prefill], memory))
        for index in range(prefill, 12):
            out = fast.step([1], tokens[index : index + 1])
            close(out[0], again(model, tokens[: index + 1], memory))
    close(fast.scores(out), model.logits(out, model.table()))


@torch.no_grad()
@pytest.mark.parametrize(("attention", "ffn", "cross"), [VARIANTS[0], VARIANTS[10], VARIANTS[29]])
@pytest.mark.parametrize("before", [0, 1, 4])
def test_rows_of_any_length_joining_and_pausing_equal_one_by_one(attention, ffn, cross, before):
    model = model_of(attention, ffn, cross, before)
    fast = FastDecoder(model, model.table(), rows=6)
    talks = {row: talk(model, row, 20, row % 2 == 0) for row in range(6)}
    seen = dict.fromkeys(talks, 0)
    # Neighbours, gaps, any order, far apart; a row joins when it is first named, 0 last, beside longer ones.
    for rows in ([2], [2, 3], [5, 2], [3, 5], [1, 5, 2, 3], [4], [1, 5], [0, 5], [5, 4, 3, 2, 1, 0], [3, 1]):
        for row in [r for r in rows if not seen[r]]:
            seen[row] = 2 * row + 1
            tokens, memory = talks[row]
            close(fast.prefill(row, tokens[: seen[row]], memory), again(model, tokens[: seen[row]], memory))
        out = fast.step(rows, [talks[row][0][seen[row]] for row in rows])
        for row, found in zip(rows, out, strict=True):
            seen[row] += 1
            close(found, again(model, talks[row][0][: seen[row]], talks[row][1]))


@torch.no_grad()
def test_a_row_used_before_is_as_a_new_one():
    model = model_of()
    used, fresh = (FastDecoder(model, model.table(), rows=2) for _ in range(2))
    tokens, memory = talk(model, 1, 30, recalled=True)
    used.prefill(0, tokens, memory)
    tokens, memory = talk(model, 2, 5, recalled=False)
    for fast in (used, fresh):
        fast.prefill(0, tokens[:3], memory)
    assert torch.equal(used.step([0], tokens[3:4]), fresh.step([0], tokens[3:4]))


@torch.no_grad()
def test_what_does_not_fit_is_refused():
    model = model_of()
    fast = FastDecoder(model, model.table(), rows=2, positions=8)
    tokens, memory = talk(model, 1, 9, recalled=False)
    for wrong in ([], tokens):
        with pytest.raises(ValueError, match="prompt"):
            fast.prefill(0, wrong, memory)
    with pytest.raises(ValueError, match="row 1"):
        fast.step([1], [3])
    fast.prefill(0, tokens[:8], memory)
    fast.prefill(1, tokens[:7], memory)
    with pytest.raises(ValueError, match="row 0"):
        fast.step([0, 1], [3, 3])
    close(fast.step([1], tokens[7:8])[0], again(model, tokens[:8], memory))


@torch.no_grad()
def test_half_precision_is_near_single():
    model = model_of()
    tokens, memory = talk(model, 1, 10, recalled=True)
    expected = again(model, tokens, memory)
    half = model.to(torch.bfloat16)
    fast = FastDecoder(half, half.table(), rows=3)
    fast.prefill(1, tokens[:9], [tuple(x.to(torch.bfloat16) for x in part) for part in memory])
    out = fast.step([1], tokens[9:])[0]
    assert out.dtype == torch.bfloat16
    close(out.float(), expected, atol=0.15)
