"""Saved activations in int8 (Mesa: Pan et al., arXiv 2111.11124), for when memory is short.

A linear layer keeps its input for the backward pass; here it keeps int8 with one scale for each row (token), a
quarter of the bytes. The forward pass is exact; only the gradients of the weights are rounded.

Notable choices
* Query, key and value projections read one and the same tensor, which plain autograd keeps once. So the last quantised
  input is shared: layers that read it again keep the same int8 tensor.
* Only linear layers: norms, attention and gates keep what they keep. How much a whole model saves is measured in
  `tests/models/test_training_mesa.py`.
"""

import weakref
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def quantise(x: Tensor) -> tuple[Tensor, Tensor]:
    """int8 values and float32 scales [..., 1] of the rows of `x`."""
    scale = x.detach().abs().amax(-1, keepdim=True).float().clamp_min(1e-12) / 127.0
    return torch.round(x.detach() / scale).to(torch.int8), scale


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, values: Tensor, scale: Tensor) -> Tensor:
        ctx.save_for_backward(weight, values, scale)
        ctx.biased = bias is not None
        ctx.kind = x.dtype
        return F.linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        weight, values, scale = ctx.saved_tensors
        rows = grad.flatten(0, -2)
        x = (values * scale).to(grad.dtype).flatten(0, -2)
        to_input = (grad @ weight.to(grad.dtype)).to(ctx.kind) if ctx.needs_input_grad[0] else None
        to_weight = (rows.T @ x).to(weight.dtype) if ctx.needs_input_grad[1] else None
        to_bias = rows.sum(0).to(weight.dtype) if ctx.biased else None
        return to_input, to_weight, to_bias, None, None


class Mesa:
    """Quantises the inputs of the layers that share it, each tensor once."""

    def __init__(self) -> None:
        self._last: weakref.ref[Tensor] | None = None
        self._kept: tuple[Tensor, Tensor] | None = None

    def of(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Values and scales of `x`, those made last if they are of this very tensor."""
        if self._kept is None or self._last is None or self._last() is not x:
            self._last, self._kept = weakref.ref(x), quantise(x)
        return self._kept


class MesaLinear(nn.Linear):
    """`nn.Linear` that keeps its input as int8 for the backward pass. Shares the parameters of `linear`."""

    def __init__(self, linear: nn.Linear, mesa: Mesa) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias
        self.mesa = mesa

    def forward(self, x: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return F.linear(x, self.weight, self.bias)
        out: Tensor = _Linear.apply(x, self.weight, self.bias, *self.mesa.of(x))  # type: ignore[no-untyped-call]
        return out


def use_mesa(model: nn.Module) -> int:
    """Replaces every linear layer of `model`, in place; names and parameters stay. Returns how many there were."""
    mesa, count = Mesa(), 0
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Linear:
                setattr(module, name, MesaLinear(child, mesa))
                count += 1
    return count
