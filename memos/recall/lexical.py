"""Postings: which rows hold a word, and how often. In NumPy, so that no query walks through documents in Python.

Notable choices:

* Segments as in a log-structured merge tree: what is put makes a small one, and two neighbours of like size become one.
  A put costs what it brings, and a word is looked up in a handful of sorted arrays.
* A segment never changes. A reader takes the tuple of them once and is not disturbed by a writer.
* A removed row stays in its segments until `purge`; whoever reads masks it. The counts that BM25 needs are taken over
  living rows, so that a scope ranks as one that never held what was removed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from memos.recall.words import Hashes

Rows: TypeAlias = NDArray[np.int32]
Counts: TypeAlias = NDArray[np.uint8]
MOST_COUNT = 255  # how often a word may be in one text; more counts as this


@dataclass(frozen=True, slots=True)
class Segment:
    """`words` is sorted; the rows of words[i] are rows[starts[i] : starts[i + 1]], each once."""

    words: Hashes
    starts: NDArray[np.int64]
    rows: Rows
    counts: Counts

    @property
    def size_bytes(self) -> int:
        return self.words.nbytes + self.starts.nbytes + self.rows.nbytes + self.counts.nbytes


Segments: TypeAlias = tuple[Segment, ...]


class Postings:
    def __init__(self) -> None:
        self.segments: Segments = ()

    @property
    def size_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self.segments)

    def put(self, rows: Sequence[int], line: Hashes, lengths: NDArray[np.int32]) -> None:
        """Of rows that were never put, or purged since: the words of each behind each other, and how many there are."""
        if not len(line):
            return
        segments = [*self.segments, _segment(line, np.repeat(np.asarray(rows, np.int32), lengths))]
        while len(segments) > 1 and len(segments[-2].rows) <= 2 * len(segments[-1].rows):
            segments[-2:] = [_merged(segments[-2:])]
        self.segments = tuple(segments)

    def purge(self, alive: NDArray[np.bool_]) -> None:
        """Lets go of every row that is not alive."""
        self.segments = (_merged(self.segments, alive),) if self.segments else ()


def postings_of(word: int, segments: Segments) -> tuple[Rows, Counts]:
    """Rows that hold the word, those that died among them, and how often."""
    found: list[tuple[Rows, Counts]] = []
    for segment in segments:
        place = int(segment.words.searchsorted(word))
        if place < len(segment.words) and segment.words[place] == word:
            reach = slice(int(segment.starts[place]), int(segment.starts[place + 1]))
            found.append((segment.rows[reach], segment.counts[reach]))
    if len(found) == 1:
        return found[0]
    if not found:
        return np.empty(0, np.int32), np.empty(0, np.uint8)
    return np.concatenate([rows for rows, _ in found]), np.concatenate([counts for _, counts in found])


def _segment(words: Hashes, rows: Rows) -> Segment:
    """Of every place where a word stands: words and rows beside each other, int64 [w] and int32 [w]."""
    distinct, which = np.unique(words, return_inverse=True)
    pairs, counts = np.unique((which.astype(np.int64) << 32) | rows, return_counts=True)
    of_word = pairs >> 32
    return Segment(
        distinct,
        np.searchsorted(of_word, np.arange(len(distinct) + 1)),
        (pairs & 0xFFFFFFFF).astype(np.int32),
        np.minimum(counts, MOST_COUNT).astype(np.uint8),
    )


def _merged(segments: Sequence[Segment], alive: NDArray[np.bool_] | None = None) -> Segment:
    words = np.concatenate([np.repeat(one.words, np.diff(one.starts)) for one in segments])
    rows = np.concatenate([one.rows for one in segments])
    counts = np.concatenate([one.counts for one in segments])
    if alive is not None:
        kept = alive[rows]
        words, rows, counts = words[kept], rows[kept], counts[kept]
    order = np.argsort(words, kind="stable")
    words = words[order]
    distinct, first = np.unique(words, return_index=True)
    return Segment(distinct, np.append(first, len(words)).astype(np.int64), rows[order], counts[order])
