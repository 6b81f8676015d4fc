"""Exact while it is small, a graph of near neighbours from `from_rows` on, exact again under `until_rows`; between the
two it stays what it is, so that a memory that is added and forgotten in turns does not build a graph each time.

Notable choices:

* The exact matrix stays beside the graph: it re-ranks what the graph found, answers `scores` and `spread`, and is
  searched itself where a mask leaves few rows or the graph would answer short. A graph never decides what there is.
* Nobody waits for the graph. What is not in it yet, the tail, is compared exactly; a thread moves it over, a few at a
  time. A graph that is made anew is made aside, and takes the old one's place when it is whole.
* A row that is removed or replaced is dead in the graph before `remove` or `put` returns. With a quarter of the graph
  dead it is made anew; `compact` drops it at once, with what it keeps of vectors that are gone.
"""

import threading
import time
import weakref
from collections.abc import Callable

import numpy as np
import structlog

from memos.recall.vectors.exact import ExactIndex, asked, best, checked
from memos.recall.vectors.graph import Graph
from memos.recall.vectors.port import Mask, Rows, Scores, Vector, Vectors

FROM_ROWS = 20_000
UNTIL_ROWS = 15_000
TAIL_ROWS = 1_000  # compared exactly before it is worth to move them
AT_ONCE = 32  # rows that are moved while readers wait
ASIDE_AT_ONCE = 1_000  # rows of a new graph between two looks at whether it is still wanted
TRAINED_ON = 10_000
DEAD_SHARE = 0.25

PAUSE_S = 0.001  # between two steps, for whoever waits

LOG = structlog.get_logger(__name__)
_ONE_BUILD = threading.Semaphore(1)  # a graph in the making takes one core of the process, not all


def in_a_thread(index: "HnswIndex") -> None:
    """Works until there is nothing to do or nobody has the index any more."""
    ref = weakref.ref(index)

    def work() -> None:
        with _ONE_BUILD:
            while (still := ref()) is not None:
                try:
                    if not still.step():
                        return
                except Exception:  # it goes on without a graph, exact and slower
                    LOG.exception("recall.graph_failed", rows=len(still))
                    return
                del still
                time.sleep(PAUSE_S)

    threading.Thread(target=work, name="memos-graph", daemon=True).start()


class HnswIndex:
    """`start` is told when there is work to do (`step`), never twice before a step said that all is done."""

    def __init__(
        self,
        dimensions: int,
        *,
        from_rows: int = FROM_ROWS,
        until_rows: int = UNTIL_ROWS,
        tail_rows: int = TAIL_ROWS,
        start: "Callable[[HnswIndex], None]" = in_a_thread,
    ) -> None:
        self._exact = ExactIndex(dimensions)
        self._from_rows, self._until_rows, self._tail_rows = from_rows, until_rows, tail_rows
        self._start = start
        self._lock = threading.Lock()  # the graph, the tail and places: whoever reads or changes them holds it
        self._graph: Graph | None = None
        self._next: Graph | None = None
        self._next_rows = np.empty(0, np.int64)  # that are still to go into the next graph
        self._next_stamps = np.empty(0, np.int64)  # by place of the next graph
        self._place = np.empty(0, np.int64)  # of a row in the graph; -1: in none
        self._stamp = np.empty(0, np.int64)  # of a row: how often it changed
        self._tail = np.empty(0, np.bool_)  # rows that are held and in no graph
        self._working = False

    @property
    def dimensions(self) -> int:
        return self._exact.dimensions

    @property
    def size_bytes(self) -> int:
        graphs = sum(graph.size_bytes for graph in (self._graph, self._next) if graph is not None)
        return self._exact.size_bytes + graphs + self._place.nbytes + self._stamp.nbytes + self._tail.nbytes

    def __len__(self) -> int:
        return len(self._exact)

    @property
    def has_graph(self) -> bool:
        return self._graph is not None

    def put(self, rows: Rows, vectors: Vectors) -> None:
        vectors = checked(rows, vectors, self.dimensions)
        if not len(rows):
            return
        with self._lock:
            self._reach(int(rows.max()) + 1)
            self._leave_graph(rows)
            self._exact.put(rows, vectors)
            self._tail[rows] = True
        self._tend()

    def remove(self, rows: Rows) -> None:
        with self._lock:
            rows = np.unique(rows[(rows >= 0) & (rows < len(self._stamp))])
            self._leave_graph(rows)
            self._exact.remove(rows)
            self._tail[rows] = False
        self._tend()

    def nearest(self, vector: Vector, most: int, allowed: Mask | None = None) -> tuple[Rows, Scores]:
        vector = asked(vector, self.dimensions)
        with self._lock:
            graph, end = self._graph, self._exact.end
            if graph is None or most <= 0:
                rows = None
            else:
                may = self._exact.may(end, allowed)
                there = int(np.count_nonzero(may))
                rows = self._candidates(graph, vector, most, None if there == len(self._exact) else may, there)
        if rows is None:
            return self._exact.nearest(vector, most, allowed)
        rows = rows[self._exact.holds(rows)]
        return best(rows, self._exact.scores(vector, rows), most)

    def scores(self, vector: Vector, rows: Rows) -> Scores:
        return self._exact.scores(vector, rows)

    def spread(self, vector: Vector) -> tuple[float, float]:
        return self._exact.spread(vector)

    def compact(self) -> None:
        """Exact again until the graph is made anew."""
        with self._lock:
            if self._next is not None or (self._graph is not None and self._graph.dead):
                self._drop_graph()
        self._tend()

    def settle(self) -> None:
        """Returns when there is nothing left to move, having done it itself if need be."""
        with _ONE_BUILD:
            while self.step():
                pass

    def step(self) -> bool:
        """Some of the work; False when there is none left. One thread at a time (`_ONE_BUILD`)."""
        if (making := self._making()) is not None:
            self._make(making)
        elif not self._absorb():
            with self._lock:
                if self._wants():  # since the look
                    return True
                self._working = False
                return False
        return True

    def _candidates(self, graph: Graph, vector: Vector, most: int, may: Mask | None, there: int) -> Rows | None:
        """None: the graph is of no use here."""
        if may is not None and there <= self._from_rows:
            return None
        tail = np.flatnonzero(self._tail if may is None else self._tail[: len(may)] & may)
        share = there / max(len(graph), 1)
        found = np.concatenate([graph.candidates(vector, most, may, share), tail])
        return found if len(found) >= min(most, there) else None

    def _tend(self) -> None:
        """By the writer, after each change."""
        with self._lock:
            if self._graph is not None or self._next is not None:
                if len(self._exact) < self._until_rows:
                    self._drop_graph()
            if self._working or not self._wants():
                return
            self._working = True
        self._start(self)

    def _wants(self) -> bool:
        if self._next is not None or self._wants_new():
            return True
        return self._graph is not None and int(np.count_nonzero(self._tail)) > self._tail_rows

    def _wants_new(self) -> bool:
        if (graph := self._graph) is None:
            return len(self._exact) >= self._from_rows
        return graph.dead > DEAD_SHARE * len(graph)

    def _making(self) -> Graph | None:
        """The graph that is being made aside, begun if one is needed."""
        with self._lock:
            if self._next is not None:
                return self._next
            rows = self._exact.held_rows()
            if not self._wants_new() or not len(rows):
                return None
            sample = self._exact.vectors(rows[:: max(1, len(rows) // TRAINED_ON)])
            self._next_rows, self._next_stamps = rows, np.empty(0, np.int64)
            self._next = making = Graph(sample)
            return making

    def _make(self, making: Graph) -> None:
        with self._lock:
            if self._next is not making:
                return
            rows, self._next_rows = self._next_rows[:ASIDE_AT_ONCE], self._next_rows[ASIDE_AT_ONCE:]
            rows = rows[self._exact.holds(rows)]
            vectors, stamps = self._exact.vectors(rows), self._stamp[rows]
            self._next_stamps = np.concatenate([self._next_stamps, stamps])
        if len(rows):
            making.add(rows, vectors)
        with self._lock:
            if self._next is making and not len(self._next_rows):
                self._take_place(making)

    def _take_place(self, made: Graph) -> None:
        rows = made.rows()
        changed = self._stamp[rows] != self._next_stamps
        made.bury(np.flatnonzero(changed))
        self._place[:] = -1
        self._place[rows[~changed]] = np.flatnonzero(~changed)
        self._tail[:] = False
        self._tail[self._exact.held_rows()] = True
        self._tail[rows[~changed]] = False
        self._graph, self._next = made, None

    def _absorb(self) -> bool:
        """Moves some of the tail. False: it is short enough."""
        with self._lock:
            if self._graph is None:
                return False
            tail = np.flatnonzero(self._tail)
            if len(tail) <= self._tail_rows // 2:
                return False
            rows = tail[:AT_ONCE]
            self._place[rows] = self._graph.add(rows, self._exact.vectors(rows))
            self._tail[rows] = False
            return True

    def _leave_graph(self, rows: Rows) -> None:
        self._stamp[rows] += 1
        if self._graph is not None:
            places = self._place[rows]
            self._graph.bury(places[places >= 0])
        self._place[rows] = -1

    def _drop_graph(self) -> None:
        self._graph = self._next = None
        self._next_rows = self._next_stamps = np.empty(0, np.int64)
        self._place[:] = -1
        self._tail[:] = False
        self._tail[self._exact.held_rows()] = True

    def _reach(self, end: int) -> None:
        known = len(self._stamp)
        if end > known:
            more = max(end, known * 3 // 2) - known
            self._place = np.concatenate([self._place, np.full(more, -1, np.int64)])
            self._stamp = np.concatenate([self._stamp, np.zeros(more, np.int64)])
            self._tail = np.concatenate([self._tail, np.zeros(more, np.bool_)])
