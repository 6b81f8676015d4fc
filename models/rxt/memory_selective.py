"""The shipped memory attention, "selective": slots that find nothing of interest keep their content.

Notable choices, all of them beyond the paper
* A null key with a positive bias at the start: a slot that finds nothing of interest leaves its content alone. The gate
  is multiplied by the attention mass that did not go to the null key.
* A learned embedding per slot is added to the queries, so that slots specialise and never merge.
* No rotary positions on the encoded keys, which the paper has: the two wide heads match content by near-identity
  projections, and the neighbour window has already told each token about its surroundings.
"""

import torch
from torch import Tensor, nn

from models.rxt.config import RxtConfig
from models.rxt.layers import near_identity_
from models.rxt.memory_writer import KeysValues, LayerWriter
from models.shapes import Activations, HeadActivations, Mass, MemoryLayer, TokenMask


class SelectiveLayer(LayerWriter):
    """`M' = R(M, U)`, U read from the interaction, and only the share of the change that U's mass allows."""

    def __init__(self, config: RxtConfig) -> None:
        super().__init__(config)
        self.slot = nn.Parameter(torch.randn(config.slots, config.width) * 0.5)
        self.null_key = nn.Parameter(torch.zeros(self.query_heads, self.head_width))
        self.null_bias = nn.Parameter(torch.full((self.query_heads,), 2.0))
        near_identity_(self.query.weight, 1.0, 0.3)
        near_identity_(self.key.weight, 1.0, 0.3)
        near_identity_(self.value.weight, 0.5, 0.3)
        near_identity_(self.out.weight, 0.5, 0.3)

    def tokens(self, encoded: Activations) -> KeysValues:
        """Keys and values [B, H, N, K]; not rotated."""
        return self.project(self.norm_encoded(encoded))

    def read(
        self, query: MemoryLayer, keys: HeadActivations, values: HeadActivations, mask: TokenMask
    ) -> tuple[MemoryLayer, Mass, Tensor]:
        """The value each slot read [B, S, D], the mass it did not give to the null key, the attention [B, S, N]."""
        heads = self.queries(query)
        scores = self.scores(heads, keys).masked_fill(~mask[:, None, None, :], float("-inf"))
        null = (heads * self.null_key[None, :, None]).sum(-1, keepdim=True) * self.head_width**-0.5
        null = null + self.null_bias[:, None, None]
        attention = torch.softmax(torch.cat((scores, null), dim=-1), dim=-1)
        mass = (1.0 - attention[..., -1:]).clamp_min(1e-6)
        found = attention[..., :-1]
        return self.join((found @ values) / mass), mass.mean(1), found.mean(1)

    def write(
        self, memory: MemoryLayer, beside: MemoryLayer, keys: HeadActivations, values: HeadActivations, mask: TokenMask
    ) -> tuple[MemoryLayer, Tensor, Tensor]:
        """As `LayerWriter.write`; `beside` is not looked at. The gate includes the mass."""
        query = self.norm_memory(memory) + self.slot
        new, mass, attention = self.read(query, keys, values, mask)
        gate = self.gate(query, memory, new)
        return self.gate.mix(memory, new, gate, mass), gate * mass, attention
