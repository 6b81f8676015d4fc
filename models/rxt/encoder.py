"""The memory encoder: reads a whole interaction, query and answer, in both directions (paper, section 3.2).

Notable choices
* It does not see the memory, so all turns of a training dialogue are encoded in one batch.
* The output of every layer is kept: layer l is what memory layer l is written from.
"""

import torch
from torch import nn

from models.rxt.attention import ATTENTION
from models.rxt.config import RxtConfig
from models.rxt.feed_forward import SwiGLU
from models.rxt.layers import NeighbourWindow, RMSNorm, rotary_table
from models.shapes import Activations, EncodedLayers, TokenMask


class EncoderLayer(nn.Module):
    """Pre-norm: `x += SelfAttn(N x)`; `x += FFN(N x)`."""

    def __init__(self, config: RxtConfig) -> None:
        super().__init__()
        self.norm_attention = RMSNorm(config.width)
        self.attention = ATTENTION[config.attention](config.width, config.heads, config.kv_heads)
        self.norm_ffn = RMSNorm(config.width)
        self.ffn = SwiGLU(config.width, config.ffn)

    def forward(self, x: Activations, mask: TokenMask) -> Activations:
        table = rotary_table(x.shape[1], self.attention.head_width, device=x.device)
        normed = self.norm_attention(x)
        keys, values = self.attention.project(normed, table)
        x = x + self.attention(normed, keys, values, mask[:, None, None, :], table)
        out: Activations = x + self.ffn(self.norm_ffn(x))
        return out


class Encoder(nn.Module):
    """Embedded interaction [B, N, D] -> the output of every layer [B, L, N, D]."""

    def __init__(self, config: RxtConfig) -> None:
        super().__init__()
        self.window = NeighbourWindow(config.width, config.window_before, config.window_after)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.layers))

    def forward(self, embedded: Activations, mask: TokenMask) -> EncodedLayers:
        """`embedded` must be zero where `mask` is False. A row without any token gives finite, meaningless output."""
        safe = mask | ~mask.any(dim=1, keepdim=True)  # softmax over nothing is NaN: let an empty row read its padding
        x = self.window(embedded)
        outputs = []
        for layer in self.layers:
            x = layer(x, safe)
            outputs.append(x)
        return torch.stack(outputs, dim=1)
