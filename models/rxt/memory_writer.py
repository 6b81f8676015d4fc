"""What every memory attention has in common: one writer over all layers of the memory (paper, section 3.3).

Notable choices
* Keys and values of many turns are projected in one call (`project`); only queries depend on the memory.
* Whatever a layer sees of other layers is the OLD memory: the order of the layers does not matter.
* That an interaction without tokens changes nothing is held here, for all variants and gates.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.rxt.attention import Heads
from models.rxt.config import RxtConfig
from models.rxt.gates import GATES
from models.rxt.layers import RMSNorm
from models.shapes import Activations, EncodedLayers, HeadActivations, Memory, MemoryLayer, TokenMask

KeysValues = tuple[HeadActivations, HeadActivations]


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """One update of B memories by one interaction of N tokens each."""

    memory: Memory  # [B, L, S, D]
    gate: Tensor  # [B, L, S], mean over channels of what was applied; 0 where nothing was said
    attention: Tensor  # [B, L, S, N], what each slot read of each token, mean over heads; 0 where nothing was said


class LayerWriter(Heads, ABC):
    """Writes one layer; a subclass says how."""

    def __init__(self, config: RxtConfig) -> None:
        heads = config.memory_heads
        super().__init__(config.width, heads, heads, config.width // heads)
        self.norm_memory = RMSNorm(config.width)
        self.norm_encoded = RMSNorm(config.width)
        self.gate = GATES[config.gate](config)

    @abstractmethod
    def tokens(self, encoded: Activations) -> KeysValues:
        """Keys and values [B, H, N, K] of an encoded interaction [B, N, D]."""

    @abstractmethod
    def write(
        self, memory: MemoryLayer, beside: MemoryLayer, keys: HeadActivations, values: HeadActivations, mask: TokenMask
    ) -> tuple[MemoryLayer, Tensor, Tensor]:
        """The updated layer [B, S, D], the gate that was applied [B, S, D] or [B, S, 1], and the attention [B, S, N].

        `beside` [B, S, D] is what the writer shows of other layers. `mask` has a token in every row.
        """


class MemoryWriter(nn.ModuleList):
    """One `LayerWriter` per layer, each of which sees its own layer only."""

    def __init__(self, layers: Sequence[LayerWriter]) -> None:
        super().__init__(layers)
        self.stack = tuple(layers)  # the tuple keeps the type

    def beside(self, memory: Memory) -> Memory:
        """What each layer sees besides its queries, [B, L, S, D], not normed yet."""
        return memory

    def project(self, encoded: EncodedLayers) -> tuple[KeysValues, ...]:
        """Per layer, keys and values [B, H, N, K] of encoded interactions [B, L, N, D]."""
        return tuple(layer.tokens(encoded[:, index]) for index, layer in enumerate(self.stack))

    def forward(self, memory: Memory, projected: Sequence[KeysValues], mask: TokenMask) -> Written:
        """Writes projected interactions into memories [B, L, S, D]; rows of `mask` [B, N] without a token change
        nothing."""
        present = mask.any(dim=1)
        safe = mask | ~present[:, None]  # softmax over nothing is NaN: let an empty row read its padding
        beside = self.beside(memory)
        parts = [
            layer.write(memory[:, index], beside[:, index], *projected[index], safe)
            for index, layer in enumerate(self.stack)
        ]
        new = torch.stack([part[0] for part in parts], dim=1)
        gate = torch.stack([part[1].mean(-1) for part in parts], dim=1)
        attention = torch.stack([part[2] for part in parts], dim=1)
        here = present[:, None, None]
        return Written(
            memory=torch.where(here[..., None], new, memory),
            gate=gate.masked_fill(~here, 0.0),
            attention=attention.masked_fill(~here[..., None], 0.0),
        )


class InterlayerWriter(MemoryWriter):
    """Every layer sees the mean of all layers."""

    def beside(self, memory: Memory) -> Memory:
        """[B, L, S, D], the same for every layer."""
        return memory.mean(1, keepdim=True).expand_as(memory)


class GroupWriter(MemoryWriter):
    """Every layer sees the mean of its group of neighbouring layers."""

    def __init__(self, layers: Sequence[LayerWriter], groups: int) -> None:
        super().__init__(layers)
        self.groups = groups

    def beside(self, memory: Memory) -> Memory:
        """[B, L, S, D], the same for every layer of a group."""
        batch, _, slots, width = memory.shape
        parts = memory.reshape(batch, self.groups, -1, slots, width)
        return parts.mean(2, keepdim=True).expand_as(parts).reshape(memory.shape)
