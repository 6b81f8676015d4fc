"""A trained twin as a folder, like an RxT checkpoint: weights, tokenizer, and a manifest with their SHA-256.

Notable choices
* The manifest says what it is (`"kind": "stateless"`), so that neither loader takes the other's folder.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save

from models.baselines.stateless import Stateless, StatelessConfig
from models.errors import CheckpointCorrupt
from models.rxt.checkpoint import MANIFEST, TOKENIZER, WEIGHTS, sha256_of
from models.text.tokenizer import Tokenizer

KIND = "stateless"


@dataclass(frozen=True)
class Twin:
    """A verified twin and its tokenizer."""

    model: Stateless
    tokenizer: Tokenizer
    weights_sha256: str


def save_twin(folder: Path, model: Stateless, tokenizer: Tokenizer) -> None:
    """Writes the three files; the manifest last."""
    folder.mkdir(parents=True, exist_ok=True)
    body = save({name: tensor.contiguous() for name, tensor in model.state_dict().items()})
    (folder / WEIGHTS).write_bytes(body)
    tokenizer.save(folder / TOKENIZER)
    files = {WEIGHTS: sha256_of(body), TOKENIZER: tokenizer.sha256}
    manifest = {"kind": KIND, "config": model.config.as_dict(), "files": files}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")


def load_twin(folder: Path) -> Twin:
    """Loads and verifies a twin. Raises CheckpointCorrupt."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        if manifest.get("kind") != KIND:
            raise ValueError(f"the manifest's kind is {manifest.get('kind')!r}, expected {KIND!r}")
        files = {name: (folder / name).read_bytes() for name in (WEIGHTS, TOKENIZER)}
        for name, body in files.items():
            if sha256_of(body) != manifest["files"][name]:
                raise ValueError(f"{name} is not the file that was saved: its SHA-256 differs")
        tokenizer = Tokenizer.load(folder / TOKENIZER)
        model = Stateless(StatelessConfig(**manifest["config"]))
        model.load_state_dict(load(files[WEIGHTS]))
        if len(tokenizer) != model.config.words:
            raise ValueError(f"the config has {model.config.words} words, the tokenizer {len(tokenizer)}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        raise CheckpointCorrupt(f"{folder}: not a stateless twin ({error})") from error
    model.eval().requires_grad_(False)
    return Twin(model, tokenizer, manifest["files"][WEIGHTS])
