"""One user's index by itself: search in CPU milliseconds by size, beside the floors, and what memory it takes.

Floors are an exact scan and an HNSW graph of FAISS, dense only; the index asks words as well, and fuses both.
"""

import time
from typing import Any

import faiss
import numpy as np

from benchmarks.report import spread
from benchmarks.store_data import Made, Vectors
from memos.recall.index import RecallIndex
from memos.recall.items import Item
from memos.recall.query import Asked
from memos.recall.vectors.exact import ExactIndex
from memos.recall.vectors.hnsw import HnswIndex

AT_ONCE = 2_000
NEAREST = 10


def measure(made: Made, sizes: list[int]) -> dict[str, Any]:
    """Of the first `size` memories, for each size in rising order."""
    faiss.omp_set_num_threads(1)
    vectors = HnswIndex(made.vectors.shape[1], start=lambda index: None)  # built below, where it is measured
    index = RecallIndex(made.vectors.shape[1], vectors)
    found: dict[str, Any] = {}
    held = 0
    for size in sizes:
        began = time.process_time()
        for at in range(held, size, AT_ONCE):
            index.put([_item(made, number) for number in range(at, min(size, at + AT_ONCE))])
        put_s, held = time.process_time() - began, size
        began = time.process_time()
        while vectors.step():
            pass
        graph_s = time.process_time() - began
        found[str(size)] = {
            "search_cpu_ms": _searched(index, made, size),
            "nearest_cpu_ms": _timed([lambda v=v: vectors.nearest(v, NEAREST) for v in made.asked]),
            "graph": vectors.has_graph,
            "recall_at_10_of_exact": _recall(vectors, made.vectors[:size], made.asked),
            "size_mb": round(index.size_bytes / 2**20, 1),
            "put_cpu_s": round(put_s, 2),
            "graph_cpu_s": round(graph_s, 2),
            "floors_cpu_ms": _floors(made.vectors[:size], made.asked),
        }
    return found


def _item(made: Made, number: int) -> Item:
    moment = 1_700_000_000.0 + 60 * number
    return Item(
        cube_id=f"cube_{number:032x}",
        version_id=f"ver_{number:032x}",
        version=0,
        text=made.texts[number],
        at=moment,
        created_at=moment,
        user_id="ada",
        vector=made.vectors[number],
    )


def _searched(index: RecallIndex, made: Made, size: int) -> dict[str, float]:
    asked = [
        Asked(text, vector, top_k=NEAREST, now=1_900_000_000.0)
        for text, vector, about in zip(made.questions, made.asked, made.about, strict=True)
        if about < size or size < len(made.texts)
    ]
    return _timed([lambda one=one: index.search(one) for one in asked])


def _timed(calls: list[Any]) -> dict[str, float]:
    for call in calls[:5]:
        call()
    spent = []
    for call in calls:
        began = time.thread_time()
        call()
        spent.append((time.thread_time() - began) * 1000)
    return spread(spent)


def _recall(index: HnswIndex, vectors: Vectors, asked: Vectors) -> float:
    truth = ExactIndex(vectors.shape[1])
    truth.put(np.arange(len(vectors)), vectors)
    shares = [
        len(set(truth.nearest(one, NEAREST)[0].tolist()) & set(index.nearest(one, NEAREST)[0].tolist())) / NEAREST
        for one in asked
    ]
    return round(float(np.mean(shares)), 4)


def _floors(vectors: Vectors, asked: Vectors) -> dict[str, Any]:
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(vectors)
    floors: dict[str, Any] = {"faiss_flat": _timed([lambda v=v: flat.search(v[None], NEAREST) for v in asked])}
    if len(vectors) <= 100_000:
        graph = faiss.IndexHNSWFlat(vectors.shape[1], 32, faiss.METRIC_INNER_PRODUCT)
        graph.add(vectors)
        floors["faiss_hnsw"] = _timed([lambda v=v: graph.search(v[None], NEAREST) for v in asked])
    return floors
