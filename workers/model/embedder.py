"""Which encoders a worker can load. Each is loaded by its first use: a worker that is never asked to encode never holds
weights, nor torch."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from memos.generation.encoder import DEFAULT_SPEC, CannotLoad, Encoder, HashEncoder, model_id

if TYPE_CHECKING:
    from models.embed import SentenceEncoder


class NeuralEncoder:
    """A loaded sentence encoder under the id that its spec and its files give it."""

    def __init__(self, spec: str, encoder: "SentenceEncoder") -> None:
        self._encoder = encoder
        self.dimensions: int = encoder.dimension
        self.model = model_id(spec, encoder.sha256, encoder.dimension)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._encoder.encode(texts)


def load_encoder(spec: str) -> Encoder:
    """`all-MiniLM-L6-v2` as packaged, `hash-48`, or a folder as sentence-transformers writes it. Raises CannotLoad."""
    hashed = HashEncoder.of(spec)
    if hashed is not None:
        return hashed
    from models.embed import SentenceEncoder
    from models.errors import EmbedderUnavailable

    try:
        return NeuralEncoder(spec, SentenceEncoder.load(None if spec == DEFAULT_SPEC else _folder(spec)))
    except EmbedderUnavailable as error:
        raise CannotLoad(str(error)) from error


def one_torch_thread() -> None:
    """Torch keeps the number of threads per thread. One that has not been imported needs no telling: it is told by
    `OMP_NUM_THREADS` when it is."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def _folder(spec: str) -> Path:
    folder = Path(spec)
    if not folder.is_absolute():
        raise CannotLoad("a folder is named by its whole path, and nothing is downloaded")
    return folder
