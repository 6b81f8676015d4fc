"""Vectors that are held elsewhere: whoever searches is told what was found there (`memos.recall.vectors.pgvector`)."""

import numpy as np

from memos.recall.vectors.exact import asked, checked
from memos.recall.vectors.port import Mask, Rows, Scores, Vector, Vectors


class ElsewhereIndex:
    """Takes vectors of its dimensions, keeps none and finds none."""

    size_bytes = 0

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions

    def __len__(self) -> int:
        return 0

    def put(self, rows: Rows, vectors: Vectors) -> None:
        checked(rows, vectors, self.dimensions)

    def remove(self, rows: Rows) -> None:
        """It has none."""

    def nearest(self, vector: Vector, most: int, allowed: Mask | None = None) -> tuple[Rows, Scores]:
        asked(vector, self.dimensions)
        return np.empty(0, np.int64), np.empty(0, np.float32)

    def scores(self, vector: Vector, rows: Rows) -> Scores:
        return np.zeros(len(rows), np.float32)

    def spread(self, vector: Vector) -> tuple[float, float]:
        return 0.0, 0.0

    def compact(self) -> None:
        """There is nothing."""
