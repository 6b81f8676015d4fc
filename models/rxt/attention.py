"""Attention of a query sequence over a key sequence, one class per variant, found by name in `ATTENTION`.

Notable choices
* Keys and values are projected by a call of their own (`project`), because memory is projected once per turn and a
  decoding step must not do it again (paper, section 3.1).
* Variants differ in how many heads queries, keys and values have; nothing else may differ.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.rxt.layers import rotate
from models.shapes import Activations, HeadActivations


class MultiHeadAttention(nn.Module):
    """Multi-head attention. `width` must be a multiple of `heads`."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def split(self, x: Activations) -> HeadActivations:
        """[B, N, D] -> [B, H, N, K]."""
        batch, length, width = x.shape
        return x.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

    def project(
        self, x: Activations, table: tuple[Tensor, Tensor] | None = None
    ) -> tuple[HeadActivations, HeadActivations]:
        """Keys (rotated when a table is given) and values of `x`, each [B, H, N, K]."""
        keys = self.split(self.key(x))
        return (keys if table is None else rotate(keys, table)), self.split(self.value(x))

    def forward(
        self,
        x: Activations,
        keys: HeadActivations,
        values: HeadActivations,
        mask: Tensor | None = None,
        table: tuple[Tensor, Tensor] | None = None,
    ) -> Activations:
        """Attends from `x` [B, N, D] to projected keys and values. `mask` is True where a key may be read."""
        queries = self.split(self.query(x))
        if table is not None:
            queries = rotate(queries, table)
        mixed = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
        batch, length, width = x.shape
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return out


ATTENTION: dict[str, type[MultiHeadAttention]] = {"mha": MultiHeadAttention}


def causal_mask(length: int) -> Tensor:
    """bool [length, length], True where a query may read a key that is not after it."""
    return torch.ones(length, length, dtype=torch.bool).tril()
