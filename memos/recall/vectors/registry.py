"""Which indexes of vectors there are, by name."""

from collections.abc import Callable

from memos.recall.vectors.elsewhere import ElsewhereIndex
from memos.recall.vectors.exact import ExactIndex
from memos.recall.vectors.hnsw import HnswIndex
from memos.recall.vectors.port import VectorIndex

INDEXES: dict[str, Callable[[int], VectorIndex]] = {
    "exact": ExactIndex,
    "hnsw": HnswIndex,  # from a size on
    "elsewhere": ElsewhereIndex,
}
# What `recall_index` names: what the process itself holds of vectors.
IN_PROCESS = {"memory": "hnsw", "pgvector": "elsewhere"}


def build_index(name: str, dimensions: int) -> VectorIndex:
    """Raises KeyError for a name that is not there."""
    return INDEXES[name](dimensions)
