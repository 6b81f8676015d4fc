"""From a question to hits: which memories may be found, how they score, which of them are shown.

A score is the sum of its signals. Those of meaning and of words are standardised over the scope (how many deviations
above its mean), since neither cosines nor BM25 say by themselves what is much; what helps beside them is added in the
same measure.
"""

import numpy as np
from numpy.typing import NDArray

from memos.recall.lexical import postings_of
from memos.recall.query import Asked, Hit
from memos.recall.vectors.port import VectorIndex
from memos.recall.view import View
from memos.recall.words import plain, stem_hashes

SATURATION, LENGTH = 1.2, 0.75  # k1 and b of BM25
SCALE = 12.0  # deviations that make a score of 1
Scores = NDArray[np.float64]
Rows = NDArray[np.int64]


def ranked(view: View, vectors: VectorIndex, asked: Asked) -> list[Hit]:
    if asked.top_k <= 0 or not view.count:
        return []
    rows = _findable(view, asked)
    signals = {"words": _words(view, asked.text)[rows]}
    if asked.vector is not None and len(vectors):
        mean, deviation = vectors.spread(asked.vector)
        cosines = vectors.scores(asked.vector, rows).astype(np.float64)
        signals["meaning"] = (cosines - mean) / max(deviation, 1e-9) / SCALE
    total = np.sum(list(signals.values()), axis=0)
    hits: list[Hit] = []
    for place in np.argsort(-total, kind="stable"):
        item = view.items[rows[place]]
        if item is None or (asked.filters is not None and not asked.filters.matches(item)):
            continue
        score = float(total[place])
        if asked.threshold is not None and score < asked.threshold:
            break
        parts = {name: float(values[place]) for name, values in signals.items()} if asked.explain else {}
        hits.append(Hit(item, score, len(hits) + 1, parts))
        if len(hits) == asked.top_k:
            break
    return hits


def _findable(view: View, asked: Asked) -> Rows:
    columns, end = view.columns, view.end
    kept = columns.alive[:end] & (columns.expires_at[:end] > asked.now)
    if not asked.history:
        kept &= ~columns.superseded[:end] & (columns.valid_to[:end] > asked.now)
    return np.flatnonzero(kept)


def _words(view: View, text: str) -> Scores:
    """BM25 of every row, standardised over the living ones."""
    alive = view.columns.alive[: view.end]
    scores = np.zeros(view.end)
    norm = SATURATION * (1 - LENGTH + LENGTH * view.columns.length[: view.end] / max(view.words / view.count, 1e-9))
    for word in set(stem_hashes(plain(text))):
        rows, counts = postings_of(word, view.segments)
        kept = alive[rows]
        rows, found = rows[kept], counts[kept].astype(np.float64)
        idf = np.log1p((view.count - len(rows) + 0.5) / (len(rows) + 0.5))
        scores[rows] += idf * found * (SATURATION + 1) / (found + norm[rows])
    living = scores[alive]
    return np.asarray((scores - living.mean()) / max(float(living.std()), 1e-9) / SCALE)
