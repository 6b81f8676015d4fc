"""The generator-decoder: reads one prompt and the memory, writes one answer (paper, section 3.1).

Notable choices
* Layer: `x += SelfAttn(N1 x)`; `x += MemCross(N2 x, Nm M_l)`; `x += FFN(N3 x)`, all pre-norm.
* Memory keys and values are projected once per turn (`project_memory`); how they are read is a variant of its own
  (`models.rxt.memory_cross`).
* Two memories may be read side by side: the conversation's, and one of recalled texts, whose slots carry a learned tag.
* A decoding step carries a cache of keys, values and of the last inputs of the neighbour window.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.rxt.attention import ATTENTION, causal_mask
from models.rxt.config import RxtConfig
from models.rxt.feed_forward import FEED_FORWARD
from models.rxt.layers import NeighbourWindow, RMSNorm, rotary_table
from models.rxt.memory_cross import MEMORY_CROSS
from models.shapes import Activations, HeadActivations, Memory, MemoryLayer

KeysValues = tuple[HeadActivations, HeadActivations]


@dataclass(frozen=True, slots=True)
class DecoderCache:
    """What a decoding step needs of the steps before it; a new one is made by every step."""

    length: int  # tokens seen
    recent: Activations  # [B, <= window, D], the embedded tokens the next window reaches back to
    layers: tuple[KeysValues, ...]  # per layer, [B, H, length, K] each


class DecoderLayer(nn.Module):
    """Self-attention, memory cross-attention, feed-forward."""

    def __init__(self, config: RxtConfig) -> None:
        super().__init__()
        self.norm_attention = RMSNorm(config.width)
        self.attention = ATTENTION[config.attention](config.width, config.heads, config.kv_heads)
        self.norm_query = RMSNorm(config.width)
        self.norm_memory = RMSNorm(config.width)
        self.recall_tag = nn.Parameter(torch.zeros(config.width))
        self.memory = MEMORY_CROSS[config.memory_cross](config)
        self.norm_ffn = RMSNorm(config.width)
        self.ffn = FEED_FORWARD[config.feed_forward](config)

    def project_memory(self, memory: MemoryLayer, recalled: MemoryLayer | None) -> KeysValues:
        """Keys and values of the slots, [B, H, S or 2 S, K]."""
        slots = self.norm_memory(memory)
        if recalled is not None:
            slots = torch.cat((slots, self.norm_memory(recalled) + self.recall_tag), dim=1)
        keys: KeysValues = self.memory.project(slots)
        return keys

    def forward(
        self, x: Activations, memory: KeysValues, past: KeysValues | None, start: int
    ) -> tuple[Activations, KeysValues]:
        """`x` [B, N, D] at positions start..start+N-1, after `past`; returns also the keys and values up to here."""
        length = x.shape[1]
        table = rotary_table(length, self.attention.head_width, start, device=x.device)
        normed = self.norm_attention(x)
        keys, values = self.attention.project(normed, table)
        if past is not None:
            keys, values = torch.cat((past[0], keys), dim=2), torch.cat((past[1], values), dim=2)
        mask = causal_mask(start + length, x.device)[start:] if length > 1 else None
        x = x + self.attention(normed, keys, values, mask, table)
        x = x + self.memory(self.norm_query(x), *memory, table)
        return x + self.ffn(self.norm_ffn(x)), (keys, values)

    def reads(self, x: Activations, memory: KeysValues) -> tuple[Activations, Tensor]:
        """A whole sequence from its start: its output, and what each token read of each slot, [B, H, N, S].

        That is the attention times the length of the value: a slot that is looked at for want of anything better holds
        next to nothing (Kobayashi et al. 2020, "Attention is not only a weight").
        """
        table = rotary_table(x.shape[1], self.attention.head_width, device=x.device)
        normed = self.norm_attention(x)
        mask = causal_mask(x.shape[1], x.device)
        x = x + self.attention(normed, *self.attention.project(normed, table), mask, table)
        queries = self.norm_query(x)
        heads = self.memory.weights(queries, memory[0], table)
        lengths = memory[1].norm(dim=-1)
        lengths = lengths.repeat_interleave(heads.shape[1] // lengths.shape[1], dim=1)
        weights: Tensor = heads * lengths[:, :, None]
        x = x + self.memory(queries, *memory, table)
        return x + self.ffn(self.norm_ffn(x)), weights


class Decoder(nn.Module):
    """Embedded tokens [B, N, D] and a projected memory -> activations [B, N, D] from which the next token is read."""

    def __init__(self, config: RxtConfig) -> None:
        super().__init__()
        self.window = NeighbourWindow(config.width, config.window_before, 0)
        self.stack = tuple(DecoderLayer(config) for _ in range(config.layers))
        self.layers = nn.ModuleList(self.stack)  # registers the parameters; the tuple keeps the type
        self.norm = RMSNorm(config.width)

    def project_memory(self, memory: Memory, recalled: Memory | None = None) -> tuple[KeysValues, ...]:
        """Keys and values of every layer's slots; do this once per turn."""
        return tuple(
            layer.project_memory(memory[:, index], None if recalled is None else recalled[:, index])
            for index, layer in enumerate(self.stack)
        )

    def start(self, batch: int, width: int) -> DecoderCache:
        """An empty cache."""
        return DecoderCache(length=0, recent=self.norm.gain.new_zeros(batch, 0, width), layers=())

    def forward(
        self, embedded: Activations, memory: tuple[KeysValues, ...], cache: DecoderCache
    ) -> tuple[Tensor, DecoderCache]:
        """Continues after `cache`; returns normed activations [B, N, D] and the next cache."""
        reach = self.window.before
        seen = torch.cat((cache.recent, embedded), dim=1)
        x = self.window(seen)[:, cache.recent.shape[1] :]
        layers = []
        for index, layer in enumerate(self.stack):
            past = cache.layers[index] if cache.layers else None
            x, kept = layer(x, memory[index], past, cache.length)
            layers.append(kept)
        length = cache.length + embedded.shape[1]
        recent = seen[:, max(0, seen.shape[1] - reach) :]
        return self.norm(x), DecoderCache(length=length, recent=recent, layers=tuple(layers))

    def reads(self, embedded: Activations, memory: tuple[KeysValues, ...]) -> tuple[Tensor, ...]:
        """Per layer, what each token of a whole sequence read of each slot: [B, H, N, S], a null key last."""
        x = self.window(embedded)
        out = []
        for index, layer in enumerate(self.stack):
            x, weights = layer.reads(x, memory[index])
            out.append(weights)
        return tuple(out)
