"""From a question to hits: which memories may be found, which of them are looked at, how they score, which are shown.

Notable choices:

* Of a small scope every memory is looked at; of a large one those that are nearest in meaning, those that hold most of
  the words, and their neighbours. The score is the same.
* A neighbour that may not be found by whoever asks says nothing about the one that may. (What the caller's own filter
  leaves out may: it narrows what is shown, not what is known.)
* A memory that nearly repeats a better hit comes after what says something else.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memos.recall.bm25 import Lexical
from memos.recall.filters import All, AnyOf, Filter, Is, Not
from memos.recall.likeness import repeats
from memos.recall.masks import Masks
from memos.recall.meaning import Meaning
from memos.recall.query import Asked, Hit
from memos.recall.question import Question, read
from memos.recall.signals import Scene, Values, signals
from memos.recall.view import View
from memos.recall.weights import REPEATS, SCALE

WHOLE = 2_000  # rows up to which all are looked at
LOOKED_AT = 300  # by meaning, and as many by words
MOST_COMPARED = 256  # with each other, for what they repeat
Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Findable:
    """`known`: what may bear on a score at all. `shown`: what may be a hit."""

    known: Mask
    shown: Mask


def ranked(view: View, meaning: Meaning, masks: Masks, asked: Asked, weights: Mapping[str, float]) -> list[Hit]:
    if asked.top_k <= 0 or not view.count:
        return []
    question = read(asked, view)
    may = findable(view, masks, asked, question)
    lexical = Lexical(view, question.words)
    rows = _looked_at(view, may, meaning, lexical, asked.top_k)
    if not len(rows):
        return []
    found = signals(Scene(view, question, lexical, meaning, rows, may.known), weights)
    total = np.zeros(len(rows))
    for values in found.values():
        total += values
    most = min(len(rows), max(4 * asked.top_k, asked.top_k + 20))
    best = np.argpartition(-total, most - 1)[:most]
    best = best[np.lexsort((rows[best], -total[best]))]
    again = np.zeros(most)
    compared = best[: min(MOST_COMPARED, 3 * asked.top_k)]
    again[: len(compared)] = -REPEATS * repeats(view.columns.likeness[rows[compared]])
    order = np.argsort(-(total[best] + again), kind="stable")
    return _hits(view, asked, rows, total, found, [(int(best[place]), float(again[place])) for place in order])


def candidates(view: View, masks: Masks, asked: Asked, most: int) -> list[str]:
    question = read(asked, view)
    may = findable(view, masks, asked, question)
    lexical = Lexical(view, question.words)
    items = [view.items[row] for row in _best_by_words(lexical, may.shown, most).tolist()]
    return [item.version_id for item in items if item is not None]


def _hits(
    view: View,
    asked: Asked,
    rows: Rows,
    total: Values,
    found: Mapping[str, Values],
    order: list[tuple[int, float]],
) -> list[Hit]:
    """`order`: places in `rows`, the best first, and what each is worth less for repeating a better one."""
    hits: list[Hit] = []
    for place, again in order:
        item = view.items[rows[place]]
        if item is None:  # removed meanwhile
            continue
        score = (float(total[place]) + again) / SCALE
        if asked.threshold is not None and score < asked.threshold:
            break
        parts = _parts(found, place, again) if asked.explain else {}
        hits.append(Hit(item, score, len(hits) + 1, parts))
        if len(hits) == asked.top_k:
            break
    return hits


def _parts(found: Mapping[str, Values], place: int, again: float) -> dict[str, float]:
    parts = {name: float(values[place]) / SCALE for name, values in found.items()}
    return {name: part for name, part in (parts | {"repeats": again / SCALE}).items() if part}


def findable(view: View, masks: Masks, asked: Asked, question: Question) -> Findable:
    columns, end = view.columns, view.end
    known = columns.alive[:end] & (columns.expires_at[:end] > asked.now)
    guards, wishes = _parted(asked.filters)
    for guard in guards:
        known &= masks.of(guard, view)
    shown = known.copy()
    if not question.history:
        shown &= (~columns.superseded[:end] & (columns.valid_to[:end] > asked.now)) | _so_then(view, question)
    for wish in wishes:
        shown &= masks.of(wish, view)
    return Findable(known, shown)


def _so_then(view: View, question: Question) -> Mask:
    """What was so at a time that is asked about, though it may be over now: from its beginning until it was over, and
    what was replaced at an unknown time, at its beginning."""
    at, until = view.columns.at[: view.end], view.columns.valid_to[: view.end]
    found = np.zeros(view.end, np.bool_)
    for start, end in question.when.spans:
        found |= (at < end) & np.where(np.isfinite(until), until > start, at >= start)
    return found


def _parted(given: Filter | None) -> tuple[list[Filter], list[Filter]]:
    """What the service lays on a search, and what the caller wishes: filters as `filters.parse` makes them."""
    if given is None:
        return [], []
    parts = given.parts if isinstance(given, All) else (given,)
    wishes: list[Filter] = [part for part in parts if isinstance(part, All | AnyOf | Not | Is)]
    return [part for part in parts if not isinstance(part, All | AnyOf | Not | Is)], wishes


def _looked_at(view: View, findable: Findable, meaning: Meaning, lexical: Lexical, top_k: int) -> Rows:
    if view.end <= WHOLE:
        return np.flatnonzero(findable.shown)
    most = max(LOOKED_AT, 2 * top_k)
    rows = np.concatenate([meaning.nearest(most, findable.shown), _best_by_words(lexical, findable.shown, most)])
    columns = view.columns
    near = np.concatenate([rows, columns.before[rows], columns.after[rows]])
    looked = np.zeros(view.end, np.bool_)
    looked[near[(near >= 0) & (near < view.end)]] = True
    return np.flatnonzero(looked & findable.shown)


def _best_by_words(lexical: Lexical, shown: Mask, most: int) -> Rows:
    rows = np.flatnonzero((lexical.scores > 0) & shown)
    if len(rows) > most:
        rows = np.take(rows, np.argpartition(-lexical.scores[rows], most - 1)[:most])
    return rows
