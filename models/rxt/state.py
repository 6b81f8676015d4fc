"""The state of one conversation, a value: short-term memory and the lexicon that spells it.

Notable choices
* Frozen, and never written to in place: a state can be kept, forked and used by several threads.
* Health is a few numbers per step: cheap to keep, and they tell when a memory goes wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.shapes import Memory
from models.text.lexicon import Lexicon

COLLAPSED = 0.1  # slot diversity


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """`memory` is float32 [L, S, D]; `lexicon` has the words and casings this conversation brought along."""

    memory: Tensor
    lexicon: Lexicon


def health_of(parent: Memory, memory: Memory, start: Memory, gates: Sequence[Tensor]) -> dict[str, float]:
    """What a step did, from memories [L, S, D] and the gates [L, S] of its writes.

    slot_diversity     1 - mean cosine of two slots of a layer: 0 when all slots are equal, near 1 when unrelated
    gate_mean          mean of the gates that were applied: 0 when nothing was written
    gate_max           the most any slot was replaced
    drift              |new - old| / |old|, over the whole memory
    distance_to_start  |new - start| / |start|
    collapsed          1 when the slots of some layer hold nearly the same (diversity below .1), else 0: an alarm
    """
    unit = torch.nn.functional.normalize(memory, dim=-1)
    slots = memory.shape[1]
    cosines = (unit @ unit.transpose(1, 2)).sum((1, 2)) - slots
    diversity = 1.0 - cosines / max(1, slots * (slots - 1))
    applied = torch.stack(list(gates)) if gates else memory.new_zeros(1)
    return {
        "slot_diversity": float(diversity.mean()),
        "gate_mean": float(applied.mean()),
        "gate_max": float(applied.max()),
        "drift": float((memory - parent).norm() / parent.norm().clamp_min(1e-12)),
        "distance_to_start": float((memory - start).norm() / start.norm().clamp_min(1e-12)),
        "collapsed": float(bool((diversity < COLLAPSED).any())),
    }
