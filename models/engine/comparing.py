"""Two memories beside each other: how far apart they are, slot by slot; and two that came from one, as one again.

Notable choices
* Distances are between memories as numbers, whatever they are stored as: a codec is undone before one comes here.
* Averaging is the cheap way to merge and not the one that keeps facts: a slot both sides wrote ends between the two.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.shapes import Memory

_LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class TensorChange:
    """Euclidean norms: of the difference, and of the tensor before and after."""

    name: str
    norm: float
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class SlotDrift:
    """`norm` is |after - before| of one slot, `drift` that against |before|."""

    layer: int
    slot: int
    norm: float
    drift: float


@dataclass(frozen=True, slots=True)
class Difference:
    """What changed most first; slots that did not move are left out."""

    tensors: tuple[TensorChange, ...]
    slots: tuple[SlotDrift, ...]


def difference(before: Memory, after: Memory) -> Difference:
    """Between two memories [L, S, D]; one tensor for each layer."""
    with torch.inference_mode():
        moved = (after - before).norm(dim=-1)
        were = before.norm(dim=-1)
        layers = [
            TensorChange(f"memory.{n}", *(float(t[n].norm()) for t in (after - before, before, after)))
            for n in range(before.shape[0])
        ]
    slots = [
        SlotDrift(layer, slot, norm, norm / max(float(were[layer, slot]), _LEAST))
        for layer, row in enumerate(moved.tolist())
        for slot, norm in enumerate(row)
        if norm > 0.0
    ]
    layers.sort(key=lambda tensor: (-tensor.norm, tensor.name))
    slots.sort(key=lambda slot: (-slot.norm, slot.layer, slot.slot))
    return Difference(tuple(layers), tuple(slots))


def averaged(base: Memory, ours: Memory, theirs: Memory) -> Tensor:
    """The mean of two memories [L, S, D], each slot weighted by how far it drifted from `base`; a slot that neither
    touched is as it was, and one that only one of them touched is that one's."""
    with torch.inference_mode():
        our, their = (ours - base).norm(dim=-1), (theirs - base).norm(dim=-1)
        total = our + their
        weight = torch.where(total > 0, our / total.clamp_min(_LEAST), torch.ones_like(total))[..., None]
        return torch.where(weight == 1, ours, torch.where(weight == 0, theirs, weight * ours + (1 - weight) * theirs))
