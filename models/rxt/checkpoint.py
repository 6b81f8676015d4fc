"""A checkpoint is a folder: weights (safetensors), tokenizer (JSON), and a manifest with their SHA-256 and the config.

Notable choices
* The manifest is checked before a tensor is looked at; a file that differs by one byte is refused.
* Only safetensors and JSON are ever read: loading a checkpoint cannot run code.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save

from models.errors import CheckpointCorrupt
from models.rxt.config import RxtConfig
from models.rxt.model import Rxt
from models.text.tokenizer import Tokenizer

WEIGHTS, TOKENIZER, MANIFEST = "model.safetensors", "tokenizer.json", "manifest.json"
RELEASED = Path(__file__).resolve().parent.parent / "checkpoints"


@dataclass(frozen=True)
class Checkpoint:
    """A verified model and its tokenizer."""

    model: Rxt
    tokenizer: Tokenizer
    weights_sha256: str
    tokenizer_sha256: str


def sha256_of(body: bytes) -> str:
    """Hex digest."""
    return hashlib.sha256(body).hexdigest()


def save_checkpoint(folder: Path, model: Rxt, tokenizer: Tokenizer) -> None:
    """Writes the three files; the manifest last."""
    folder.mkdir(parents=True, exist_ok=True)
    body = save({name: tensor.contiguous() for name, tensor in model.state_dict().items()})
    (folder / WEIGHTS).write_bytes(body)
    tokenizer.save(folder / TOKENIZER)
    manifest = {
        "config": model.config.as_dict(),
        "files": {WEIGHTS: sha256_of(body), TOKENIZER: tokenizer.sha256},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")


def _verified(folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        files = {name: (folder / name).read_bytes() for name in (WEIGHTS, TOKENIZER)}
        recorded = {name: str(manifest["files"][name]) for name in files}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointCorrupt(f"{folder}: not a checkpoint ({error})") from error
    for name, body in files.items():
        if sha256_of(body) != recorded[name]:
            found = sha256_of(body)
            raise CheckpointCorrupt(f"{folder / name}: SHA-256 is {found}, the manifest says {recorded[name]}")
    return manifest, files


def load_checkpoint(folder: Path | None = None) -> Checkpoint:
    """Loads and verifies a checkpoint, the released one when no folder is given. Raises CheckpointCorrupt."""
    folder = RELEASED if folder is None else folder
    manifest, files = _verified(folder)
    try:
        config = RxtConfig(**manifest["config"])
        tokenizer = Tokenizer.load(folder / TOKENIZER)
        model = Rxt(config)
        model.load_state_dict(load(files[WEIGHTS]))
    except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise CheckpointCorrupt(f"{folder}: weights, config and tokenizer do not fit together ({error})") from error
    if len(tokenizer) != config.words:
        raise CheckpointCorrupt(f"{folder}: the config has {config.words} words, the tokenizer {len(tokenizer)}")
    model.eval().requires_grad_(False)
    hashes = manifest["files"]
    return Checkpoint(model, tokenizer, hashes[WEIGHTS], hashes[TOKENIZER])
