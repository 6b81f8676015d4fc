"""Vectors of texts for what measures: made by `models.embed` in a process of its own, and kept in a file if asked for.

A kept file belongs to the encoder that wrote it; give another name for another one.
"""

import json
import sys
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from memos.kit.errors import StartupError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

Run = Callable[[Sequence[str], str], tuple[int, str]]  # (command, its stdin) -> (exit code, its stdout)


class NotEmbedded(StartupError):
    """The texts could not be embedded."""

    code = "not_embedded"
    hint = "What the process said is above."


def embedder(run: Run, kept: Path | None) -> "Callable[[Sequence[str]], Vectors]":
    """Texts -> float32 [n, d], in their order."""

    def embed(texts: Sequence[str]) -> "Vectors":
        import numpy as np

        names = [sha256(text.encode("utf-8", "replace")).hexdigest() for text in texts]
        held = _kept(kept)
        new = {name: text for name, text in zip(names, texts, strict=True) if name not in held}
        if new:
            held = held | dict(zip(new, _embedded(run, list(new.values())), strict=True))
            if kept is not None:
                np.savez(kept, names=np.array(list(held)), vectors=np.stack(list(held.values())))
        return np.stack([held[name] for name in names])

    return embed


def _kept(path: Path | None) -> "dict[str, Vectors]":
    import numpy as np

    if path is None or not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as file:
        return dict(zip(file["names"].tolist(), file["vectors"], strict=True))


def _embedded(run: Run, texts: list[str]) -> "Vectors":
    import numpy as np

    with TemporaryDirectory() as folder:
        out = Path(folder) / "vectors.npy"
        status, _ = run([sys.executable, "-m", "models.embed", str(out)], json.dumps(texts))
        if status or not out.exists():
            raise NotEmbedded
        made: Vectors = np.load(out, allow_pickle=False)
        return made
