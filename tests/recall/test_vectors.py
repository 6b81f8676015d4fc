"""Every index of vectors against a dictionary of vectors: what is put is found, what is removed never is."""

import gc
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from memos.recall.vectors.exact import ExactIndex, products
from memos.recall.vectors.hnsw import HnswIndex
from memos.recall.vectors.port import Mask, Rows, VectorIndex
from memos.recall.vectors.registry import INDEXES, build_index

DIMENSIONS = 6
MOST_ROWS = 40
ROWS = st.lists(st.integers(0, MOST_ROWS - 1), min_size=1, max_size=8, unique=True)


def never(index: HnswIndex) -> None:
    """Whoever tests decides when the work is done."""


def small_graph() -> HnswIndex:
    """One that is a graph as soon as there is anything much."""
    return HnswIndex(DIMENSIONS, from_rows=12, until_rows=6, tail_rows=4, start=never)


def units(count: int, dimensions: int = DIMENSIONS, seed: int = 0) -> "np.ndarray[Any, np.dtype[np.float32]]":
    drawn = np.random.default_rng(seed).standard_normal((count, dimensions)).astype(np.float32)
    made: np.ndarray[Any, np.dtype[np.float32]] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return made


class AgainstADictionary(RuleBasedStateMachine):
    """A graph this small is searched whole, so that the answers have to be the exact ones."""

    make: Callable[[], VectorIndex]

    def __init__(self) -> None:
        super().__init__()
        self.index = type(self).make()
        self.model: dict[int, np.ndarray[Any, np.dtype[np.float32]]] = {}

    @rule(rows=ROWS, seed=st.integers(0, 10_000))
    def put(self, rows: list[int], seed: int) -> None:
        vectors = units(len(rows), seed=seed)
        self.index.put(np.array(rows), vectors)
        self.model |= dict(zip(rows, vectors, strict=True))

    @rule(rows=st.lists(st.integers(0, MOST_ROWS + 20), max_size=12))
    def remove(self, rows: list[int]) -> None:
        self.index.remove(np.array(rows, np.int64))
        for row in rows:
            self.model.pop(row, None)

    @rule(seed=st.integers(0, 10_000), most=st.integers(0, 50), data=st.data())
    def nearest(self, seed: int, most: int, data: st.DataObject) -> None:
        vector = units(1, seed=seed)[0]
        mask = data.draw(st.none() | st.lists(st.booleans(), max_size=MOST_ROWS + 5))
        allowed = None if mask is None else np.array(mask, np.bool_)
        rows, scores = self.index.nearest(vector, most, allowed)
        may = [row for row in self.model if mask is None or (row < len(mask) and mask[row])]
        expected = sorted(may, key=lambda row: -float(self.model[row] @ vector))[:most]
        assert scores == pytest.approx([float(self.model[row] @ vector) for row in expected], abs=1e-5)
        assert scores == pytest.approx([float(self.model[row] @ vector) for row in rows.tolist()], abs=1e-5)
        assert len(set(rows.tolist())) == len(expected)

    @rule(seed=st.integers(0, 10_000), rows=st.lists(st.integers(0, MOST_ROWS + 20), max_size=9))
    def scores(self, seed: int, rows: list[int]) -> None:
        vector = units(1, seed=seed)[0]
        expected = [float(self.model[row] @ vector) if row in self.model else 0.0 for row in rows]
        assert self.index.scores(vector, np.array(rows, np.int64)) == pytest.approx(expected, abs=1e-5)

    @rule(seed=st.integers(0, 10_000))
    def spread(self, seed: int) -> None:
        vector = units(1, seed=seed)[0]
        products_ = [float(held @ vector) for held in self.model.values()] or [0.0]
        assert self.index.spread(vector) == pytest.approx((np.mean(products_), np.std(products_)), abs=1e-4)

    @rule()
    def compact(self) -> None:
        self.index.compact()

    @invariant()
    def counted(self) -> None:
        assert len(self.index) == len(self.model)


class Graph(AgainstADictionary):
    make = staticmethod(small_graph)

    @rule(steps=st.integers(1, 4))
    def step(self, steps: int) -> None:
        assert isinstance(self.index, HnswIndex)
        for _ in range(steps):
            self.index.step()

    @rule()
    def settle(self) -> None:
        assert isinstance(self.index, HnswIndex)
        self.index.settle()
        if len(self.model) >= 12:
            assert self.index.has_graph


class Exact(AgainstADictionary):
    make = staticmethod(lambda: ExactIndex(DIMENSIONS))


TestGraph = Graph.TestCase
TestExact = Exact.TestCase
TestGraph.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestExact.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize("name", sorted(INDEXES))
def test_an_index_refuses_other_shapes(name: str) -> None:
    index = build_index(name, 4)
    for rows, vectors in (([0], units(1, 5)), ([0, 1], units(1, 4)), ([-1], units(1, 4))):
        with pytest.raises(ValueError):
            index.put(np.array(rows), vectors)
    with pytest.raises(ValueError):
        index.nearest(units(1, 5)[0], 1)
    assert len(index) == 0
    assert index.nearest(units(1, 4)[0], 3)[0].tolist() == []


def test_large_exact_indexes_answer_as_small_ones_do() -> None:
    vectors = units(5_000, 16)
    index = ExactIndex(16)
    index.put(np.arange(5_000), vectors)
    index.remove(np.arange(0, 5_000, 7))
    allowed = np.arange(5_000) % 3 == 0
    for query in units(20, 16, seed=1):
        expected = vectors @ query
        expected[::7] = -9
        expected[~allowed] = -9
        rows, scores = index.nearest(query, 12, allowed)
        assert rows.tolist() == np.argsort(-expected, kind="stable")[:12].tolist()
        assert scores == pytest.approx(np.sort(expected)[::-1][:12], abs=1e-5)
    assert np.allclose(products(vectors, units(1, 16)[0]), vectors @ units(1, 16)[0], atol=1e-5)


def clustered(count: int, seed: int) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """Like embeddings of sentences: topics, few directions that matter and many that hardly do."""
    random = np.random.default_rng(seed)
    scale = (np.arange(1, 65) ** -0.5).astype(np.float32)
    topics = random.standard_normal((200, 64)).astype(np.float32)
    drawn = (topics[random.integers(0, 200, count)] + random.standard_normal((count, 64)).astype(np.float32)) * scale
    made: np.ndarray[Any, np.dtype[np.float32]] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return made


def recall_of(index: HnswIndex, truth: ExactIndex, allowed: Mask | None = None, most: int = 50) -> float:
    found = []
    for query in clustered(60, seed=0):
        expected = set(truth.nearest(query, most, allowed)[0].tolist())
        found.append(len(expected & set(index.nearest(query, most, allowed)[0].tolist())) / len(expected))
    return float(np.mean(found))


def test_a_graph_finds_what_comparing_all_finds() -> None:
    vectors = clustered(8_000, seed=0)
    index, truth = HnswIndex(64, from_rows=1_000, until_rows=500, start=never), ExactIndex(64)
    for part in np.split(np.arange(8_000), [6_000]):
        index.put(part, vectors[part])
        truth.put(part, vectors[part])
        index.settle()
    assert index.has_graph
    assert recall_of(index, truth) >= 0.99
    gone = np.random.default_rng(3).permutation(8_000)[:1_500]
    for one in (index, truth):
        one.remove(gone)
    assert recall_of(index, truth) >= 0.99
    for share in (0.5, 0.2):
        allowed = np.random.default_rng(4).random(8_000) < share
        assert recall_of(index, truth, allowed) >= 0.99


def test_a_graph_never_answers_short() -> None:
    vectors = clustered(6_000, seed=0)
    index = HnswIndex(64, from_rows=100, until_rows=50, start=never)
    index.put(np.arange(6_000), vectors)
    index.settle()
    allowed = np.zeros(6_000, np.bool_)
    allowed[np.argsort(vectors @ vectors[0])[:150]] = True  # those that are the farthest away
    rows, _ = index.nearest(vectors[0], 120, allowed)
    assert len(rows) == 120
    assert allowed[rows].all()


def test_what_is_removed_during_a_search_is_not_found_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    index = HnswIndex(8, from_rows=50, until_rows=10, start=never)
    vectors = units(100, 8)
    index.put(np.arange(100), vectors)
    index.settle()
    real = index._candidates

    def candidates(*given: Any) -> Any:
        found = real(*given)
        index._exact.remove(np.array([3]))
        return found

    monkeypatch.setattr(index, "_candidates", candidates)
    assert 3 not in index.nearest(vectors[3], 100)[0]


def test_small_and_large_change_into_each_other_with_room_between() -> None:
    index = HnswIndex(8, from_rows=100, until_rows=50, tail_rows=10, start=never)
    index.put(np.arange(99), units(99, 8))
    index.settle()
    assert not index.has_graph
    index.put(np.array([99]), units(1, 8))
    index.settle()
    assert index.has_graph
    index.remove(np.arange(50))
    index.settle()
    assert index.has_graph, "fifty are not fewer than fifty"
    index.remove(np.array([50]))
    assert not index.has_graph
    index.put(np.arange(40), units(40, 8))
    index.settle()
    assert not index.has_graph, "it is asked for at a hundred again"


def kept_bytes(index: HnswIndex) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    import faiss

    assert index._graph is not None
    storage: Any = faiss.downcast_index(index._graph._index.storage)
    codes: np.ndarray[Any, np.dtype[np.uint8]] = faiss.vector_to_array(storage.codes).reshape(storage.ntotal, -1)
    return codes


def test_what_was_removed_is_in_no_byte_after_compacting() -> None:
    index = HnswIndex(16, from_rows=100, until_rows=50, start=never)
    vectors = units(200, 16)
    index.put(np.arange(200), vectors)
    index.settle()
    erased = kept_bytes(index)[7].tobytes()
    index.remove(np.array([7]))
    assert not index._exact._matrix[7].any()
    assert vectors[7].tobytes() not in index._exact._matrix.tobytes()
    assert erased in kept_bytes(index).tobytes(), "a stepping stone, until it is compacted"
    index.compact()
    assert not index.has_graph
    assert 7 not in index.nearest(vectors[7], 200)[0]
    index.settle()
    assert erased not in kept_bytes(index).tobytes()
    assert 7 not in index.nearest(vectors[7], 200)[0]


def test_a_graph_is_made_anew_when_much_of_it_is_dead() -> None:
    index = HnswIndex(8, from_rows=50, until_rows=10, tail_rows=5, start=never)
    vectors = units(100, 8)
    index.put(np.arange(100), vectors)
    index.settle()
    for _ in range(3):  # the same rows again and again
        index.put(np.arange(30), vectors[:30])
        index.settle()
    assert index._graph is not None
    assert len(index._graph) <= 140
    assert index._graph.dead <= 0.25 * len(index._graph)
    assert index.nearest(vectors[3], 1)[0].tolist() == [3]


def test_what_changes_while_a_graph_is_made_is_not_lost() -> None:
    index = HnswIndex(8, from_rows=2_500, until_rows=10, tail_rows=5, start=never)
    vectors = units(3_000, 8)
    index.put(np.arange(3_000), vectors)
    assert index.step(), "a thousand of three are in the new graph"
    moved = units(3, 8, seed=9)
    index.put(np.array([5, 2_999, 3_000]), moved)
    index.remove(np.array([6, 2_998]))
    index.settle()
    assert index.has_graph
    for row, vector in zip((5, 2_999, 3_000), moved, strict=True):
        assert index.nearest(vector, 1)[0].tolist() == [row]
    found = index.nearest(vectors[5], 3_000)[0].tolist()
    assert len(found) == 2_999
    assert not {6, 2_998} & set(found)


def test_readers_are_right_while_a_writer_and_a_builder_work() -> None:
    index = HnswIndex(16, from_rows=500, until_rows=100, tail_rows=50)
    steady, moving = units(1_000, 16), units(1_000, 16, seed=5)
    index.put(np.arange(1_000), steady)
    wrong: list[Rows] = []
    done = threading.Event()

    def read() -> None:
        number = 0
        while not done.is_set():
            number = (number + 1) % 1_000
            rows, _ = index.nearest(steady[number], 1)
            if rows.tolist() != [number]:
                wrong.append(rows)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for at in range(0, 1_000, 50):
            index.put(np.arange(1_000 + at, 1_050 + at), moving[at : at + 50] * np.float32(0.5))
            index.remove(np.arange(1_000 + at, 1_020 + at))
    finally:
        done.set()
        for reader in readers:
            reader.join()
    index.settle()
    assert not wrong
    assert index.has_graph
    assert len(index) == 1_600


def test_a_graph_that_nobody_has_any_more_is_not_finished() -> None:
    index = HnswIndex(8, from_rows=2_000)
    index.put(np.arange(60_000), units(60_000, 8))
    del index
    gc.collect()
    for _ in range(500):
        if not any(thread.name == "memos-graph" for thread in threading.enumerate()):
            return
        time.sleep(0.01)
    pytest.fail("the builder goes on")
