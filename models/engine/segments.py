"""Cuts token sequences of any length into pieces the model was trained to read.

Notable choices
* A piece is whole sentences while they fit, so that a fact and whose fact it is stay together.
* Of very long text the beginning and the end are kept: a letter says who writes at its start and asks at its end.
"""

from collections.abc import Collection, Sequence

PACKED = 24  # tokens: sentences are put together up to here
MAX_PIECES = 12
HEAD_PIECES = 4


def pieces_of(ids: Sequence[int], ends: Collection[int], longest: int) -> list[list[int]]:
    """At least one piece (maybe empty), at most 12, each of at most `longest` tokens. `ends` end a sentence."""
    pieces: list[list[int]] = [[]]
    for sentence in _sentences(ids, ends, longest):
        if pieces[-1] and len(pieces[-1]) + len(sentence) > min(PACKED, longest):
            pieces.append([])
        pieces[-1] += sentence
    if len(pieces) > MAX_PIECES:
        return pieces[:HEAD_PIECES] + pieces[HEAD_PIECES - MAX_PIECES :]
    return pieces


def _sentences(ids: Sequence[int], ends: Collection[int], longest: int) -> list[list[int]]:
    out: list[list[int]] = [[]]
    for token in ids:
        if len(out[-1]) >= longest or (out[-1] and out[-1][-1] in ends and token not in ends):
            out.append([])
        out[-1].append(token)
    return out
