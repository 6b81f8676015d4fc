"""What an index of vectors can do. A row is a number that the caller chose: small, never negative, and his to give
again once he removed it. Vectors are float32 of length one, so that their product is their cosine.

One thread writes, any number read meanwhile: a reader sees a row as it was or as it is. An index refuses vectors of
another dimension; it knows nothing of texts, scopes or users, and a mask is the only filter.
"""

from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Vector: TypeAlias = NDArray[np.float32]  # [d]
Vectors: TypeAlias = NDArray[np.float32]  # [n, d]
Rows: TypeAlias = NDArray[np.int64]  # [n]
Scores: TypeAlias = NDArray[np.float32]  # [n]
Mask: TypeAlias = NDArray[np.bool_]  # [at least the greatest row + 1]; what it does not reach is not allowed


class VectorIndex(Protocol):
    """An index of the registry (`memos.recall.vectors.registry`)."""

    @property
    def dimensions(self) -> int: ...

    @property
    def size_bytes(self) -> int:
        """What it holds in memory."""
        ...

    def __len__(self) -> int:
        """How many rows have a vector."""
        ...

    def put(self, rows: Rows, vectors: Vectors) -> None:
        """Sets the vectors of these rows, each named once. Raises ValueError for another shape."""
        ...

    def remove(self, rows: Rows) -> None:
        """Of rows that it holds or not. From its return on none of them is found."""
        ...

    def nearest(self, vector: Vector, most: int, allowed: Mask | None = None) -> tuple[Rows, Scores]:
        """At most `most` rows of those allowed, the best first (equal scores: the smaller row first), with cosines."""
        ...

    def scores(self, vector: Vector, rows: Rows) -> Scores:
        """Exact cosines of these rows, in their order; 0 for one without a vector."""
        ...

    def spread(self, vector: Vector) -> tuple[float, float]:
        """Mean and standard deviation of all cosines, from a sample where there are many; (0, 0) when empty."""
        ...

    def compact(self) -> None:
        """Rebuilds what was made from removed vectors: of those no byte is left."""
        ...
