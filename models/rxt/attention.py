"""Attention of a query sequence over a key sequence, one class per variant, found by name in `ATTENTION`.

Notable choices
* Keys and values are projected by a call of their own (`project`), because memory is projected once per turn and a
  decoding step must not do it again (paper, section 3.1).
* Variants differ in how many heads queries, keys and values have; nothing else may differ. A head is D / H wide in all
  of them, so one rotary table serves every variant.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.rxt.layers import rotate
from models.shapes import Activations, HeadActivations

Table = tuple[Tensor, Tensor]


class Heads(nn.Module):
    """The four projections of an attention, and the shapes between them; G key-value heads serve H query heads."""

    def __init__(self, width: int, query_heads: int, kv_heads: int, head_width: int) -> None:
        super().__init__()
        if query_heads < 1 or kv_heads < 1 or query_heads % kv_heads:
            raise ValueError(f"{query_heads} query heads cannot share {kv_heads} key-value heads")
        self.query_heads = query_heads
        self.kv_heads = kv_heads
        self.head_width = head_width
        self.query = nn.Linear(width, query_heads * head_width, bias=False)
        self.key = nn.Linear(width, kv_heads * head_width, bias=False)
        self.value = nn.Linear(width, kv_heads * head_width, bias=False)
        self.out = nn.Linear(query_heads * head_width, width, bias=False)

    def split(self, x: Tensor) -> HeadActivations:
        """[B, N, H * K] -> [B, H, N, K]; H may be that of queries or of keys."""
        batch, length, width = x.shape
        return x.view(batch, length, width // self.head_width, self.head_width).transpose(1, 2)

    def join(self, mixed: HeadActivations) -> Activations:
        """[B, H, N, K] -> [B, N, D], through the output projection."""
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out

    def spread(self, x: HeadActivations) -> HeadActivations:
        """Keys or values [B, G, N, K], repeated for the query heads that share them: [B, H, N, K]."""
        shared = self.query_heads // self.kv_heads
        return x if shared == 1 else x.repeat_interleave(shared, dim=1)

    def queries(self, x: Activations, table: Table | None = None) -> HeadActivations:
        """[B, H, N, K], rotated when a table is given."""
        queries = self.split(self.query(x))
        return queries if table is None else rotate(queries, table)

    def project(self, x: Activations, table: Table | None = None) -> tuple[HeadActivations, HeadActivations]:
        """Keys (rotated when a table is given) and values of `x`, each [B, G, N, K]."""
        keys = self.split(self.key(x))
        return (keys if table is None else rotate(keys, table)), self.split(self.value(x))

    def scores(self, queries: HeadActivations, keys: HeadActivations) -> Tensor:
        """Scaled products [B, H, N, M] of queries [B, H, N, K] and keys [B, G, M, K]."""
        scores: Tensor = (queries @ self.spread(keys).transpose(-1, -2)) * self.head_width**-0.5
        return scores


class Attention(Heads):
    """What all variants do with their heads."""

    def forward(
        self,
        x: Activations,
        keys: HeadActivations,
        values: HeadActivations,
        mask: Tensor | None = None,
        table: Table | None = None,
    ) -> Activations:
        """Attends from `x` [B, N, D] to projected keys and values. `mask` is True where a key may be read."""
        queries = self.queries(x, table)
        return self.join(F.scaled_dot_product_attention(queries, self.spread(keys), self.spread(values), mask))


class MultiHeadAttention(Attention):
    """H query heads, each with keys and values of its own."""

    def __init__(self, width: int, heads: int, kv_heads: int | None = None) -> None:
        if kv_heads not in (None, heads):
            raise ValueError(f"multi-head attention has as many key-value heads as heads ({heads}), not {kv_heads}")
        super().__init__(width, heads, heads, width // heads)


class GroupedQueryAttention(Attention):
    """H query heads; each of G key-value heads serves H / G of them (Ainslie et al., arXiv 2305.13245)."""

    def __init__(self, width: int, heads: int, kv_heads: int | None = None) -> None:
        if kv_heads is None:
            raise ValueError("grouped-query attention needs kv_heads")
        super().__init__(width, heads, kv_heads, width // heads)


class SparseQueryAttention(Attention):
    """H / 2 query heads on H / 2 key-value heads, or fewer of those: half the scores (arXiv 2510.01817)."""

    def __init__(self, width: int, heads: int, kv_heads: int | None = None) -> None:
        super().__init__(width, heads // 2, kv_heads or heads // 2, width // heads)


ATTENTION: dict[str, type[MultiHeadAttention | GroupedQueryAttention | SparseQueryAttention]] = {
    "mha": MultiHeadAttention,
    "gqa": GroupedQueryAttention,
    "sqa": SparseQueryAttention,
}


def causal_mask(length: int, device: torch.device | None = None) -> Tensor:
    """bool [length, length], True where a query may read a key that is not after it."""
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()
