"""Memory attention: one interaction's encoding is written into the slots of one layer (paper, section 3.3).

Notable choices
* A null key with a positive bias at the start: a slot that finds nothing of interest leaves its content alone. The gate
  is multiplied by the attention mass that did not go to the null key.
* A learned embedding per slot is added to the queries, so that slots specialise and never merge.
* No rotary positions on the encoded keys, which the paper has: the two wide heads match content by near-identity
  projections, and the neighbour window has already told each token about its surroundings.
* Keys and values of many turns are projected in one call; only the queries depend on the memory.
"""

import torch
from torch import Tensor, nn

from models.rxt.config import RxtConfig
from models.rxt.gates import GATES
from models.rxt.layers import RMSNorm, near_identity_
from models.shapes import Activations, Gate, HeadActivations, Mass, MemoryLayer, TokenMask


class MemoryAttention(nn.Module):
    """Writes one layer: `M' = (1 - G) M + G U`, with U read from the interaction and G bounded by the mass read."""

    def __init__(self, config: RxtConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.memory_heads
        self.norm_memory = RMSNorm(width)
        self.norm_encoded = RMSNorm(width)
        self.slot = nn.Parameter(torch.randn(config.slots, width) * 0.5)
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.null_key = nn.Parameter(torch.zeros(self.heads, width // self.heads))
        self.null_bias = nn.Parameter(torch.full((self.heads,), 2.0))
        self.gate = GATES[config.gate](width)
        for linear, identity, noise in (
            (self.query, 1.0, 0.3),
            (self.key, 1.0, 0.3),
            (self.value, 0.5, 0.3),
            (self.out, 0.5, 0.3),
        ):
            near_identity_(linear.weight, identity, noise)

    def _split(self, x: Tensor) -> HeadActivations:
        batch, length, width = x.shape
        return x.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

    def project(self, encoded: Activations) -> tuple[HeadActivations, HeadActivations]:
        """Keys and values [B, H, N, K] of an encoded interaction [B, N, D]."""
        x = self.norm_encoded(encoded)
        return self._split(self.key(x)), self._split(self.value(x))

    def read(
        self, memory: MemoryLayer, keys: HeadActivations, values: HeadActivations, mask: TokenMask
    ) -> tuple[MemoryLayer, MemoryLayer, Mass]:
        """Queries [B, S, D], the value each slot read [B, S, D], and the mass it did not give to the null key."""
        batch, slots, width = memory.shape
        query = self.norm_memory(memory) + self.slot
        heads = self._split(self.query(query))
        scale = (width // self.heads) ** -0.5
        scores = (heads @ keys.transpose(-1, -2)) * scale
        scores = scores.masked_fill(~mask[:, None, None, :], float("-inf"))
        null = (heads * self.null_key[None, :, None]).sum(-1, keepdim=True) * scale + self.null_bias[:, None, None]
        attention = torch.softmax(torch.cat((scores, null), dim=-1), dim=-1)
        mass = (1.0 - attention[..., -1:]).clamp_min(1e-6)
        mixed = (attention[..., :-1] @ values) / mass
        new = self.out(mixed.transpose(1, 2).reshape(batch, slots, width))
        return query, new, mass.mean(1)

    def forward(
        self, memory: MemoryLayer, keys: HeadActivations, values: HeadActivations, mask: TokenMask
    ) -> tuple[MemoryLayer, Gate]:
        """The updated layer [B, S, D], and the gate that was applied. A fully masked interaction changes nothing."""
        query, new, mass = self.read(memory, keys, values, mask)
        gate = self.gate(query, memory, new) * mass
        present = mask.any(dim=1)[:, None, None]
        gate = torch.where(present, gate, torch.zeros_like(gate))
        return memory + gate * (new - memory), gate
