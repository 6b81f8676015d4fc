"""Items by row: the columns that a query computes with, and which rows are neighbours in a thread.

Notable choices:

* A row keeps its number for life. A changed text is a new row, so that a reader never sees half of one memory and half
  of another; only what no posting depends on changes in place.
* Columns grow by half into new arrays. A reader holds the ones it began with (`Columns` is replaced, not resized), and
  a row beyond its `end` does not exist for it.
* Items of one thread are neighbours in the order of time, then of arrival (ids of cubes are in order of making).
"""

from bisect import bisect_left, insort
from dataclasses import dataclass, fields
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from memos.recall.items import Item
from memos.recall.likeness import NUMBERS, Likeness
from memos.recall.people import Names
from memos.recall.words import Traits

LEAST_ROWS = 64
MOST_TOUCHED = 10_000
NOBODY = -1
NEVER = np.inf
USER, ASSISTANT = 1, 2
ROLES = {"user": USER, "human": USER, "assistant": ASSISTANT, "ai": ASSISTANT, "bot": ASSISTANT}
ITEM_BYTES = 850  # of an item's object, its ids, its places in dictionaries
Place: TypeAlias = tuple[float, float, str, int]  # at, created_at, cube id, row


@dataclass(slots=True)
class Columns:
    """One value a row, [capacity]."""

    alive: NDArray[np.bool_]
    superseded: NDArray[np.bool_]
    vectored: NDArray[np.bool_]  # has a vector
    at: NDArray[np.float64]
    created_at: NDArray[np.float64]
    valid_to: NDArray[np.float64]
    expires_at: NDArray[np.float64]
    length: NDArray[np.int32]  # words
    speaker: NDArray[np.int32]  # number of the speaker, or NOBODY
    role: NDArray[np.int8]  # USER, ASSISTANT or 0
    traits: NDArray[np.float32]  # [capacity, 3], see `words.Traits`
    likeness: Likeness
    before: NDArray[np.int32]  # the row before it in its thread, or NOBODY
    after: NDArray[np.int32]

    @classmethod
    def of(cls, capacity: int) -> "Columns":
        def nobody() -> NDArray[np.int32]:
            return np.full(capacity, NOBODY, np.int32)

        return cls(
            alive=np.zeros(capacity, np.bool_),
            superseded=np.zeros(capacity, np.bool_),
            vectored=np.zeros(capacity, np.bool_),
            at=np.zeros(capacity),
            created_at=np.zeros(capacity),
            valid_to=np.full(capacity, NEVER),
            expires_at=np.full(capacity, NEVER),
            length=np.zeros(capacity, np.int32),
            speaker=nobody(),
            role=np.zeros(capacity, np.int8),
            traits=np.zeros((capacity, len(Traits)), np.float32),
            likeness=np.zeros((capacity, NUMBERS), np.uint32),
            before=nobody(),
            after=nobody(),
        )

    def grown(self, capacity: int) -> "Columns":
        made = Columns.of(capacity)
        for one in fields(self):
            held = getattr(self, one.name)
            getattr(made, one.name)[: len(held)] = held
        return made

    @property
    def size_bytes(self) -> int:
        return sum(int(getattr(self, one.name).nbytes) for one in fields(self))


class RowStore:
    """Which item is in which row. One writer."""

    def __init__(self) -> None:
        self.columns = Columns.of(LEAST_ROWS)
        self.items: list[Item | None] = []
        self.by_cube: dict[str, int] = {}
        self.by_version: dict[str, int] = {}
        self.speakers: dict[str, int] = {}
        self.names = Names()
        self.epoch = 0  # another one: `touched` began anew
        self.touched: list[int] = []  # rows that became something else than they were, in their order
        self.joined = 0  # pairs of neighbours
        self.dead = 0  # rows whose postings are still there
        self.own_bytes = 0
        self._free: list[int] = []
        self._dying: list[int] = []
        self._threads: dict[str, list[Place]] = {}

    @property
    def size_bytes(self) -> int:
        return self.columns.size_bytes + self.own_bytes + ITEM_BYTES * len(self.by_cube)

    def add(self, items: list[Item]) -> list[int]:
        """Rows for items whose cubes have none."""
        again = min(len(items), len(self._free))
        end = len(self.items)
        rows = [self._free.pop() for _ in range(again)] + list(range(end, end + len(items) - again))
        self.touched.extend(rows[:again])
        self.items.extend([None] * (len(items) - again))
        if len(self.items) > len(self.columns.alive):
            self.columns = self.columns.grown(max(len(self.items), len(self.columns.alive) * 3 // 2))
        for row, item in zip(rows, items, strict=True):
            self.items[row] = item
            self.by_cube[item.cube_id] = row
            self.by_version[item.version_id] = row
            self.own_bytes += _own_bytes(item)
            self._write(row, item)
            self._link(row, item)
        self.columns.alive[rows] = True
        return rows

    def change(self, row: int, item: Item) -> None:
        """In place: only for an item of the same words, time, speaker and thread."""
        held = self.items[row]
        if held is not None:
            self.by_version.pop(held.version_id, None)
        self.by_version[item.version_id] = row
        self.items[row] = item
        self._write(row, item)
        if held != item:
            self.touched.append(row)
            if len(self.touched) > max(MOST_TOUCHED, len(self.items)):
                self._forget_touched()

    def drop(self, cube_id: str) -> int | None:
        row = self.by_cube.pop(cube_id, None)
        if row is None:
            return None
        item = self.items[row]
        self.columns.alive[row] = False
        self.items[row] = None
        self.dead += 1
        self._dying.append(row)
        if item is not None:
            self.by_version.pop(item.version_id, None)
            self.own_bytes -= _own_bytes(item)
            self._unlink(row, item)
        return row

    def purged(self) -> None:
        """No posting leads to a dead row any more: their numbers may be given again. What readers hold stays."""
        self.items = list(self.items)
        self.columns = self.columns.grown(len(self.columns.alive))
        self._free.extend(self._dying)
        self._dying.clear()
        self.dead = 0
        self._forget_touched()

    def _forget_touched(self) -> None:
        self.touched = []
        self.epoch += 1

    def _write(self, row: int, item: Item) -> None:
        columns = self.columns
        columns.superseded[row] = item.superseded
        columns.at[row] = item.at
        columns.created_at[row] = item.created_at
        columns.role[row] = ROLES.get((item.role or item.speaker or "").casefold(), 0)
        columns.valid_to[row] = NEVER if item.valid_to is None else item.valid_to
        columns.expires_at[row] = NEVER if item.expires_at is None else item.expires_at
        columns.speaker[row] = NOBODY if item.speaker is None else self._speaker(item.speaker)

    def _speaker(self, name: str) -> int:
        if name not in self.speakers:
            self.speakers[name] = len(self.speakers)
            self.names.add(name)
        return self.speakers[name]

    def _link(self, row: int, item: Item) -> None:
        self.columns.before[row] = self.columns.after[row] = NOBODY
        if item.thread is None:
            return
        line = self._threads.setdefault(item.thread, [])
        place = (item.at, item.created_at, item.cube_id, row)
        if line and line[-1] < place:
            line.append(place)
            self._join(line[-2][3], row)
            return
        insort(line, place)
        number = bisect_left(line, place)
        self.joined -= 0 < number < len(line) - 1
        if number:
            self._join(line[number - 1][3], row)
        if number + 1 < len(line):
            self._join(row, line[number + 1][3])

    def _join(self, before: int, after: int) -> None:
        self.joined += 1
        self.columns.after[before] = after
        self.columns.before[after] = before

    def _unlink(self, row: int, item: Item) -> None:
        if item.thread is None:
            return
        line = self._threads[item.thread]
        del line[bisect_left(line, (item.at, item.created_at, item.cube_id, row))]
        before, after = int(self.columns.before[row]), int(self.columns.after[row])
        self.joined -= (before != NOBODY) or (after != NOBODY)
        if before != NOBODY:
            self.columns.after[before] = after
        if after != NOBODY:
            self.columns.before[after] = before
        if not line:
            del self._threads[item.thread]


def _own_bytes(item: Item) -> int:
    """What one item has and another may not: its words, and what its caller said of it."""
    said = 2 * len(repr(item.metadata)) + 100 * len(item.metadata) if item.metadata else 0
    return item.text.__sizeof__() + said + 60 * len(item.tags)
