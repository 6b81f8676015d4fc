"""A graph of near neighbours (HNSW, in FAISS) over vectors of eight bits a component. What it finds are candidates:
whoever asks compares them again with the exact vectors, so that the eight bits cost a quarter of the memory and the
result nothing.

A place in the graph is given once. What is taken out stays in it as a stepping stone that is never an answer, until the
graph is made anew; so a graph can say how much of it is dead. It is as thread-safe as its lock: its user's.
"""

from typing import Any

import faiss
import numpy as np

from memos.recall.vectors.port import Mask, Rows, Vector, Vectors

LINKS = 32
BUILD_BREADTH = 100
LEAST_BREADTH = 256  # of a search: with it 0.99 and more of the fifty nearest are found
MOST_WIDENED = 8
_LINK_BYTES = 4 * 2 * LINKS + 4 * LINKS // (LINKS - 1) + 24  # of one place: its links on all levels, and bookkeeping


class Graph:
    """`sample`: vectors [n, d] that the ranges of the eight bits are learned from."""

    def __init__(self, sample: Vectors) -> None:
        # FAISS's stubs are wrong about this one, and lack the parameters below.
        kind: Any = faiss.ScalarQuantizer.QT_8bit
        self._index = faiss.IndexHNSWSQ(sample.shape[1], kind, LINKS, faiss.METRIC_INNER_PRODUCT)
        self._index.hnsw.efConstruction = BUILD_BREADTH
        self._index.train(sample)
        self._rows = np.empty(0, np.int64)  # by place
        self._alive = np.empty(0, np.bool_)
        self._end = 0
        self._dead = 0

    def __len__(self) -> int:
        """Places, the dead ones too."""
        return self._end

    @property
    def dead(self) -> int:
        return self._dead

    @property
    def size_bytes(self) -> int:
        return self._end * (self._index.d + _LINK_BYTES) + self._rows.nbytes + self._alive.nbytes

    def rows(self) -> Rows:
        """By place."""
        return self._rows[: self._end]

    def add(self, rows: Rows, vectors: Vectors) -> Rows:
        """Their places. Releases the GIL while it computes."""
        faiss.omp_set_num_threads(1)  # of this thread: a graph in the making leaves the other cores to requests
        self._index.add(vectors)
        end = self._end + len(rows)
        if end > len(self._rows):
            more = max(end, len(self._rows) * 3 // 2) - len(self._rows)
            self._rows = np.concatenate([self._rows, np.zeros(more, np.int64)])
            self._alive = np.concatenate([self._alive, np.zeros(more, np.bool_)])
        places = np.arange(self._end, end)
        self._rows[places], self._alive[places] = rows, True
        self._end = end
        return places

    def bury(self, places: Rows) -> None:
        """Each once, and alive until now."""
        self._alive[places] = False
        self._dead += len(places)

    def candidates(self, vector: Vector, most: int, allowed: Mask | None, share: float) -> Rows:
        """Rows that are alive and allowed, near to the vector. `share`: how much of the graph that is; the less, the
        broader it has to search."""
        wanted = min(most + most // 4 + 32, self._end)  # eight bits may order neighbours otherwise
        breadth = int(max(LEAST_BREADTH, 2 * most) * min(MOST_WIDENED, 1 / max(share, 1 / MOST_WIDENED)))
        parameters = faiss.SearchParametersHNSW(efSearch=max(breadth, wanted))  # type: ignore[attr-defined]
        if self._dead or allowed is not None:
            may = self._alive[: self._end]
            if allowed is not None:
                may = may & _reached(allowed, self._rows[: self._end])
            bits = np.packbits(may, bitorder="little")
            selector = faiss.IDSelectorBitmap(self._end, faiss.swig_ptr(bits))
            parameters.sel = selector
        _, places = self._index.search(vector[None], wanted, params=parameters)
        rows: Rows = self._rows[places[0][places[0] >= 0]]
        return rows


def _reached(allowed: Mask, rows: Rows) -> Mask:
    """Of rows that the mask does not reach: no."""
    return allowed[np.minimum(rows, len(allowed) - 1)] & (rows < len(allowed))
