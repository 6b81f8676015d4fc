"""Turning texts into vectors: what an encoder must be able to do, and the shipped fake of it."""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import numpy as np

_WORD = re.compile(r"\w+")


class Encoder(Protocol):
    """May be called from several threads at once."""

    @property
    def model(self) -> str: ...
    @property
    def dimensions(self) -> int: ...

    def encode(self, texts: Sequence[str]) -> list[list[float]]: ...  # one unit vector per text, in order


class HashEncoder:
    """Deterministic vectors from hashed words: texts that share words are near, and nothing is understood.

    It serves where no model is loaded (`--generator echo`), with the dimensions of the real encoder so that an index
    built for one has the shape of the other.
    """

    model = "hash-384"
    dimensions = 384

    def encode(self, texts: Sequence[str]) -> list[list[float]]:
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> list[float]:
        vector = np.zeros(self.dimensions)
        words = Counter(_WORD.findall(text.lower())) or Counter({text: 1})
        for word, count in words.items():
            digest = hashlib.sha256(word.encode("utf-8", "surrogatepass")).digest()
            sign = 1.0 if digest[0] & 1 else -1.0
            vector[int.from_bytes(digest[1:5], "little") % self.dimensions] += sign * (1 + math.log(count))
        norm = float(np.linalg.norm(vector))
        if norm == 0.0:  # two words met in one place with opposite signs
            vector[0], norm = 1.0, 1.0
        return [float(value) for value in vector / norm]
