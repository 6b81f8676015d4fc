"""The fast path of decoding against slow, obvious twins."""

import math

import pytest
import torch

from models.rxt.attention import MultiHeadAttention
from models.rxt.config import preset
from models.rxt.layers import NeighbourWindow
from models.rxt.model import Rxt
from models.rxt.sampler import Sampling, sample, sampler_of


@pytest.fixture
def model() -> Rxt:
    torch.manual_seed(4)
    return Rxt(preset("tiny", 30)).eval()


@torch.no_grad()
@pytest.mark.parametrize("with_recall", [False, True])
@pytest.mark.parametrize("prefill", [1, 3, 8])
def test_cached_decoding_equals_decoding_everything_again(model, with_recall, prefill):
    tokens = torch.randint(1, 90, (1, 12), generator=torch.Generator().manual_seed(prefill))
    memory = torch.randn(1, *model.start.shape)
    recalled = torch.randn(1, *model.start.shape) if with_recall else None
    table = model.table()
    projected = model.project_memory(memory, recalled)
    fast, cache = model.decode(tokens[:, :prefill], tokens[:, :prefill] != 0, table, projected, None)
    for index in range(prefill, 12):
        step, cache = model.decode(
            tokens[:, index : index + 1], tokens[:, index : index + 1] != 0, table, projected, cache
        )
        fast = torch.cat((fast, step), dim=1)
    slow = []
    for length in range(1, 13):
        fresh = model.project_memory(memory, recalled)
        out, _ = model.decode(tokens[:, :length], tokens[:, :length] != 0, table, fresh, None)
        slow.append(out[:, -1:])
    torch.testing.assert_close(fast, torch.cat(slow, dim=1), atol=1e-5, rtol=0)


@torch.no_grad()
def test_attention_equals_its_definition():
    torch.manual_seed(1)
    attention = MultiHeadAttention(8, 2)
    x, context = torch.randn(1, 3, 8), torch.randn(1, 5, 8)
    keys, values = attention.project(context)
    query, key, value = attention.query(x)[0], attention.key(context)[0], attention.value(context)[0]
    mixed = torch.zeros(3, 8)
    for head in range(2):
        part = slice(4 * head, 4 * head + 4)
        for n in range(3):
            scores = [float(query[n, part] @ key[m, part]) / 2.0 for m in range(5)]
            total = sum(math.exp(s) for s in scores)
            for m in range(5):
                mixed[n, part] += math.exp(scores[m]) / total * value[m, part]
    torch.testing.assert_close(attention(x, keys, values)[0], attention.out(mixed), atol=1e-5, rtol=0)


@torch.no_grad()
def test_window_equals_its_definition():
    torch.manual_seed(2)
    window = NeighbourWindow(4, 2, 1)
    window.weight.copy_(torch.randn(3, 4))
    x = torch.randn(1, 6, 4)
    expected = x.clone()
    for n in range(6):
        for weight, offset in zip(window.weight, (-2, -1, 1), strict=True):
            if 0 <= n + offset < 6:
                expected[0, n] += weight * x[0, n + offset]
    torch.testing.assert_close(window(x), expected, atol=1e-6, rtol=0)


@torch.no_grad()
def test_the_future_is_not_read(model):
    tokens = torch.randint(1, 90, (1, 10), generator=torch.Generator().manual_seed(9))
    projected = model.project_memory(model.start_memory(1))
    before, _ = model.decode(tokens, tokens != 0, model.table(), projected, None)
    tokens[0, 7] = 5
    after, _ = model.decode(tokens, tokens != 0, model.table(), projected, None)
    torch.testing.assert_close(before[:, :7], after[:, :7], atol=1e-6, rtol=0)
    assert (before[:, 7:] - after[:, 7:]).abs().max() > 1e-3


@torch.no_grad()
def test_memory_is_read(model):
    tokens = torch.randint(1, 90, (1, 6), generator=torch.Generator().manual_seed(9))
    one, _ = model.decode(tokens, tokens != 0, model.table(), model.project_memory(model.start_memory(1)), None)
    other = model.project_memory(torch.randn(1, *model.start.shape))
    two, _ = model.decode(tokens, tokens != 0, model.table(), other, None)
    assert (one - two).abs().max() > 1e-3


def test_sampling_follows_seed_and_temperature():
    scores = torch.tensor([0.0, 1.0, 1.1, float("-inf")])
    assert sample(scores, Sampling(), sampler_of(1)) == 2
    draws = [sample(scores, Sampling(1.0), sampler_of(seed)) for seed in range(200)]
    assert set(draws) == {0, 1, 2}
    assert draws == [sample(scores, Sampling(1.0), sampler_of(seed)) for seed in range(200)]


@pytest.mark.parametrize(
    ("sampling", "possible"),
    [
        (Sampling(1.0, top_k=1), {4}),
        (Sampling(1.0, top_k=3), {2, 3, 4}),
        (Sampling(1.0, top_k=99), {0, 1, 2, 3, 4}),
        (Sampling(1.0, top_p=0.01), {4}),
        (Sampling(1.0, top_p=0.6), {3, 4}),  # .5 and .25: the second begins below .6
        (Sampling(1.0, top_k=3, top_p=0.99), {2, 3, 4}),
        (Sampling(1e-9), {4}),
    ],
)
def test_top_k_and_top_p_narrow_the_draw(sampling, possible):
    scores = torch.tensor([0.03125, 0.09375, 0.125, 0.25, 0.5, 0.0]).log()
    assert {sample(scores, sampling, sampler_of(seed)) for seed in range(300)} == possible
