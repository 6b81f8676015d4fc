"""How near memories are to a question in meaning, wherever their vectors are: in the index of this process, or with
someone who was asked before (a database that compares them).
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from memos.recall.vectors.port import Mask, Rows, Vector, VectorIndex
from memos.recall.view import View

# What a scope of few memories is taken to be like, counted as so many memories more.
PRIOR, PRIOR_MEAN, PRIOR_DEVIATION = 20.0, 0.1, 0.12
Deviations = NDArray[np.float64]


class Nearest(Protocol):
    """What a database found: cosines by version of the nearest, mean and standard deviation of all."""

    @property
    def cosines(self) -> Mapping[str, float]: ...

    @property
    def mean(self) -> float: ...

    @property
    def deviation(self) -> float: ...


class Meaning(Protocol):
    def nearest(self, most: int, allowed: Mask) -> Rows:
        """At most `most` of the allowed rows."""
        ...

    def deviations(self, rows: Rows) -> Deviations:
        """How many deviations nearer than the mean; 0 for a row without a vector."""
        ...


def meaning_of(view: View, vectors: VectorIndex, vector: Vector | None, found: Nearest | None) -> Meaning:
    if found is not None:
        return _Found(view, found)
    return Nothing() if vector is None or not len(vectors) else _Own(view, vectors, vector)


class Nothing:
    """The question has no vector."""

    def nearest(self, most: int, allowed: Mask) -> Rows:
        return np.empty(0, np.int64)

    def deviations(self, rows: Rows) -> Deviations:
        return np.zeros(len(rows))


class _Own:
    def __init__(self, view: View, vectors: VectorIndex, vector: Vector) -> None:
        self._view, self._vectors, self._vector = view, vectors, vector
        self._mean, self._deviation = _settled(len(vectors), *vectors.spread(vector))

    def nearest(self, most: int, allowed: Mask) -> Rows:
        return self._vectors.nearest(self._vector, most, allowed)[0]

    def deviations(self, rows: Rows) -> Deviations:
        cosines = self._vectors.scores(self._vector, rows)
        return np.where(self._view.columns.vectored[rows], (cosines - self._mean) / self._deviation, 0.0)


class _Found:
    def __init__(self, view: View, found: Nearest) -> None:
        self._view, self._found = view, found
        self._mean, self._deviation = _settled(view.count, found.mean, found.deviation)

    def nearest(self, most: int, allowed: Mask) -> Rows:
        rows = [self._view.by_version.get(version, self._view.end) for version in self._found.cosines]
        found = np.array([row for row in rows if row < self._view.end], np.int64)
        return found[allowed[found]][:most]

    def deviations(self, rows: Rows) -> Deviations:
        items = [self._view.items[row] for row in rows.tolist()]
        held = self._found.cosines
        cosines = np.array([np.nan if item is None else held.get(item.version_id, np.nan) for item in items])
        return np.nan_to_num((cosines - self._mean) / self._deviation, nan=0.0)


def _settled(count: int, mean: float, deviation: float) -> tuple[float, float]:
    """Of few memories neither mean nor deviation says much: they are drawn towards what is usual."""
    share = count / (count + PRIOR)
    variance = share * deviation**2 + (1 - share) * PRIOR_DEVIATION**2
    return share * mean + (1 - share) * PRIOR_MEAN, max(float(np.sqrt(variance)), 1e-6)
