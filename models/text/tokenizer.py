"""The table of known words. Everything else is a row, and which row is the lexicon's business.

Notable choices
* The file is one JSON object: `words` in id order (special tokens first) and `display`, how some words are written.
* Known words are those the training language uses; a common word that training never showed would be worse off as a
  known word (an untrained vector) than as a row (handled like any new word).
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

PAD, BOS, QUERY, ANSWER, EOS, THINK, RECALL = range(7)
SPECIAL = ("[PAD]", "[BOS]", "[Q]", "[A]", "[EOS]", "[T]", "[M]")
FEWEST_SPECIAL = 6  # older tables end before [M]: id 6 is a word there


@dataclass(frozen=True)
class Tokenizer:
    """Known words <-> ids 0..V-1."""

    words: tuple[str, ...]
    display: dict[str, str]
    ids: dict[str, int]
    sha256: str

    @classmethod
    def build(cls, words: Iterable[str], display: dict[str, str]) -> "Tokenizer":
        """A tokenizer over `words` (sorted, duplicates dropped)."""
        known = (*SPECIAL, *sorted(set(words) - set(SPECIAL)))
        body = cls._body(known, display)
        return cls(known, display, {w: i for i, w in enumerate(known)}, hashlib.sha256(body).hexdigest())

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Reads what `save` wrote. Raises ValueError or KeyError for anything else."""
        body = path.read_bytes()
        data = json.loads(body)
        words = tuple(data["words"])
        if words[:FEWEST_SPECIAL] != SPECIAL[:FEWEST_SPECIAL] or len(set(words)) != len(words):
            raise ValueError(f"{path}: not a tokenizer file")
        return cls(words, dict(data["display"]), {w: i for i, w in enumerate(words)}, hashlib.sha256(body).hexdigest())

    @staticmethod
    def _body(words: Sequence[str], display: dict[str, str]) -> bytes:
        data = {"version": 1, "words": list(words), "display": dict(sorted(display.items()))}
        return (json.dumps(data, ensure_ascii=False, indent=0) + "\n").encode()

    def save(self, path: Path) -> None:
        """Writes the table; equal tables give equal bytes."""
        path.write_bytes(self._body(self.words, self.display))

    def __len__(self) -> int:
        return len(self.words)

    @property
    def specials(self) -> int:
        """How many special tokens this table begins with."""
        return len(SPECIAL) if self.words[: len(SPECIAL)] == SPECIAL else FEWEST_SPECIAL
