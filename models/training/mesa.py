"""Saved activations in int8 (Mesa: Pan et al., arXiv 2111.11124), for when memory is short.

What a forward pass keeps for the backward pass (inputs of linear layers, norms, attention, gates) is kept as int8 with
one scale for each row, a quarter of the bytes. The forward pass is exact; only gradients are rounded.

Notable choices
* Autograd's own hooks for saved tensors, not a version of every layer: names, parameters and checkpoints stay as they
  are, and a new kind of layer is covered too. What several operations keep is quantised for each of them.
* Parameters and buffers are kept as they are (they live anyway), and so are small tensors and those with an infinity
  in them (masks), which rows of int8 cannot hold.
* The price: a quantisation for each saved tensor, and on a GPU a wait to see that it is finite.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

SMALLEST = 2048  # elements


@dataclass(frozen=True, slots=True)
class Rounded:
    """A tensor of `kind` as int8 values and float32 scales [..., 1] of its rows."""

    values: Tensor
    scale: Tensor
    kind: torch.dtype

    def restored(self) -> Tensor:
        """The tensor, within half a step of its row's scale."""
        return (self.values * self.scale).to(self.kind)


Kept: TypeAlias = Tensor | Rounded


def quantise(x: Tensor) -> Rounded:
    """Rounds the rows of `x`."""
    x = x.detach()
    scale = x.abs().amax(-1, keepdim=True).float().clamp_min(1e-12) / 127.0
    return Rounded(torch.round(x / scale).to(torch.int8), scale, x.dtype)


def pack_hooks(model: nn.Module) -> tuple[Callable[[Tensor], Kept], Callable[[Kept], Tensor]]:
    """What is done to a tensor that the backward pass will need, and how it is undone."""
    own = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers())}

    def pack(x: Tensor) -> Kept:
        if x.numel() < SMALLEST or not x.is_floating_point() or x.untyped_storage().data_ptr() in own:
            return x
        rounded = quantise(x)
        return rounded if bool(torch.isfinite(rounded.scale).all()) else x

    def unpack(kept: Kept) -> Tensor:
        return kept.restored() if isinstance(kept, Rounded) else kept

    return pack, unpack


def int8_activations(model: nn.Module) -> AbstractContextManager[Any]:
    """While open, whatever is computed keeps its activations as int8 for the backward pass."""
    return torch.autograd.graph.saved_tensors_hooks(*pack_hooks(model))
