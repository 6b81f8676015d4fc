"""The decoder's attention to memory slots, found by name in `MEMORY_CROSS` (paper, section 3.1).

Keys and values are projected once per turn from slots which the decoder layer has normed; a decoding step only makes
queries. `weights` are those that a call applies, so whoever asks which slots were read gets the truth.

Notable choices
* "content", the shipped one: two wide near-identity heads that match by content, nothing rotated, and a null key of
  zero value, so that a token which needs no memory reads none. The null key is appended by `project`, as the last key.
* "plain": the same without a null key.
* "rotary", the paper's: heads as in self-attention, only queries rotated, as slots have no order.
"""

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.rxt.attention import ATTENTION, Heads, Table
from models.rxt.config import RxtConfig
from models.rxt.layers import near_identity_
from models.shapes import Activations, HeadActivations, MemoryLayer


class MemoryCross(Protocol):
    """What every variant can do."""

    def project(self, slots: MemoryLayer) -> tuple[HeadActivations, HeadActivations]:
        """Keys and values of normed slots [B, S, D], each [B, G, S, K], or S + 1 where there is a null key (last)."""
        ...

    def weights(self, x: Activations, keys: HeadActivations, table: Table | None = None) -> Tensor:
        """How much of each slot `x` [B, N, D] reads: [B, H, N, S], or S + 1 where there is a null key (last)."""
        ...

    def __call__(
        self, x: Activations, keys: HeadActivations, values: HeadActivations, table: Table | None = None
    ) -> Activations:
        """What `x` [B, N, D] reads, [B, N, D]. `table` has the rotary positions of `x`; some variants have no use for
        it."""
        ...


class PlainCross(Heads):
    """Matches by content; everything that is read is read from slots."""

    def __init__(self, config: RxtConfig) -> None:
        heads = config.memory_heads
        super().__init__(config.width, heads, heads, config.width // heads)
        near_identity_(self.query.weight, 1.0, 0.3)
        near_identity_(self.key.weight, 1.0, 0.3)
        near_identity_(self.value.weight, 0.5, 0.3)
        near_identity_(self.out.weight, 0.5, 0.3)

    def weights(self, x: Activations, keys: HeadActivations, table: Table | None = None) -> Tensor:
        """[B, H, N, S]; not rotated."""
        return torch.softmax(self.scores(self.queries(x), keys), dim=-1)

    def forward(
        self, x: Activations, keys: HeadActivations, values: HeadActivations, table: Table | None = None
    ) -> Activations:
        return self.join(F.scaled_dot_product_attention(self.queries(x), keys, values))


class ContentCross(PlainCross):
    """Matches by content; attention that goes to the null key reads nothing."""

    def __init__(self, config: RxtConfig) -> None:
        super().__init__(config)
        self.null_key = nn.Parameter(torch.zeros(self.kv_heads, self.head_width))
        self.null_bias = nn.Parameter(torch.zeros(self.kv_heads))

    def project(self, x: MemoryLayer, table: Table | None = None) -> tuple[HeadActivations, HeadActivations]:
        """Keys and values [B, H, S + 1, K]; the last is the null key, with a value of zero."""
        keys, values = super().project(x, table)
        null = self.null_key[None, :, None].expand(len(keys), -1, -1, -1).to(keys.dtype)
        return torch.cat((keys, null), dim=2), torch.cat((values, torch.zeros_like(null)), dim=2)

    def weights(self, x: Activations, keys: HeadActivations, table: Table | None = None) -> Tensor:
        """[B, H, N, S + 1]; not rotated."""
        scores = self.scores(self.queries(x), keys)
        null = scores[..., -1:] + self.null_bias[:, None, None]
        return torch.softmax(torch.cat((scores[..., :-1], null), dim=-1), dim=-1)

    def forward(
        self, x: Activations, keys: HeadActivations, values: HeadActivations, table: Table | None = None
    ) -> Activations:
        return self.join(self.weights(x, keys) @ values)


class RotaryCross(nn.Module):
    """The paper's: the config's own attention, queries rotated, keys not."""

    def __init__(self, config: RxtConfig) -> None:
        super().__init__()
        self.attention = ATTENTION[config.attention](config.width, config.heads, config.kv_heads)

    def project(self, slots: MemoryLayer) -> tuple[HeadActivations, HeadActivations]:
        """Keys and values [B, G, S, K]."""
        return self.attention.project(slots)

    def weights(self, x: Activations, keys: HeadActivations, table: Table | None = None) -> Tensor:
        """[B, H, N, S], H the query heads of the attention."""
        return torch.softmax(self.attention.scores(self.attention.queries(x, table), keys), dim=-1)

    def forward(
        self, x: Activations, keys: HeadActivations, values: HeadActivations, table: Table | None = None
    ) -> Activations:
        out: Tensor = self.attention(x, keys, values, None, table)
        return out


MEMORY_CROSS: dict[str, type[PlainCross | ContentCross | RotaryCross]] = {
    "content": ContentCross,
    "plain": PlainCross,
    "rotary": RotaryCross,
}
