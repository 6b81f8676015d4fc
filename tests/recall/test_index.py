"""The laws of the index: whatever was put and removed in whatever order, it answers as one that was built of what is
left; what may not be found is not found; a score is the sum of its signals.
"""

import threading
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memos.recall import index as index_module
from memos.recall import ranking
from memos.recall.index import RecallIndex
from memos.recall.items import Item
from memos.recall.query import Asked, Hit
from tests.recall.making import DIMENSIONS, NOW, ask, index_of, item, items, sentences, texts, vector

QUESTIONS = (
    "Where did Ada walk the dog yesterday?",
    "When was the wedding in rome?",
    "What tea did you tell me before?",
    "",
    "?",
)
puts = st.lists(items(), min_size=1, max_size=5)
removals = st.lists(st.integers(0, 11).map(lambda number: f"cube_{number:04}"), max_size=4)
steps = st.lists(st.one_of(puts.map(lambda made: ("put", made)), removals.map(lambda ids: ("remove", ids))), max_size=6)


def _by_cube(hits: list[Hit]) -> dict[str, float]:
    """Scores without what depends on the order of equals."""
    return {hit.item.cube_id: hit.score - hit.signals.get("repeats", 0.0) for hit in hits}


@settings(max_examples=40)
@given(steps=steps, question=st.sampled_from(QUESTIONS), history=st.booleans(), eager=st.booleans())
def test_it_answers_as_one_that_was_built_anew(
    steps: list[tuple[str, list[Any]]], question: str, history: bool, eager: bool
) -> None:
    index = RecallIndex(DIMENSIONS)
    left: dict[str, Item] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_module, "LEAST_DEAD", 0 if eager else 256)  # rows are given again at once, or never
        for what, these in steps:
            if what == "put":
                index.put(these)
                left |= {one.cube_id: one for one in these}
            else:
                index.remove(these)
                left = {name: one for name, one in left.items() if name not in these}
    anew = index_of(*left.values())
    asked = Asked(question, vector(3), top_k=50, now=NOW, history=history, explain=True)
    found, wanted = index.search(asked), anew.search(asked)
    assert len(index) == len(left)
    assert _by_cube(found) == pytest.approx(_by_cube(wanted))
    assert {hit.item.cube_id: hit.item.version_id for hit in found} == {
        name: one.version_id for name, one in left.items() if name in _by_cube(wanted)
    }
    for row, one in enumerate(index.view.items):
        assert (one is not None) == bool(index.view.columns.alive[row])


@settings(max_examples=40)
@given(
    made=st.lists(items(), max_size=10),
    question=sentences.map(lambda words: words.replace("yesterday", "soon")),
    history=st.booleans(),
)
def test_what_may_not_be_found_is_not_and_signals_add_up(made: list[Item], question: str, history: bool) -> None:
    index = index_of(*made)
    hits = ask(index, question, vector=vector(1), history=history, explain=True)
    found = {hit.item.cube_id for hit in hits}
    for one in {one.cube_id: one for one in made}.values():
        expired = one.expires_at is not None and one.expires_at <= NOW
        over = one.superseded or (one.valid_to is not None and one.valid_to <= NOW)
        assert (one.cube_id in found) == (not expired and (history or not over))
    for rank, hit in enumerate(hits, 1):
        assert hit.rank == rank
        assert sum(hit.signals.values()) == pytest.approx(hit.score)
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)


@settings(max_examples=20)
@given(made=st.lists(items(), min_size=1, max_size=10), question=sentences)
def test_a_large_scope_ranks_as_a_small_one(made: list[Item], question: str) -> None:
    index = index_of(*made)
    whole = ask(index, question, vector=vector(1), explain=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "WHOLE", 0)
        looked_at = ask(index, question, vector=vector(1), explain=True)
    found = _by_cube(looked_at)
    assert found == pytest.approx({name: score for name, score in _by_cube(whole).items() if name in found})
    assert all(hit.item.cube_id in found for hit in whole if hit.item.vector is not None)


@settings(max_examples=15)
@given(made=st.lists(items(), max_size=8), threshold=st.floats(-1, 1), top_k=st.integers(0, 5))
def test_a_threshold_cuts_and_nothing_else(made: list[Item], threshold: float, top_k: int) -> None:
    index = index_of(*made)
    every = [hit.score for hit in ask(index, "the dog and the piano", vector=vector(2), top_k=top_k)]
    kept = [
        hit.score for hit in ask(index, "the dog and the piano", vector=vector(2), top_k=top_k, threshold=threshold)
    ]
    assert kept == [score for score in every if score >= threshold]
    assert len(every) <= top_k


def test_an_index_of_nothing_finds_nothing() -> None:
    assert ask(RecallIndex(DIMENSIONS), "dog", vector=vector(1)) == []
    assert ask(index_of(item(1, "dog")), "dog", top_k=0) == []


def test_of_several_with_one_cube_the_last_counts() -> None:
    index = RecallIndex(DIMENSIONS)
    index.put([item(1, "a dog"), item(1, "a cat")])
    assert texts(ask(index, "dog")) == ["a cat"]
    assert len(index) == 1


def test_a_vector_that_comes_later_keeps_the_row() -> None:
    index = index_of(item(1, "a dog"), item(2, "a cat"))
    before = index.row("cube_0001")
    index.put([item(1, "a dog", vector=vector(1))])
    assert index.row("cube_0001") == before
    assert texts(ask(index, "", vector=vector(1)))[0] == "a dog"
    index.put([item(1, "a dog"), item(2, "a cat", vector=vector(2))])
    signals = next(hit for hit in ask(index, "dog", vector=vector(1), explain=True) if hit.item.text == "a dog").signals
    assert "meaning" not in signals, "a vector that was taken away counts for nothing"


def test_a_vector_of_another_dimension_changes_nothing() -> None:
    index = index_of(item(1, "a dog"))
    with pytest.raises(ValueError, match="dimensions"):
        index.put([item(1, "a cat"), item(2, "tea", vector=np.ones(3, np.float32))])
    assert texts(ask(index, "dog")) == ["a dog"]


def test_what_was_removed_is_let_go_of() -> None:
    index = index_of(*(item(number, f"word{number} dog", vector=vector(number)) for number in range(50)))
    index.remove([f"cube_{number:04}" for number in range(50)])
    index.compact()
    view = index.view
    assert len(index) == 0
    assert all(one is None for one in view.items)
    assert sum(len(segment.rows) for segment in view.segments) == 0
    assert not index.view.by_version


def test_its_size_follows_what_it_holds() -> None:
    small, large = RecallIndex(DIMENSIONS), RecallIndex(DIMENSIONS)
    small.put(item(number, f"the dog number {number}", vector=vector(number)) for number in range(100))
    large.put(item(number, f"the dog number {number}", vector=vector(number)) for number in range(1_000))
    assert 5 * small.size_bytes < large.size_bytes < 20 * small.size_bytes


def test_what_others_found_takes_the_place_of_vectors() -> None:
    @dataclass(frozen=True)
    class Found:
        cosines: dict[str, float]
        mean: float = 0.1
        deviation: float = 0.2

    index = index_of(item(1, "a dog"), item(2, "a cat"), item(3, "tea"))
    hits = index.search(Asked("something", top_k=3, now=NOW, explain=True), Found({"cver_0002": 0.9, "cver_0001": 0.1}))
    assert texts(hits)[0] == "a cat"
    assert index.candidates(Asked("dog and tea", now=NOW), 5) == ["cver_0001", "cver_0003"]


def test_readers_are_not_disturbed_by_a_writer() -> None:
    index = index_of(*(item(number, f"dog number {number}", thread="one") for number in range(40)))
    wrong: list[BaseException] = []
    stop = threading.Event()

    def read() -> None:
        try:
            while not stop.is_set():
                for hit in ask(index, "which dog number 7", vector=vector(1)):
                    assert hit.item.text.endswith(hit.item.cube_id.lstrip("cube_0") or "0")
        except BaseException as error:
            wrong.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_module, "LEAST_DEAD", 3)
        for reader in readers:
            reader.start()
        for turn in range(150):
            number = turn % 40
            index.remove([f"cube_{number:04}"])
            index.put([replace(item(number, f"dog number {number}", thread="one"), vector=vector(turn))])
        stop.set()
        for reader in readers:
            reader.join()
    assert not wrong
