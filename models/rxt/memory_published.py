"""The published memory attentions (paper, section 3.3): slots read the interaction, some after reading each other.

    U   = Attn(q = N M_l, kv = N ED_l)      M'_l = R(M_l, U)        simple
    A   = Attn(q = N M_l, kv = X)           M~_l = R(M_l, A)        before it, in the others, M~ then stands for M

    X = N M_l (self), N mean_l M (interlayer), N mean of l's group (grouped)
    X = R(N M_l, N mean_l M) (gated self), R(N mean_l M, N M_l) (gated interlayer)

Notable choices
* RoPE on the keys of ED only: tokens have an order, which restarts each turn; slots have none.
* N is one norm per layer for whatever comes from memory; the two attentions and all gates have weights of their own.
* Gated self keeps the layer's own and lets the mean in; gated interlayer keeps the mean and lets the layer's own in.
  The published names do not say which of the two is "old", so there are both.
"""

import torch
from torch import Tensor

from models.rxt.attention import MultiHeadAttention
from models.rxt.config import RxtConfig
from models.rxt.gates import GATES
from models.rxt.layers import rotary_table
from models.rxt.memory_writer import KeysValues, LayerWriter
from models.shapes import Activations, HeadActivations, MemoryLayer, TokenMask


class SimpleLayer(LayerWriter):
    """Slots read the interaction, and nothing else."""

    def tokens(self, encoded: Activations) -> KeysValues:
        """Keys and values [B, H, N, K]; keys rotated by their position in the interaction."""
        table = rotary_table(encoded.shape[1], self.head_width, device=encoded.device)
        return self.project(self.norm_encoded(encoded), table)

    def write(
        self, memory: MemoryLayer, beside: MemoryLayer, keys: HeadActivations, values: HeadActivations, mask: TokenMask
    ) -> tuple[MemoryLayer, Tensor, Tensor]:
        """As `LayerWriter.write`; `beside` is not looked at."""
        query = self.norm_memory(memory)
        scores = self.scores(self.queries(query), keys).masked_fill(~mask[:, None, None, :], float("-inf"))
        attention = torch.softmax(scores, dim=-1)
        new = self.join(attention @ values)
        gate = self.gate(query, memory, new)
        return self.gate.mix(memory, new, gate), gate, attention.mean(1)


class AttendingLayer(SimpleLayer):
    """Slots first read what is beside them: their own layer, the mean of all, or of a group, as the writer shows it."""

    def __init__(self, config: RxtConfig) -> None:
        super().__init__(config)
        self.slots = MultiHeadAttention(config.width, config.memory_heads)
        self.slots_gate = GATES[config.gate](config)

    def source(self, own: MemoryLayer, beside: MemoryLayer) -> MemoryLayer:
        """X [B, S, D], of the layer's own slots and those beside it, both normed."""
        return beside

    def write(
        self, memory: MemoryLayer, beside: MemoryLayer, keys: HeadActivations, values: HeadActivations, mask: TokenMask
    ) -> tuple[MemoryLayer, Tensor, Tensor]:
        """As `LayerWriter.write`; gate and attention are those of the interaction."""
        query = self.norm_memory(memory)
        read = self.slots(query, *self.slots.project(self.source(query, self.norm_memory(beside))))
        between = self.slots_gate.mix(memory, read, self.slots_gate(query, memory, read))
        return super().write(between, beside, keys, values, mask)


class GatedSelfLayer(AttendingLayer):
    """Slots read their own layer, into which a gate lets the mean of all layers."""

    def __init__(self, config: RxtConfig) -> None:
        super().__init__(config)
        self.source_gate = GATES[config.gate](config)

    def source(self, own: MemoryLayer, beside: MemoryLayer) -> MemoryLayer:
        """`R(own, beside)`."""
        return self.source_gate.mix(own, beside, self.source_gate(own, own, beside))


class GatedInterlayerLayer(AttendingLayer):
    """Slots read the mean of all layers, into which a gate lets their own."""

    def __init__(self, config: RxtConfig) -> None:
        super().__init__(config)
        self.source_gate = GATES[config.gate](config)

    def source(self, own: MemoryLayer, beside: MemoryLayer) -> MemoryLayer:
        """`R(beside, own)`."""
        return self.source_gate.mix(beside, own, self.source_gate(own, beside, own))
