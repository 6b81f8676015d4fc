"""Who is measured: recall as it is, and what one would otherwise take, over the same vectors. A registry, by name.

A party is given a scope in an index and answers questions; its own cost is the processor time of `find`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memos.recall.bm25 import Lexical
from memos.recall.index import RecallIndex
from memos.recall.measuring.data import Question, Scope
from memos.recall.measuring.figures import LONGEST
from memos.recall.query import Asked
from memos.recall.question import stems
from memos.recall.view import View
from memos.recall.weights import WEIGHTS

RRF = 60  # of reciprocal-rank fusion, as usual
Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Embedded:
    """`items` [n, d] in the order of the scope; by text, the questions as they are and as recall would have them."""

    items: Vectors
    questions: Mapping[str, Vectors]


class Party(ABC):
    """Of one scope."""

    def __init__(self, scope: Scope, embedded: Embedded, index: RecallIndex) -> None:
        self.scope, self.embedded, self.index = scope, embedded, index

    @abstractmethod
    def find(self, question: Question) -> tuple[str, ...]:
        """Cube ids, the best first, at most LONGEST."""

    def cosines(self, question: Question) -> NDArray[np.float32]:
        """Of the question as it was asked."""
        return np.asarray(self.embedded.items @ self.embedded.questions[question.text])

    def bm25(self, question: Question) -> NDArray[np.float64]:
        view: View = self.index.view
        scores = Lexical(view, stems(question.text).tolist()).scores
        return np.array([scores[self.index.row(item.cube_id)] for item in self.scope.items])

    def best(self, scores: NDArray[np.float64] | NDArray[np.float32]) -> tuple[str, ...]:
        order = np.argsort(-scores, kind="stable")[:LONGEST]
        return tuple(self.scope.items[place].cube_id for place in order)


class Cosine(Party):
    def find(self, question: Question) -> tuple[str, ...]:
        return self.best(self.cosines(question))


class Bm25(Party):
    def find(self, question: Question) -> tuple[str, ...]:
        return self.best(self.bm25(question))


class Fusion(Party):
    """Reciprocal-rank fusion of the two."""

    def find(self, question: Question) -> tuple[str, ...]:
        both = (self.cosines(question).astype(np.float64), self.bm25(question))
        ranks = [np.argsort(np.argsort(-scores, kind="stable"), kind="stable") for scores in both]
        return self.best(np.sum([1.0 / (RRF + 1 + rank) for rank in ranks], axis=0))


class Memos(Party):
    """Recall as it is."""

    def find(self, question: Question) -> tuple[str, ...]:
        vector = self.embedded.questions[self.index.to_embed(question.text)]
        asked = Asked(question.text, vector, LONGEST, now=question.now)
        return tuple(hit.item.cube_id for hit in self.index.search(asked))


class MemosAsAsked(Party):
    """The same, but what is embedded is the question as it was asked, names and all."""

    def find(self, question: Question) -> tuple[str, ...]:
        asked = Asked(question.text, self.embedded.questions[question.text], LONGEST, now=question.now)
        return tuple(hit.item.cube_id for hit in self.index.search(asked))


PARTIES: dict[str, type[Party]] = {"cosine": Cosine, "bm25": Bm25, "rrf": Fusion, "memos": Memos}


def _steps() -> Iterator[tuple[str, type[Party], Mapping[str, float]]]:
    """One signal after the other. Where words count once, they have the weight of both ways to count them."""
    both = WEIGHTS["words"] + WEIGHTS["passage"]
    meaning = {"meaning": WEIGHTS["meaning"]}
    yield "meaning, as asked", MemosAsAsked, meaning
    yield "meaning, as put to the person", Memos, meaning
    yield "+ words", Memos, meaning | {"words": both}
    yield "passage instead of words", Memos, meaning | {"passage": both}
    held = meaning | {name: WEIGHTS[name] for name in ("words", "passage")}
    yield "words and passage", Memos, held
    for name in ("person", "self", "answer", "following", "asking", "timed", "period"):
        held = held | {name: WEIGHTS[name]}
        yield f"+ {name}", Memos, held
    yield "all", Memos, WEIGHTS
    for name in WEIGHTS:
        yield f"all without {name}", Memos, {**WEIGHTS, name: 0.0}
    yield "all, meaning as asked", MemosAsAsked, WEIGHTS


STEPS: tuple[tuple[str, type[Party], Mapping[str, float]], ...] = tuple(_steps())
