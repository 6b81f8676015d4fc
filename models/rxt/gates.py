"""Residual gates: how much of a new value a memory slot takes (paper, section 3.4), found by name in `GATES`.

A gate says how far it opens (`forward`), and how old and new are then put together (`mix`):

    none       old + new; values double each turn
    sigmoid    G new + (1 - G) old
    tanh       (1 + G) new + (1 - G) old

Notable choices
* The published gates have one number per slot: static `act(g)`; elementwise `act(g mean(old + new))`, the mean over
  channels; linear `act(W m + b)`, m the means of all slots of the layer. Where the paper leaves it open we start at
  g = 0 and b = 0, so sigmoid gates start half open and tanh gates at `old + new`.
* A static gate of .5 makes all slots of a layer equal within a few turns. The released model's gate ("query_new") looks
  at the slot's query and at the value on offer, per channel, so a slot can refuse what is not its business.
* `mix` takes a share: memory attention with a null key has only that much of a change to make.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from models.rxt.config import RxtConfig
from models.shapes import Gate, Mass, MemoryLayer


class ResidualGate(nn.Module, ABC):
    """What all gates do; a gate is [B, S, D] or [B, S, 1]."""

    @abstractmethod
    def forward(self, query: MemoryLayer, old: MemoryLayer, new: MemoryLayer) -> Gate:
        """How far the gate opens for slots [B, S, D] and the value on offer; `query` is what the slot asked with."""

    @abstractmethod
    def mix(self, old: MemoryLayer, new: MemoryLayer, gate: Gate, share: Mass | float = 1.0) -> MemoryLayer:
        """The slots afterwards; `share` [B, S, 1] of the change is made, none of it at 0."""


class NoGate(ResidualGate):
    """Adds."""

    def forward(self, query: MemoryLayer, old: MemoryLayer, new: MemoryLayer) -> Gate:
        return torch.ones_like(new[..., :1])

    def mix(self, old: MemoryLayer, new: MemoryLayer, gate: Gate, share: Mass | float = 1.0) -> MemoryLayer:
        return old + gate * share * new


class ConvexGate(ResidualGate):
    """Lies between keeping (0) and taking (1); a subclass says how."""

    def mix(self, old: MemoryLayer, new: MemoryLayer, gate: Gate, share: Mass | float = 1.0) -> MemoryLayer:
        return old + gate * share * (new - old)


class QueryNewGate(ConvexGate):
    """`G = sigmoid(W [query; new] + b)`, per slot and channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * width, width)
        nn.init.normal_(self.linear.weight, std=0.5 / width**0.5)
        nn.init.zeros_(self.linear.bias)

    def forward(self, query: MemoryLayer, old: MemoryLayer, new: MemoryLayer) -> Gate:
        return torch.sigmoid(self.linear(torch.cat((query, new), dim=-1)))


class StaticLevel(nn.Module):
    """`g`, whatever is said."""

    def __init__(self, slots: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(slots))

    def forward(self, old: MemoryLayer, new: MemoryLayer) -> Tensor:
        """[B, S, 1]."""
        return self.weight[None, :, None].expand(old.shape[0], -1, -1)


class ElementwiseLevel(nn.Module):
    """`g mean(old + new)`, each slot by itself."""

    def __init__(self, slots: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(slots))

    def forward(self, old: MemoryLayer, new: MemoryLayer) -> Tensor:
        """[B, S, 1]."""
        return self.weight[:, None] * (old + new).mean(-1, keepdim=True)


class LinearLevel(nn.Module):
    """`W m + b`, m the means of `old + new` of all slots of the layer."""

    def __init__(self, slots: int) -> None:
        super().__init__()
        self.linear = nn.Linear(slots, slots)
        nn.init.normal_(self.linear.weight, std=0.5 / slots**0.5)
        nn.init.zeros_(self.linear.bias)

    def forward(self, old: MemoryLayer, new: MemoryLayer) -> Tensor:
        """[B, S, 1]."""
        out: Tensor = self.linear((old + new).mean(-1))[..., None]
        return out


class SigmoidGate(ConvexGate):
    """`G = sigmoid(level)`."""

    def __init__(self, level: nn.Module) -> None:
        super().__init__()
        self.level = level

    def forward(self, query: MemoryLayer, old: MemoryLayer, new: MemoryLayer) -> Gate:
        return torch.sigmoid(self.level(old, new))


class TanhGate(ResidualGate):
    """`G = tanh(level)`: weighs the new against the old, whose weights always add up to 2."""

    def __init__(self, level: nn.Module) -> None:
        super().__init__()
        self.level = level

    def forward(self, query: MemoryLayer, old: MemoryLayer, new: MemoryLayer) -> Gate:
        return torch.tanh(self.level(old, new))

    def mix(self, old: MemoryLayer, new: MemoryLayer, gate: Gate, share: Mass | float = 1.0) -> MemoryLayer:
        return old + share * ((1.0 + gate) * new - gate * old)


GATES: dict[str, Callable[[RxtConfig], ResidualGate]] = {
    "none": lambda config: NoGate(),
    "sigmoid_static": lambda config: SigmoidGate(StaticLevel(config.slots)),
    "sigmoid_elementwise": lambda config: SigmoidGate(ElementwiseLevel(config.slots)),
    "sigmoid_linear": lambda config: SigmoidGate(LinearLevel(config.slots)),
    "tanh_static": lambda config: TanhGate(StaticLevel(config.slots)),
    "tanh_elementwise": lambda config: TanhGate(ElementwiseLevel(config.slots)),
    "tanh_linear": lambda config: TanhGate(LinearLevel(config.slots)),
    "query_new": lambda config: QueryNewGate(config.width),
}
