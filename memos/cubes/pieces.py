"""A text as a state takes it in: statement by statement, as a conversation would have told it. Pure."""

import re

PIECE_CHARS = 500  # one statement; a longer line is cut at the end of a sentence, or else of a word
MOST_PIECES = 256  # more lines than this are taken in several at once
_BREAK = re.compile(r"(?<=[.!?])\s+|\s+")


def pieces_of(text: str) -> list[str]:
    """Lines that say something, in order, none much longer than PIECE_CHARS, at most MOST_PIECES of them. Together they
    have every word of the text."""
    lines = [piece for line in text.splitlines() if line.strip() for piece in _cut(line.strip())]
    each = -(-len(lines) // MOST_PIECES)
    return ["\n".join(lines[at : at + each]) for at in range(0, len(lines), each)] if lines else []


def _cut(line: str) -> list[str]:
    cut: list[str] = []
    while len(line) > PIECE_CHARS:
        breaks = [found for found in _BREAK.finditer(line) if found.start() <= PIECE_CHARS]
        sentences = [found for found in breaks if line[found.start() - 1] in ".!?"]
        start, end = (sentences or breaks)[-1].span() if breaks else (PIECE_CHARS, PIECE_CHARS)
        cut.append(line[:start])
        line = line[end:]
    return [*cut, line] if line else cut
