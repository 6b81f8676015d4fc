"""Residual gates: how much of a new value a memory slot takes (paper, section 3.4), found by name in `GATES`.

Notable choices
* A static gate of .5 makes all slots of a layer equal within a few turns. The released model's gate looks at the slot's
  query and at the value on offer, so a slot can refuse what is not its business.
"""

import torch
from torch import nn

from models.shapes import Gate, MemoryLayer


class QueryNewGate(nn.Module):
    """`G = sigmoid(W [query; new] + b)`, per slot and channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * width, width)
        nn.init.normal_(self.linear.weight, std=0.5 / width**0.5)
        nn.init.zeros_(self.linear.bias)

    def forward(self, query: MemoryLayer, old: MemoryLayer, new: MemoryLayer) -> Gate:
        return torch.sigmoid(self.linear(torch.cat((query, new), dim=-1)))


GATES: dict[str, type[QueryNewGate]] = {"query_new": QueryNewGate}
