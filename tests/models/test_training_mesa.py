"""Mesa: the same answers, nearly the same gradients, far fewer bytes kept for the backward pass."""

import random

import torch
from torch import nn
from torch.nn import functional as F

from models.rxt.config import preset
from models.rxt.model import Rxt
from models.training.batch import draw_batch, loss_of
from models.training.conversations.compile import build_language
from models.training.conversations.dialogue import Plan
from models.training.mesa import MesaLinear, quantise, use_mesa


class Block(nn.Module):
    """Projections of one input, as attention has them, and two layers after it."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(64, 64) for _ in range(3))
        self.up, self.down = nn.Linear(64, 128, bias=False), nn.Linear(128, 64, bias=False)

    def forward(self, x):
        return self.down(self.up(self.query(x) + self.key(x) + self.value(x)))


def kept_bytes(model: nn.Module, make_loss) -> int:
    """Bytes of the activations that autograd keeps, each storage once; parameters do not count."""
    owned = {p.untyped_storage().data_ptr() for p in model.parameters()}
    seen = {}

    def pack(tensor):
        if tensor.untyped_storage().data_ptr() not in owned:
            seen[tensor.untyped_storage().data_ptr()] = (tensor.untyped_storage().nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        make_loss().backward()
    return sum(size for size, _ in seen.values())


def gradient(model: nn.Module, make_loss) -> torch.Tensor:
    model.zero_grad()
    make_loss().backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def test_rows_are_rounded_by_at_most_half_a_step():
    x = torch.randn(3, 5, 16) * torch.tensor([0.01, 1.0, 100.0])[:, None, None]
    values, scale = quantise(x)
    assert values.dtype == torch.int8
    assert ((values * scale - x).abs() <= scale * 0.5001).all()


def test_linear_layers_keep_less_than_half_and_learn_the_same():
    torch.manual_seed(0)
    plain = Block()
    x = torch.randn(8, 50, 64, requires_grad=True)
    target = torch.randn(8, 50, 64)
    base = nn.Linear(64, 64)

    def loss(model):
        return lambda: (model(base(x).tanh() * 1.0) * target).sum()

    exact, before = gradient(plain, loss(plain)), kept_bytes(plain, loss(plain))
    value = float(loss(plain)().detach())
    assert use_mesa(plain) == 5
    assert isinstance(plain.query, MesaLinear)
    assert float(loss(plain)().detach()) == value
    rounded, after = gradient(plain, loss(plain)), kept_bytes(plain, loss(plain))
    assert F.cosine_similarity(exact, rounded, dim=0) > 0.999
    outside = kept_bytes(nn.Identity(), lambda: (base(x).tanh() * 1.0 * target).sum())
    assert (after - outside) < 0.5 * (before - outside), (before, after, outside)


def test_query_key_and_value_share_one_copy():
    plain = Block()
    use_mesa(plain)
    x = torch.randn(4, 10, 64, requires_grad=True)
    layers = [m for m in plain.modules() if isinstance(m, MesaLinear)]
    first, second = layers[0].mesa.of(x), layers[1].mesa.of(x)
    assert first[0] is second[0]
    assert layers[2].mesa.of(x + 1.0)[0] is not first[0]


def test_a_whole_model_trains_alike():
    language = build_language()
    torch.manual_seed(0)
    model = Rxt(preset("tiny", len(language.tokenizer)))
    batch = draw_batch(language, random.Random(0), Plan(3, 2, 2), 4, model.config.rows)
    names = sorted(model.state_dict())

    def loss():
        return loss_of(model, batch)

    exact, value, before = gradient(model, loss), float(loss().detach()), kept_bytes(model, loss)
    use_mesa(model)
    assert sorted(model.state_dict()) == names
    assert float(loss().detach()) == value
    assert F.cosine_similarity(exact, gradient(model, loss), dim=0) > 0.99
    assert kept_bytes(model, loss) < before
