"""Turning texts into vectors: what an encoder must be able to do, how its model is named, and the shipped fake of it.

A model is named twice. What an operator configures is its *spec*: `all-MiniLM-L6-v2`, a folder, `hash-48`, or
`openai:URL#model`. What is stored beside vectors is its *id*, `SPEC@DIGEST:DIMENSIONS`: two vectors are comparable only
if their ids are equal, and the id still says how to load the model long after the configuration names another one.
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

DEFAULT_SPEC = "all-MiniLM-L6-v2"
ENDPOINT = "openai:"
DIGEST_CHARS = 12
MAX_DIMENSIONS = 8192
MAX_SPEC_CHARS = 180
MAX_MODEL_CHARS = 200  # of an id
_WORD = re.compile(r"\w+")
_ID = re.compile(rf"(?s)(?P<spec>.+)@[0-9a-f]{{{DIGEST_CHARS}}}:(?P<dimensions>[1-9][0-9]{{0,4}})")
_HASH = re.compile(r"hash-([1-9][0-9]{0,4})")


class Encoder(Protocol):
    """May be called from several threads at once. `model` is an id."""

    @property
    def model(self) -> str: ...
    @property
    def dimensions(self) -> int: ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors [n, dimensions] in the order of the texts."""
        ...


class CannotLoad(Exception):
    """What a spec names is not there, or is not what it should be."""


@dataclass(frozen=True, slots=True)
class ModelId:
    """An id taken apart. `dimensions` is None for what is only a spec."""

    spec: str
    dimensions: int | None

    @property
    def served_elsewhere(self) -> bool:
        """By an endpoint, and not by a process of ours."""
        return self.spec.startswith(ENDPOINT)


def model_id(spec: str, sha256: str, dimensions: int) -> str:
    return f"{spec}@{sha256[:DIGEST_CHARS]}:{dimensions}"


def parsed(model: str) -> ModelId:
    """Of an id or a spec."""
    found = _ID.fullmatch(model)
    return ModelId(found["spec"], int(found["dimensions"])) if found else ModelId(model, None)


class HashEncoder:
    """Deterministic vectors from hashed words: texts that share words are near, and nothing is understood.

    It serves where no model is loaded (`--generator echo`), by default with the dimensions of the real encoder so that
    an index built for one has the shape of the other.
    """

    def __init__(self, dimensions: int = 384) -> None:
        self.dimensions = dimensions
        spec = f"hash-{dimensions}"
        self.model = model_id(spec, hashlib.sha256(f"memos {spec}, revision 1".encode()).hexdigest(), dimensions)

    @classmethod
    def of(cls, spec: str) -> "HashEncoder | None":
        """The encoder that a spec such as `hash-48` names; None: it names something else."""
        found = _HASH.fullmatch(spec)
        return cls(int(found[1])) if found and int(found[1]) <= MAX_DIMENSIONS else None

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in enumerate(texts):
            vectors[row] = self._vector(text)
        return vectors

    def _vector(self, text: str) -> NDArray[np.float64]:
        vector = np.zeros(self.dimensions)
        words = Counter(_WORD.findall(text.lower())) or Counter({text: 1})
        for word, count in words.items():
            digest = hashlib.sha256(word.encode("utf-8", "surrogatepass")).digest()
            sign = 1.0 if digest[0] & 1 else -1.0
            vector[int.from_bytes(digest[1:5], "little") % self.dimensions] += sign * (1 + math.log(count))
        norm = float(np.linalg.norm(vector))
        if norm == 0.0:  # two words met in one place with opposite signs
            vector[0], norm = 1.0, 1.0
        unit: NDArray[np.float64] = vector / norm
        return unit
