"""The sentence encoder, loaded by its first use: a worker that is never asked to encode never holds its weights."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from memos.generation.port import ModelUnavailable

if TYPE_CHECKING:
    from models.embed import SentenceEncoder


class LazyEncoder:
    """Fits `memos.generation.encoder.Encoder`. Threads may share it; the first one loads and the others wait."""

    model = "all-MiniLM-L6-v2"
    dimensions = 384

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._encoder: SentenceEncoder | None = None

    def encode(self, texts: Sequence[str]) -> list[list[float]]:
        if not texts:
            return []
        vectors: list[list[float]] = self._loaded().encode(list(texts)).tolist()
        return vectors

    def _loaded(self) -> "SentenceEncoder":
        from models.embed import SentenceEncoder
        from models.errors import EmbedderUnavailable

        with self._lock:
            if self._encoder is None:
                try:
                    self._encoder = SentenceEncoder.load()
                except EmbedderUnavailable as error:
                    raise ModelUnavailable(f"the sentence encoder cannot be loaded: {error}") from error
            return self._encoder
