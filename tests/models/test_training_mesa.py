"""Mesa: the same answers, nearly the same gradients, far fewer bytes kept for the backward pass."""

import random
from dataclasses import replace

import torch
from torch.nn import functional as F

from models.rxt.config import RxtConfig
from models.rxt.model import Rxt
from models.training.ablation import BASE
from models.training.batch import loss_of
from models.training.mesa import Rounded, pack_hooks, quantise
from models.training.recipe import RECIPES
from models.training.toy import Toy, toy_tokenizer
from models.training.train import Arguments, Run


def measured(make_loss, model, hooks) -> tuple[int, torch.Tensor, float]:
    """Bytes that the backward pass needs, each storage once and parameters apart; the gradient; the loss."""
    own = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers())}
    pack, unpack = hooks
    kept: dict[int, tuple[int, torch.Tensor]] = {}

    def counted(x):
        out = pack(x)
        for part in (out.values, out.scale) if isinstance(out, Rounded) else (out,):
            storage = part.untyped_storage()
            if storage.data_ptr() not in own:
                kept[storage.data_ptr()] = (storage.nbytes(), part)  # the part is held, so no address comes twice
        return out

    model.zero_grad()
    with torch.autograd.graph.saved_tensors_hooks(counted, unpack):
        loss = make_loss()
    loss.backward()
    gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    return sum(size for size, _ in kept.values()), gradient, float(loss.detach())


AS_THEY_ARE = (lambda x: x, lambda x: x)


def test_rows_are_rounded_by_at_most_half_a_step():
    x = torch.randn(3, 5, 16) * torch.tensor([0.01, 1.0, 100.0])[:, None, None]
    rounded = quantise(x)
    assert rounded.values.dtype == torch.int8
    assert ((rounded.restored() - x).abs() <= rounded.scale * 0.5001).all()


def test_what_int8_cannot_hold_is_kept_as_it_is():
    pack, unpack = pack_hooks(torch.nn.Linear(2, 2))
    mask = torch.zeros(64, 64).masked_fill(torch.ones(64, 64, dtype=torch.bool).triu(1), float("-inf"))
    for tensor in (mask, torch.randn(3, 3), torch.arange(4096)):
        assert torch.equal(unpack(pack(tensor)), tensor)
    assert isinstance(pack(torch.randn(64, 64)), Rounded)


def test_linear_layers_keep_about_a_quarter():
    torch.manual_seed(0)
    layers = torch.nn.Sequential(*(torch.nn.Linear(64, 64) for _ in range(4)))
    x, target = torch.randn(8, 50, 64), torch.randn(8, 50, 64)
    before, exact, _ = measured(lambda: (layers(x) * target).sum(), layers, AS_THEY_ARE)
    after, rounded, _ = measured(lambda: (layers(x) * target).sum(), layers, pack_hooks(layers))
    assert after < 0.3 * before, (before, after)
    assert F.cosine_similarity(exact, rounded, dim=0) > 0.99


def test_a_whole_model_keeps_less_than_half_and_learns_the_same():
    words = toy_tokenizer()
    torch.manual_seed(0)
    model = Rxt(RxtConfig(words=len(words), **BASE))
    batch = Toy(turns=4, facts=3).draw(words, random.Random(0), 16, model.config.rows)
    before, exact, value = measured(lambda: loss_of(model, batch), model, AS_THEY_ARE)
    after, rounded, same = measured(lambda: loss_of(model, batch), model, pack_hooks(model))
    assert same == value
    assert F.cosine_similarity(exact, rounded, dim=0) > 0.99
    assert not torch.equal(exact, rounded)
    assert after < 0.5 * before, (before, after)


def test_a_run_with_mesa_has_the_losses_of_one_without_at_first():
    recipe = replace(RECIPES["tiny"], dialogues=8)
    runs = [Run(Arguments(preset="tiny", recipe="tiny", mesa=mesa), recipe) for mesa in (False, True)]
    first, second = ([run.advance() for _ in range(2)] for run in runs)
    assert first[0] == second[0]
    assert 0.0 < abs(first[1] - second[1]) < 0.05
