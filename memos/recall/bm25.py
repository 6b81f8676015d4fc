"""BM25 over postings: of every text by itself, and of a text with its neighbours.

    score = sum over words of  idf * f (k1 + 1) / (f + k1 (1 - b + b length / mean length))
    idf   = ln(1 + (n - df + 1/2) / (df + 1/2))                 Robertson and Zaragoza, 2009; idf as Lucene has it

Notable choices:

* A turn is understood with its neighbours, so a passage (the text before, the text, the text after) is scored like one
  text, but with the rarity of words in single texts.
* Both are told in deviations above the mean over single living texts. In a small scope the deviation says little, and
  is drawn towards a tenth of what a text with all the words could have.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from memos.recall.lexical import Counts, Rows, postings_of
from memos.recall.view import View

K1, B = 0.9, 0.4
PRIOR, PRIOR_SHARE = 20.0, 0.1
Scores = NDArray[np.float64]


class Lexical:
    """The words of one question over one view."""

    def __init__(self, view: View, words: Sequence[int]) -> None:
        self._view = view
        alive = view.columns.alive
        self._found: list[tuple[Rows, Counts, float]] = []
        for word in words:
            rows, counts = postings_of(word, view.segments)
            kept = alive[rows] & (rows < view.end)
            if not kept.all():
                rows, counts = rows[kept], counts[kept]
            if len(rows):
                idf = float(np.log1p((max(view.count - len(rows), 0) + 0.5) / (len(rows) + 0.5)))
                self._found.append((rows, counts, idf))
        self._mean_length = max(view.words / max(view.count, 1), 1.0)
        self.scores = self._scored()
        self._mean, self._deviation = self._settled()

    def words(self, rows: NDArray[np.int64]) -> Scores:
        """Of each text by itself, in deviations."""
        return self._in_deviations(self.scores[rows])

    def passages(self, rows: NDArray[np.int64], before: NDArray[np.int64], after: NDArray[np.int64]) -> Scores:
        """Of each text with those before and after it (-1: none), in deviations."""
        view = self._view
        lengths = np.append(view.columns.length[: view.end], 0).astype(np.float64)
        length = lengths[rows] + lengths[before] + lengths[after]
        mean_length = self._mean_length * (1 + 2 * view.joined / max(view.count, 1))
        norm = K1 * (1 - B + B * length / mean_length)
        total = np.zeros(len(rows))
        frequency = np.zeros(view.end + 1, np.float32)  # -1 reads the last one, which stays 0
        for held, counts, idf in self._found:
            frequency[held] = counts
            f = frequency[rows] + frequency[before] + frequency[after]
            frequency[held] = 0
            total += idf * f * (K1 + 1) / (f + norm)
        return self._in_deviations(total)

    def _scored(self) -> Scores:
        view = self._view
        scores = np.zeros(view.end)
        for rows, counts, idf in self._found:
            f = counts.astype(np.float64)
            norm = K1 * (1 - B + B * view.columns.length[rows] / self._mean_length)
            scores[rows] += idf * f * (K1 + 1) / (f + norm)
        return scores

    def _settled(self) -> tuple[float, float]:
        count = self._view.count
        mean = float(self.scores.sum()) / max(count, 1)
        # Not a dot product: BLAS wakes a thread for every core for it.
        variance = max(float(np.square(self.scores).sum()) / max(count, 1) - mean**2, 0.0)
        usual = PRIOR_SHARE * (K1 + 1) * sum(idf for _, _, idf in self._found)
        share = count / (count + PRIOR)
        return share * mean, max(float(np.sqrt(share * variance + (1 - share) * usual**2)), 1e-6)

    def _in_deviations(self, scores: Scores) -> Scores:
        return (scores - self._mean) / self._deviation
