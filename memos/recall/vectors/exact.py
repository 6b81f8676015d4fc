"""Every vector is compared. Up to `SMALL` rows all products are made and sorted; above, FAISS scans the same matrix in
place and keeps only the best.

A removed row is overwritten with zeros at once, so there is never anything of it left to compact. The matrix grows by
half into a new one, which a reader in the middle of the old one does not notice.

Products are FAISS's and not NumPy's: those go to BLAS, which from some hundred rows on wakes a thread for every core,
and with requests beside each other these spend more time waiting for each other than computing.
"""

import faiss
import numpy as np

from memos.recall.vectors.port import Mask, Rows, Scores, Vector, Vectors

SMALL = 2_000  # rows
SAMPLE = 2_048  # rows whose cosines stand for all
LEAST_ROWS = 64


class ExactIndex:
    """The reference: what every other index is measured against."""

    def __init__(self, dimensions: int) -> None:
        if dimensions < 1:
            raise ValueError("a vector has at least one dimension")
        self._dimensions = dimensions
        self._matrix = np.zeros((0, dimensions), np.float32)
        self._held = np.zeros(0, np.bool_)
        self._end = 0  # rows from here on were never held
        self._count = 0
        self._sample: Vectors | None = None

    @property
    def dimensions(self) -> int:
        return self._dimensions

    @property
    def size_bytes(self) -> int:
        sample = self._sample
        return self._matrix.nbytes + self._held.nbytes + (0 if sample is None else sample.nbytes)

    def __len__(self) -> int:
        return self._count

    def put(self, rows: Rows, vectors: Vectors) -> None:
        vectors = checked(rows, vectors, self._dimensions)
        if not len(rows):
            return
        end = int(rows.max()) + 1
        if end > len(self._held):
            self._grow(end)
        self._matrix[rows] = vectors
        self._count += int(len(rows) - np.count_nonzero(self._held[rows]))
        self._held[rows] = True
        self._end = max(self._end, end)
        self._sample = None

    def remove(self, rows: Rows) -> None:
        rows = rows[(rows >= 0) & (rows < self._end)]
        rows = np.unique(rows[self._held[rows]])
        if not len(rows):
            return
        self._held[rows] = False
        self._matrix[rows] = 0
        self._count -= len(rows)
        self._sample = None

    def nearest(self, vector: Vector, most: int, allowed: Mask | None = None) -> tuple[Rows, Scores]:
        vector = asked(vector, self._dimensions)
        end = self._end
        may = self.may(end, allowed)
        if most <= 0 or not end:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        if end > SMALL:
            return self._scanned(vector, most, may)
        scores = products(self._matrix[:end], vector)
        rows = np.flatnonzero(may)
        return best(rows, scores[rows], most)

    def scores(self, vector: Vector, rows: Rows) -> Scores:
        scores = np.zeros(len(rows), np.float32)
        here = np.flatnonzero((rows >= 0) & (rows < self._end))
        scores[here] = products(self._matrix[rows[here]], vector)
        return scores

    def spread(self, vector: Vector) -> tuple[float, float]:
        if (sample := self._sample) is None:
            self._sample = sample = self._sampled()
        if not len(sample):
            return 0.0, 0.0
        scores = products(sample, vector)
        return float(scores.mean()), float(scores.std())

    def compact(self) -> None:
        """Nothing is made from its vectors that outlives them."""

    def may(self, end: int, allowed: Mask | None) -> Mask:
        """Which of the first `end` rows may be found."""
        held = self._held[:end]
        if allowed is None:
            return held
        within = allowed[:end]
        return held & within if len(within) == end else held & np.pad(within, (0, end - len(within)))

    @property
    def end(self) -> int:
        """Rows from here on were never held."""
        return self._end

    def holds(self, rows: Rows) -> Mask:
        """Which of these rows have a vector; none of them is beyond `end`."""
        return self._held[rows]

    def vectors(self, rows: Rows) -> Vectors:
        """A copy of the vectors of rows that are held."""
        return self._matrix[rows]

    def held_rows(self) -> Rows:
        return np.flatnonzero(self._held[: self._end])

    def _scanned(self, vector: Vector, most: int, may: Mask) -> tuple[Rows, Scores]:
        end, most = len(may), min(most, int(np.count_nonzero(may)))
        rows, scores = np.empty(most, np.int64), np.empty(most, np.float32)
        if not most:
            return rows, scores
        matrix = self._matrix  # held here: a writer may replace it
        bits = np.packbits(may, bitorder="little")
        selector = faiss.IDSelectorBitmap(end, faiss.swig_ptr(bits))
        faiss.knn_inner_product(
            faiss.swig_ptr(vector),
            faiss.swig_ptr(matrix),
            self._dimensions,
            1,
            end,
            most,
            faiss.swig_ptr(scores),
            faiss.swig_ptr(rows),
            selector,
        )
        return ordered(rows, scores)

    def _sampled(self) -> Vectors:
        rows = self.held_rows()
        if len(rows) > SAMPLE:
            rows = rows[np.linspace(0, len(rows) - 1, SAMPLE).astype(np.int64)]
        return self._matrix[rows]

    def _grow(self, end: int) -> None:
        capacity = max(LEAST_ROWS, end, len(self._held) * 3 // 2)
        matrix = np.zeros((capacity, self._dimensions), np.float32)
        held = np.zeros(capacity, np.bool_)
        matrix[: self._end], held[: self._end] = self._matrix[: self._end], self._held[: self._end]
        self._matrix, self._held = matrix, held


def checked(rows: Rows, vectors: Vectors, dimensions: int) -> Vectors:
    """As float32 in one piece. Raises ValueError."""
    if vectors.shape != (len(rows), dimensions):
        raise ValueError(f"expected {len(rows)} vectors of {dimensions} dimensions, got {vectors.shape}")
    if len(rows) and int(rows.min()) < 0:
        raise ValueError("a row is never negative")
    return np.ascontiguousarray(vectors, np.float32)


def asked(vector: Vector, dimensions: int) -> Vector:
    """As float32 in one piece. Raises ValueError."""
    if vector.shape != (dimensions,):
        raise ValueError(f"expected one vector of {dimensions} dimensions, got {vector.shape}")
    return np.ascontiguousarray(vector, np.float32)


def products(matrix: Vectors, vector: Vector) -> Scores:
    """[n, d] by [d], on one thread. Raises ValueError for another shape."""
    matrix = np.ascontiguousarray(matrix, np.float32)
    vector = asked(vector, matrix.shape[1])
    found = np.empty(len(matrix), np.float32)
    faiss.fvec_inner_products_ny(  # type: ignore[attr-defined] # missing in its stubs
        faiss.swig_ptr(found), faiss.swig_ptr(vector), faiss.swig_ptr(matrix), len(vector), len(matrix)
    )
    return found


def best(rows: Rows, scores: Scores, most: int) -> tuple[Rows, Scores]:
    """The `most` best, in order."""
    if most < len(rows):
        kept = np.argpartition(scores, len(rows) - most)[len(rows) - most :]
        rows, scores = rows[kept], scores[kept]
    return ordered(rows, scores)


def ordered(rows: Rows, scores: Scores) -> tuple[Rows, Scores]:
    order = np.lexsort((rows, -scores))
    return rows[order], scores[order]
