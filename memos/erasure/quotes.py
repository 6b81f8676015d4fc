"""Finds in a text what it can only have from texts that are erased. Knows no SQL.

A span is quoted when the text has, in the same order,

* three words or more of an erased text, at least one of them not a common one; or
* a single word of a text that was told, if it is no common word; a number counts as a word; or
* eight characters of it on end, in scripts that put no spaces between words, of which one word may be a whole sentence.

What is known from elsewhere is no quote: words and runs of what the user said, and what stays, up to the answer.

Compared are case-folded words in compatibility form (NFKC): another case, another width or other punctuation hides
nothing. Words that a language inflects are other words: what is only similar is shown by nobody and is not found here.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

RUN_WORDS = 3
RUN_CHARS = 8
SHORTEST_WORD = 3  # of a single quoted word, unless it is a number
_WORD = re.compile(r"\w+")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
COMMON = frozenset(
    """
    a about above after again ago all almost along already also always am an and another any anyone anything are around
    as ask at away back be because been before began being best better big both bring but by call called calls came can
    come could day days did do does doing done down each early either else end enough even ever every everyone
    everything far feel few find fine first for found from full gave get gets give given go goes going gone good got
    great had happy has have having he hello help her here hers hey him his how however if in indeed into is it its just
    keep kept kind know known last later least left less let like likes likely little live lives long look lot love made
    make makes many may maybe me mean might mine more most much must my name named need never new next nice no not
    nothing now of off often oh ok okay old on once one only or other our out over own part people perhaps place please
    point put quite rather really remember right said same saw say says see seem seen she should since small so some
    someone something soon sorry start still such sure take tell than thank thanks that the their them then there these
    they thing things think this those thought time to today together told too took two under until up upon us use used
    very want was way we well went were what when where whether which while who whom whose why will with without wonder
    work world would year years yes yet you your yours
    """.split()
)


@dataclass(frozen=True, slots=True)
class Span:
    """Where in the text, in characters."""

    start: int
    end: int


class Known:
    """Words and runs of texts that stay. Grows as a conversation goes on."""

    def __init__(self) -> None:
        self.words: set[str] = set()
        self.runs: set[tuple[str, ...]] = set()

    def add(self, text: str) -> None:
        words = [word for word, _ in _words(text)]
        self.words.update(words)
        self.runs.update(_runs(words))


NOTHING_KNOWN = Known()


class Quotes:
    """Of texts that were told, and of what was answered to them, which counts in runs only: an answer's single words
    are a model's own, or were told."""

    def __init__(self, told: Iterable[str], answered: Iterable[str] = ()) -> None:
        self._runs: set[tuple[str, ...]] = set()
        self._single: set[str] = set()
        self._pieces: set[str] = set()
        for text, is_told in [*((text, True) for text in told), *((text, False) for text in answered)]:
            words = [word for word, _ in _words(text)]
            if is_told:
                self._single.update(word for word in words if _tells(word))
            self._runs.update(run for run in _runs(words) if any(word not in COMMON for word in run))
            for word in words:
                if _UNSPACED.search(word):
                    self._pieces.update(word[at : at + RUN_CHARS] for at in range(len(word) - RUN_CHARS + 1))

    def found(self, text: str, known: Known = NOTHING_KNOWN) -> list[Span]:
        """In order, overlapping ones joined."""
        words = list(_words(text))
        plain = [word for word, _ in words]
        spans = [
            span
            for word, span in words
            if (word in self._single and word not in known.words) or self._holds_piece(word)
        ]
        for at, run in enumerate(_runs(plain)):
            if run in self._runs and run not in known.runs:
                spans.append(Span(words[at][1].start, words[at + RUN_WORDS - 1][1].end))
        return list(_joined(spans))

    def _holds_piece(self, word: str) -> bool:
        return any(word[at : at + RUN_CHARS] in self._pieces for at in range(len(word) - RUN_CHARS + 1))


def _runs(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for at in range(len(words) - RUN_WORDS + 1):
        yield tuple(words[at : at + RUN_WORDS])


def _tells(word: str) -> bool:
    return word.isdigit() or (len(word) >= SHORTEST_WORD and word not in COMMON)


def _words(text: str) -> Iterator[tuple[str, Span]]:
    for found in _WORD.finditer(text):
        yield unicodedata.normalize("NFKC", found[0]).casefold(), Span(found.start(), found.end())


def _joined(spans: list[Span]) -> Iterator[Span]:
    held: Span | None = None
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        if held is None:
            held = span
        elif span.start <= held.end:
            held = Span(held.start, max(held.end, span.end))
        else:
            yield held
            held = span
    if held is not None:
        yield held
