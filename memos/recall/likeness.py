"""Which texts say nearly the same words: a few numbers for each, equal as often as their words overlap (MinHash).

Notable choices:

* Of the stems, in any order and however often: case, punctuation and words without content make no difference.
* Two texts are near-identical if all but one of the numbers agree, which is to say about nine words in ten. "Ada lives
  in Rome" and "Ada lives in Paris" are not.
"""

import numpy as np
from numpy.typing import NDArray

from memos.recall.words import Hashes

NUMBERS = 12
ENOUGH = 11  # of them are equal where texts are near-identical
_FACTORS = np.random.default_rng(20260117).integers(1, 2**63, NUMBERS, dtype=np.uint64) | np.uint64(1)
Likeness = NDArray[np.uint32]  # [n, NUMBERS]


def likeness(line: Hashes, lengths: NDArray[np.int32]) -> Likeness:
    """Of texts whose stems lie behind each other. A text without words is like no other."""
    made = np.zeros((len(lengths), NUMBERS), np.uint32)
    filled = lengths > 0
    if filled.any():
        starts = (np.cumsum(lengths) - lengths)[filled]
        words = line.view(np.uint64)
        for number, factor in enumerate(_FACTORS):
            made[filled, number] = np.minimum.reduceat((words * factor) >> np.uint64(33), starts).astype(np.uint32)
    return made


def repeats(of: Likeness) -> NDArray[np.int64]:
    """Of texts in their order: how many of those before it each one repeats, int64 [n]."""
    by_number = np.ascontiguousarray(of.T)
    alike = np.equal(by_number[:, :, None], by_number[:, None, :]).sum(axis=0)
    alike[~np.any(of, axis=1)] = 0
    return np.asarray(np.tril(alike >= ENOUGH, -1).sum(axis=1), np.int64)
