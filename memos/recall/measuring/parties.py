"""Who is measured: recall as it is, and what one would otherwise take, over the same vectors. A registry, by name.

A party is given a scope in an index and answers questions; its own cost is the processor time of `find`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
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
# What each step adds: (name, party, weights).
_MEANING = {"meaning": WEIGHTS["meaning"]}
_WORDS = _MEANING | {"words": WEIGHTS["passage"]}
_PASSAGE = _MEANING | {"passage": WEIGHTS["passage"]}
_PERSON = _PASSAGE | {"person": WEIGHTS["person"]}


def _and(base: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    return dict(base) | {name: WEIGHTS[name] for name in names}


_SELF = _and(_PERSON, ("self",))
_ANSWER = _and(_SELF, ("answer",))
_FOLLOWING = _and(_ANSWER, ("following",))
_ASKING = _and(_FOLLOWING, ("asking",))
_TIMED = _and(_ASKING, ("timed",))
_PERIOD = _and(_TIMED, ("period",))
STEPS: tuple[tuple[str, type[Party], Mapping[str, float]], ...] = (
    ("meaning, as asked", MemosAsAsked, _MEANING),
    ("meaning, as put to the person", Memos, _MEANING),
    ("+ words of the text", Memos, _WORDS),
    ("words of the passage instead", Memos, _PASSAGE),
    ("+ person", Memos, _PERSON),
    ("+ self", Memos, _SELF),
    ("+ answer", Memos, _ANSWER),
    ("+ following", Memos, _FOLLOWING),
    ("+ asking", Memos, _ASKING),
    ("+ timed", Memos, _TIMED),
    ("+ period", Memos, _PERIOD),
    ("all", Memos, WEIGHTS),
    *((f"all without {name}", Memos, {**WEIGHTS, name: 0.0}) for name in WEIGHTS),
    ("all, as asked", MemosAsAsked, WEIGHTS),
)
