"""What speaks for a memory as an answer, one function each behind a registry: name -> values of the rows looked at.

A signal knows nothing of its weight, and one that has none is not computed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from memos.recall.bm25 import Lexical
from memos.recall.lexical import postings_of
from memos.recall.meaning import Meaning
from memos.recall.question import Question, stems
from memos.recall.rows import NOBODY
from memos.recall.view import View
from memos.recall.words import Traits

DAY_S = 86_400.0
NEIGHBOURS_S = 6 * 3_600.0  # further apart in time, two memories of a thread are no neighbours
TOLD_LATER_S = 10 * DAY_S  # what happened is told of some days after
LEAST_ANCHOR = 3.0  # deviations of words that make a memory the event that is spoken of
Values = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Scene:
    """One question before the rows that are looked at, [n]. `known` [end]: which rows may bear on it."""

    view: View
    question: Question
    lexical: Lexical
    meaning: Meaning
    rows: Rows
    known: NDArray[np.bool_]

    @cached_property
    def before(self) -> Rows:
        """The row before each in its thread, or NOBODY."""
        return self._neighbours(self.view.columns.before)

    @cached_property
    def after(self) -> Rows:
        return self._neighbours(self.view.columns.after)

    def at(self) -> Values:
        return np.asarray(self.view.columns.at[self.rows])

    def trait(self, which: Traits) -> Values:
        return np.asarray(self.view.columns.traits[self.rows, which], np.float64)

    @cached_property
    def nearness(self) -> Values:
        """In meaning, of the rows looked at and their neighbours; [end + 1], and 0 at NOBODY."""
        wanted = np.zeros(self.view.end + 1, np.bool_)
        wanted[self.rows] = wanted[self.before] = wanted[self.after] = True
        found = np.flatnonzero(wanted[:-1])
        values = np.zeros(self.view.end + 1)
        values[found] = self.meaning.deviations(found)
        return values

    def _neighbours(self, column: NDArray[np.int32]) -> Rows:
        found = column[self.rows].astype(np.int64)
        at = self.view.columns.at
        far = np.abs(at[found] - at[self.rows]) > NEIGHBOURS_S
        return np.where(
            (found == NOBODY) | (found >= self.view.end) | far | ~self.known[found % self.view.end], NOBODY, found
        )


Signal = Callable[[Scene], Values | None]  # None: it says nothing about this question
SIGNALS: dict[str, Signal] = {}


def register(name: str) -> Callable[[Signal], Signal]:
    def add(made: Signal) -> Signal:
        SIGNALS[name] = made
        return made

    return add


def signals(scene: Scene, weights: Mapping[str, float]) -> dict[str, Values]:
    """The weighted parts of the score of every row, by name."""
    found: dict[str, Values] = {}
    for name, weight in weights.items():
        values = SIGNALS[name](scene) if weight else None
        if values is not None:
            found[name] = weight * values
    return found


@register("meaning")
def meaning(scene: Scene) -> Values:
    """Cosine to the question, in deviations above the mean."""
    return np.asarray(scene.nearness[scene.rows])


@register("words")
def words(scene: Scene) -> Values | None:
    """BM25 of the text alone, in deviations."""
    return scene.lexical.words(scene.rows) if scene.question.words else None


@register("passage")
def passage(scene: Scene) -> Values | None:
    """BM25 of the text with its neighbours, in deviations."""
    return scene.lexical.passages(scene.rows, scene.before, scene.after) if scene.question.words else None


@register("answer")
def answer(scene: Scene) -> Values:
    """What stands before it asks something, and is near to the question: this may be the answer."""
    asks = scene.view.columns.traits[scene.before, Traits.ASKING] > 0  # of NOBODY: whatever
    return np.asarray(scene.nearness[np.where(asks, scene.before, NOBODY)])


@register("following")
def following(scene: Scene) -> Values:
    """How near what stands after it is."""
    return np.asarray(scene.nearness[scene.after])


@register("person")
def person(scene: Scene) -> Values | None:
    """Whoever is asked about says it. What nobody said is about those whom it names."""
    if scene.question.speaker is None:
        return None
    speakers = scene.view.columns.speaker[scene.rows]
    said = speakers == scene.question.speaker
    unsaid = speakers == NOBODY
    if unsaid.any():
        named = np.zeros(scene.view.end, np.bool_)
        for name in scene.question.names:
            rows, _ = postings_of(name, scene.view.segments)
            named[rows[rows < scene.view.end]] = True
        said |= unsaid & named[scene.rows]
    return np.asarray(said, np.float64)


@register("self")
def self_(scene: Scene) -> Values | None:
    """Whoever is asked about speaks of themselves."""
    if scene.question.speaker is None:
        return None
    said = scene.view.columns.speaker[scene.rows] == scene.question.speaker
    return np.asarray(said * scene.trait(Traits.FIRST_PERSON))


@register("role")
def role(scene: Scene) -> Values | None:
    """Who asks about themselves is answered by what they said; who asks what they were told, by what they were told."""
    if not scene.question.role:
        return None
    return np.asarray(scene.view.columns.role[scene.rows] == scene.question.role, np.float64)


@register("asking")
def asking(scene: Scene) -> Values:
    """How much of it is questions, which answer nothing."""
    return scene.trait(Traits.ASKING)


@register("timed")
def timed(scene: Scene) -> Values | None:
    """A time is asked for, and it tells one."""
    return scene.trait(Traits.TIMED) if scene.question.when.asked else None


@register("period")
def period(scene: Scene) -> Values | None:
    """It was so, or was told, at the time that is asked about."""
    asked = scene.question.when
    if not asked.spans and not asked.months:
        return None
    at = scene.at()
    until = scene.view.columns.valid_to[scene.rows]
    found = np.zeros(len(at))
    for start, end in asked.spans:
        told = (at >= start - DAY_S) & (at < end + TOLD_LATER_S)
        held = np.isfinite(until) & (at < end) & (until > start)
        found = np.maximum(found, told | held)
    if asked.months:
        month = at.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64) % 12
        for number in asked.months:
            found = np.maximum(found, (month == number - 1) + 0.3 * (month == number % 12))
    return found


@register("anchor")
def anchor(scene: Scene) -> Values | None:
    """It was before or after the event that is named; the memory whose words are nearest tells when that was."""
    asked = scene.question.when.anchor
    if asked is None:
        return None
    lexical = Lexical(scene.view, stems(asked[1]).tolist())
    scores = np.where(scene.known, lexical.scores, 0.0)
    event = int(scores.argmax()) if len(scores) else 0
    if not len(scores) or lexical.words(np.array([event]))[0] < LEAST_ANCHOR:
        return None
    then = scene.view.columns.at[event]
    side = scene.at() <= then if asked[0] == "before" else scene.at() >= then
    return np.asarray(side, np.float64)


@register("replaced")
def replaced(scene: Scene) -> Values | None:
    """It was replaced by something newer. Looked at only where history is asked for."""
    superseded = scene.view.columns.superseded[scene.rows]
    return np.asarray(superseded, np.float64) if superseded.any() else None
