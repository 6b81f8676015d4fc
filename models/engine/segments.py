"""Cuts token sequences of any length into pieces the model was trained to read.

Notable choices
* One statement to a piece: two facts in one piece get in each other's way, one at a time both are remembered. So a
  piece ends with its sentence, and before "and my ...".
* What belongs together stays together: a short opening ("Hello!") with what it opens, a sentence that refers back
  ("I have a dog. His name is ...") with what it refers to, and a few words after a question with the question.
* Of very long text the beginning and the end are kept: a letter says who writes at its start and asks at its end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# How text becomes tokens, words and pieces, as part of the fingerprint: the same turns read another way give another
# state. Raise it with every change here or in `models.text`, and conversations are rebuilt by replay.
READING = 2
OPENING = 4  # tokens: a sentence this short leads over to the next
MAX_PIECES = 12
HEAD_PIECES = 4


@dataclass(frozen=True, slots=True)
class Marks:
    """The tokens by which sentences are told apart."""

    ends: frozenset[int]
    asks: frozenset[int]
    back: frozenset[int]  # as first token: about the sentence before
    joint: frozenset[int]  # "and"
    subjects: frozenset[int]  # after a joint: a new statement

    @classmethod
    def of(cls, ids: Mapping[str, int]) -> "Marks":
        """From a tokenizer's table of words."""

        def known(words: str) -> frozenset[int]:
            return frozenset(ids[w] for w in words.split() if w in ids)

        return cls(
            known(". ! ?"),
            known("?"),
            known("his her its it he she they their the"),
            known("and"),
            known("my our i i'm i've we"),
        )


def pieces_of(ids: Sequence[int], marks: Marks, longest: int) -> list[list[int]]:
    """At least one piece (maybe empty), at most 12, each of at most `longest` tokens."""
    pieces: list[list[int]] = [[]]
    for sentence in _sentences(ids, marks, longest):
        before = pieces[-1]
        opened = len(before) <= OPENING
        refers = sentence[:1] != [] and sentence[0] in marks.back
        closes = before[-1:] != [] and before[-1] in marks.asks and len(sentence) <= OPENING
        together = opened or refers or (closes and sentence[-1] not in marks.asks)
        if not together or len(pieces[-1]) + len(sentence) > longest:
            pieces.append([])
        pieces[-1] += sentence
    if len(pieces) > MAX_PIECES:
        return pieces[:HEAD_PIECES] + pieces[HEAD_PIECES - MAX_PIECES :]
    return pieces


def _sentences(ids: Sequence[int], marks: Marks, longest: int) -> list[list[int]]:
    out: list[list[int]] = [[]]
    for index, token in enumerate(ids):
        ended = bool(out[-1]) and out[-1][-1] in marks.ends and token not in marks.ends
        joins = token in marks.joint and index + 1 < len(ids) and ids[index + 1] in marks.subjects
        if len(out[-1]) >= longest or ended or (joins and len(out[-1]) > OPENING):
            out.append([])
        out[-1].append(token)
    return out
