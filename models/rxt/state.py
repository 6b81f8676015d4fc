"""The state of one conversation, a value: short-term memory and the lexicon that spells it.

Notable choices
* Frozen, and never written to in place: a state can be kept, forked and used by several threads.
* Health is measured between two states, so it needs no access to what the model did between them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.text.lexicon import Lexicon


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """`memory` is float32 [L, S, D]; `lexicon` has the words and casings this conversation brought along."""

    memory: Tensor
    lexicon: Lexicon


def health_of(parent: Tensor, memory: Tensor, start: Tensor) -> dict[str, float]:
    """What a write did, from memories [L, S, D].

    slot_diversity     1 - mean cosine of two slots of a layer: 0 when all slots are equal, near 1 when unrelated
    gate_mean          mean over slots of |new - old| / (|new| + |old|): how far the gates opened, 0 when shut
    drift              |new - old| / |old|, over the whole memory
    distance_to_start  |new - start| / |start|
    """
    unit = torch.nn.functional.normalize(memory, dim=-1)
    slots = memory.shape[1]
    cosines = (unit @ unit.transpose(1, 2)).sum((1, 2)) - slots
    diversity = 1.0 - (cosines / max(1, slots * (slots - 1))).mean()
    change = (memory - parent).norm(dim=-1)
    opened = change / (memory.norm(dim=-1) + parent.norm(dim=-1)).clamp_min(1e-12)
    return {
        "slot_diversity": float(diversity),
        "gate_mean": float(opened.mean()),
        "drift": float((memory - parent).norm() / parent.norm().clamp_min(1e-12)),
        "distance_to_start": float((memory - start).norm() / start.norm().clamp_min(1e-12)),
    }
