"""Feed-forward blocks of the decoder, found by name in `FEED_FORWARD`; the encoder always has the dense one.

Notable choices
* Experts are dense blocks of their own, and no expert has a limit on its tokens: what a token gets does not depend on
  who else is in the batch.
* The balance loss of the routers is collected from outside (`router_losses`), by hooks, so that a forward pass keeps
  nothing in the model. Its weight (.01 in the paper) is the trainer's business.
* Tokens are sorted by expert and each expert runs once. How many it got must be known on the host: on a GPU this waits
  for the router, once per layer and call.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.rxt.config import RxtConfig
from models.shapes import Activations


class SwiGLU(nn.Module):
    """Gated feed-forward block, D -> F -> D."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.up = nn.Linear(width, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Activations) -> Activations:
        gate, value = self.up(x).chunk(2, dim=-1)
        out: Tensor = self.down(F.silu(gate) * value)
        return out


class MixtureOfExperts(nn.Module):
    """Every token goes to the `active` experts its router scores highest, weighted by a softmax over those alone."""

    def __init__(self, width: int, hidden: int, experts: int, active: int) -> None:
        super().__init__()
        self.active = active
        self.router = nn.Linear(width, experts, bias=False)
        self.experts = nn.ModuleList(SwiGLU(width, hidden) for _ in range(experts))

    def forward(self, x: Activations) -> Activations:
        tokens = x.reshape(-1, x.shape[-1])
        best, chosen = self.router(tokens).topk(self.active, dim=-1)  # [B * N, active] each
        order = chosen.flatten().argsort(stable=True)
        counts = torch.bincount(chosen.flatten(), minlength=len(self.experts)).tolist()
        parts = torch.split(tokens[order // self.active], counts)
        done = [expert(part) for expert, part in zip(self.experts, parts, strict=True) if len(part)]
        # Back into the tokens' order: nothing is added up in an order that could vary.
        results = torch.cat(done)[order.argsort()].view(len(tokens), self.active, -1)
        return (torch.softmax(best, dim=-1)[..., None] * results).sum(1).view_as(x)


def balance_loss(scores: Tensor, active: int) -> Tensor:
    """`E sum_e f_e p_e` of router scores [..., E]: share of choices times mean probability (Switch, arXiv 2101.03961).

    1 when tokens are spread evenly, up to E when one expert gets all. Padding counts as tokens do.
    """
    experts = scores.shape[-1]
    flat = scores.reshape(-1, experts)
    chosen = flat.topk(active, dim=-1).indices.flatten()
    share = torch.bincount(chosen, minlength=experts) / max(1, len(chosen))
    return experts * (share * torch.softmax(flat, dim=-1).mean(0)).sum()


@contextmanager
def router_losses(model: nn.Module) -> Iterator[list[Tensor]]:
    """While open, collects one balance loss of every call of every router in `model`; an empty list without routers."""
    losses: list[Tensor] = []

    def collect(active: int, module: nn.Module, args: tuple[Tensor, ...], scores: Tensor) -> None:
        losses.append(balance_loss(scores, active))

    blocks = [m for m in model.modules() if isinstance(m, MixtureOfExperts)]
    handles = [block.router.register_forward_hook(partial(collect, block.active)) for block in blocks]
    try:
        yield losses
    finally:
        for handle in handles:
            handle.remove()


def _dense(config: RxtConfig) -> nn.Module:
    return SwiGLU(config.width, config.ffn)


def _experts(config: RxtConfig) -> nn.Module:
    return MixtureOfExperts(config.width, config.ffn, config.experts, config.experts_active)


FEED_FORWARD: dict[str, Callable[[RxtConfig], nn.Module]] = {"swiglu": _dense, "moe": _experts}
