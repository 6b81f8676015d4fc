"""What is asked of an index, and what it answers.

Notable choices:

* `now` is handed in: "yesterday" and what has expired are counted from it, and an index reads no clock.
* A score is a sum, and `Hit.signals` are its parts: what an answer is explained with is what it was ranked by.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from memos.recall.filters import Filter
from memos.recall.items import Item


@dataclass(frozen=True, slots=True)
class Asked:
    """`vector`: float32 [d] of unit norm, by the index's model, of what `RecallIndex.to_embed` makes of the text (names
    are cut, and half of what meaning finds depends on it); None: then words alone decide. `threshold`: no hit
    has a lower score. `history`: what was replaced and what is over is asked for too."""

    text: str
    vector: NDArray[np.float32] | None = None
    top_k: int = 10
    threshold: float | None = None
    filters: Filter | None = None
    now: float = 0.0
    history: bool = False
    explain: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """`rank` counts from 1. `score`: larger is better; as measured on conversations, most answers have 0.5 to 1, and
    the best of what does not answer has 0.45; 0 is a memory like any other. Those of different questions compare
    roughly. `signals`: the parts of the score by name, empty unless asked for; they add up to it."""

    item: Item
    score: float
    rank: int
    signals: Mapping[str, float] = field(default_factory=dict)
