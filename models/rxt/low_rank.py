"""Low-rank deltas of the decoder's linear maps (Hu et al. 2021, arXiv 2106.09685): `y = W x + U (V x)`.

Notable choices
* The maps are those in which knowledge was found to settle: the queries and outputs of memory cross-attention, and both
  maps of a dense feed-forward block. Of a mixture of experts only the former.
* Weights are never written to. A trainer puts `Adapted` maps into a copy of the model; whoever wants a plain module
  with the delta in its weights gets a copy as well (`folded`).
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import TypeAlias

import torch
from torch import Tensor, nn

from models.rxt.attention import Heads
from models.rxt.decoder import Decoder
from models.rxt.feed_forward import SwiGLU
from models.rxt.memory_cross import RotaryCross

Factors: TypeAlias = Mapping[str, tuple[Tensor, Tensor]]  # by map: V [r, I] and U [O, r]


class Adapted(nn.Module):
    """A linear map that is left alone, and a low-rank one beside it that is zero until it is trained."""

    def __init__(self, base: nn.Linear, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        self.base = base
        first = torch.randn(rank, base.in_features, generator=generator) * base.in_features**-0.5
        self.down = nn.Parameter(first)
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.base(x) + (x @ self.down.T) @ self.up.T
        return out


def maps_of(decoder: Decoder) -> dict[str, nn.Linear]:
    """The maps that a delta may have factors for, by name: "0.ffn.up" is of layer 0."""
    found: dict[str, nn.Linear] = {}
    for index, layer in enumerate(decoder.stack):
        for part, module, name in _places(layer):
            linear = getattr(module, name)
            if isinstance(linear, nn.Linear):
                found[f"{index}.{part}.{name}"] = linear
    return found


def adapt(decoder: Decoder, rank: int, generator: torch.Generator) -> dict[str, Adapted]:
    """Puts an `Adapted` in the place of every map of `decoder`, which must be the caller's own copy."""
    out: dict[str, Adapted] = {}
    for index, layer in enumerate(decoder.stack):
        for part, module, name in _places(layer):
            made = Adapted(getattr(module, name), rank, generator)
            setattr(module, name, made)
            out[f"{index}.{part}.{name}"] = made
    return out


def folded(decoder: Decoder, deltas: list[Factors]) -> Decoder:
    """A copy with the deltas in its weights."""
    copy = deepcopy(decoder)
    maps = maps_of(copy)
    with torch.no_grad():
        for factors in deltas:
            for name, (down, up) in factors.items():
                maps[name].weight += (up @ down).to(maps[name].weight)
    return copy


def _places(layer: nn.Module) -> list[tuple[str, nn.Module, str]]:
    """Part, the module that holds the map, and the map's name there."""
    cross = layer.memory.attention if isinstance(layer.memory, RotaryCross) else layer.memory
    assert isinstance(cross, Heads)
    places: list[tuple[str, nn.Module, str]] = [("memory", cross, "query"), ("memory", cross, "out")]
    if isinstance(layer.ffn, SwiGLU):
        places += [("ffn", layer.ffn, "up"), ("ffn", layer.ffn, "down")]
    return places
