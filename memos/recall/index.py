"""The recall index of one scope: what it holds of every memory, and which of them answer a question.

Notable choices:

* It is a cache: all of it comes from the database and can be thrown away. Nothing here knows SQL, HTTP or a model.
* One writer, many readers: a reader works on a `View`, which a writer replaces when it is done. It sees a memory as it
  was or as it is, and never waits.
* A memory whose words stay the same keeps its row (a vector that comes later, a tag); else it gets a new one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from threading import Lock

import numpy as np

from memos.recall.items import Item
from memos.recall.lexical import Postings
from memos.recall.likeness import likeness
from memos.recall.masks import Masks
from memos.recall.meaning import Nearest, meaning_of
from memos.recall.query import Asked, Hit
from memos.recall.ranking import candidates, ranked
from memos.recall.rows import RowStore
from memos.recall.vectors.port import VectorIndex
from memos.recall.vectors.registry import build_index
from memos.recall.view import View
from memos.recall.weights import WEIGHTS
from memos.recall.words import batch

LEAST_DEAD = 256  # rows that died before their postings are thrown away


class RecallIndex:
    """`vectors`: an empty index of vectors of as many dimensions; without it the exact one. `weights`: of the signals,
    for measurements; what is not named has none."""

    def __init__(
        self, dimensions: int, vectors: VectorIndex | None = None, weights: Mapping[str, float] = WEIGHTS
    ) -> None:
        self._vectors = build_index("exact", dimensions) if vectors is None else vectors
        self._rows = RowStore()
        self._postings = Postings()
        self._masks = Masks()
        self._weights = weights
        self._words = 0
        self._lock = Lock()
        self._view = self._seen()

    def __len__(self) -> int:
        return self._view.count

    @property
    def dimensions(self) -> int:
        return self._vectors.dimensions

    @property
    def size_bytes(self) -> int:
        return self._rows.size_bytes + self._postings.size_bytes + self._vectors.size_bytes + self._masks.size_bytes

    @property
    def view(self) -> View:
        """What a search that begins now works on."""
        return self._view

    @property
    def vectors(self) -> VectorIndex:
        return self._vectors

    def row(self, cube_id: str) -> int:
        """Raises KeyError."""
        return self._rows.by_cube[cube_id]

    def get(self, cube_id: str) -> Item | None:
        """What is held of a cube; its vector is left out."""
        row = self._rows.by_cube.get(cube_id)
        return None if row is None else self._rows.items[row]

    def to_embed(self, question: str) -> str:
        """The question as it is to be embedded for `Asked.vector`: put to whoever is named, if they speak here."""
        return self._rows.names.people(question).to_embed

    def put(self, items: Iterable[Item]) -> None:
        """Inserts or replaces by cube. Of several with one cube the last counts. Raises ValueError for a vector of
        another dimension, and then changes nothing."""
        newest = {item.cube_id: item for item in items}
        for item in newest.values():
            if item.vector is not None and item.vector.shape != (self.dimensions,):
                raise ValueError(f"a vector of {item.vector.shape} in an index of {self.dimensions} dimensions")
        with self._lock:
            self._put(list(newest.values()))
            self._view = self._seen()

    def remove(self, cube_ids: Iterable[str]) -> None:
        """Of cubes that it holds or not."""
        with self._lock:
            self._drop(cube_ids)
            self._tidy(LEAST_DEAD)
            self._view = self._seen()

    def compact(self) -> None:
        """Lets go of everything that was made from removed memories."""
        with self._lock:
            self._tidy(0)
            self._vectors.compact()
            self._view = self._seen()

    def search(self, asked: Asked, nearest: Nearest | None = None) -> list[Hit]:
        """The best first. `nearest`: what someone else who holds the vectors found; else the index's own are asked."""
        view = self._view
        meaning = meaning_of(view, self._vectors, asked.vector, nearest)
        return ranked(view, meaning, self._masks, asked, self._weights)

    def candidates(self, asked: Asked, most: int) -> list[str]:
        """Versions of memories that may answer by their words, for someone else who holds the vectors to compare."""
        return candidates(self._view, self._masks, asked, most)

    def _put(self, items: list[Item]) -> None:
        kept: list[tuple[int, Item]] = []
        fresh: list[Item] = []
        for item in items:
            row = self._rows.by_cube.get(item.cube_id)
            held = None if row is None else self._rows.items[row]
            if row is not None and held is not None and _same_place(held, item):
                kept.append((row, item))
            else:
                fresh.append(item)
        self._drop(item.cube_id for item in fresh)
        self._tidy(LEAST_DEAD)
        rows = self._rows.add([_without_vector(item) for item in fresh])
        if fresh:
            self._index(rows, [item.text for item in fresh])
        for row, item in kept:
            self._rows.change(row, _without_vector(item))
        self._put_vectors([*zip(rows, fresh, strict=True), *kept])

    def _index(self, rows: list[int], texts: list[str]) -> None:
        found = batch(texts)
        columns = self._rows.columns
        columns.length[rows] = found.lengths
        columns.traits[rows] = found.traits
        columns.likeness[rows] = likeness(found.line, found.lengths)
        self._postings.put(rows, found.line, found.lengths)
        self._words += int(found.lengths.sum())

    def _put_vectors(self, placed: Sequence[tuple[int, Item]]) -> None:
        self._rows.columns.vectored[[row for row, _ in placed]] = [item.vector is not None for _, item in placed]
        without = [row for row, item in placed if item.vector is None]
        with_one = [(row, item.vector) for row, item in placed if item.vector is not None]
        if without:
            self._vectors.remove(np.array(without, np.int64))
        if with_one:
            rows = np.array([row for row, _ in with_one], np.int64)
            self._vectors.put(rows, np.stack([vector for _, vector in with_one]).astype(np.float32, copy=False))

    def _drop(self, cube_ids: Iterable[str]) -> None:
        rows = [row for row in map(self._rows.drop, cube_ids) if row is not None]
        if rows:
            self._words -= int(self._rows.columns.length[rows].sum())
            self._vectors.remove(np.array(rows, np.int64))

    def _tidy(self, least: int) -> None:
        if self._rows.dead > max(least, len(self._rows.by_cube) if least else 0):
            self._postings.purge(self._rows.columns.alive)
            self._rows.purged()

    def _seen(self) -> View:
        rows = self._rows
        return View(
            rows.columns,
            rows.items,
            self._postings.segments,
            rows.by_version,
            rows.names,
            rows.speakers,
            len(rows.items),
            len(rows.by_cube),
            self._words,
            rows.joined,
            rows.epoch,
            rows.touched,
            len(rows.touched),
        )


def _same_place(held: Item, item: Item) -> bool:
    """Whether postings and neighbours of one serve the other."""
    return (
        held.text == item.text
        and held.thread == item.thread
        and held.at == item.at
        and held.created_at == item.created_at
        and held.speaker == item.speaker
    )


def _without_vector(item: Item) -> Item:
    """The index of vectors holds it, and once is enough."""
    return item if item.vector is None else replace(item, vector=None)
