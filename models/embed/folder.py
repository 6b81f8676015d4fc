"""A folder as sentence-transformers writes it, read into a recipe: what to compute, with which tensors.

Notable choices
* `modules.json` says what is done: a transformer, a pooling, perhaps a normalisation. A folder with any other module,
  or of an architecture that is not in `ARCHITECTURES`, is refused by name rather than computed nearly right.
* Only safetensors are read. Nothing is downloaded, and no code of the folder is run.
* The digest covers every file that the vectors depend on, so another pooling is another model.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load
from tokenizers import Tokenizer
from torch import Tensor

from models.errors import EmbedderUnavailable

WEIGHTS = "model.safetensors"
ARCHITECTURES = ("bert", "mpnet", "xlm-roberta", "roberta")
POOLINGS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "first",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "root",
}
NEWER = {
    "mean": "pooling_mode_mean_tokens",
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
}
MODULES = ("Transformer", "Pooling", "Normalize")
ACTIVATIONS = ("gelu",)
MOST_TOKENS = 8192
SETTINGS = (
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "tokenizer_config.json",
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """`first_position` is the row of the position table for the first token; `prompt` is put before every text."""

    architecture: str
    layers: int
    heads: int
    width: int
    eps: float
    first_position: int
    pooling: str
    max_tokens: int
    lower_case: bool
    prompt: str


@dataclass(frozen=True, slots=True)
class Folder:
    recipe: Recipe
    tensors: dict[str, Tensor]  # under their released names, without the model's own prefix
    tokenizer: Tokenizer
    sha256: str


def read_folder(folder: Path, weights_sha256: str | None = None) -> Folder:
    """Raises EmbedderUnavailable for what is missing, altered or of a kind that is not known here."""
    names = [WEIGHTS, "tokenizer.json", "config.json"]
    try:
        files = {name: (folder / name).read_bytes() for name in names}
    except OSError as error:
        raise EmbedderUnavailable(f"{folder}: no readable {', '.join(names)} ({error.strerror})") from error
    found = hashlib.sha256(files[WEIGHTS]).hexdigest()
    if weights_sha256 is not None and found != weights_sha256:
        raise EmbedderUnavailable(f"{folder}: SHA-256 of the weights is {found}, expected {weights_sha256}")
    pooling_file = _modules(folder, files)
    for name in (*SETTINGS, pooling_file):
        if name and (folder / name).exists():
            files[name] = (folder / name).read_bytes()
    try:
        recipe = _recipe(folder, files, pooling_file)
        tensors = {_plain(name): tensor for name, tensor in load(files[WEIGHTS]).items()}
        tokenizer = Tokenizer.from_str(files["tokenizer.json"].decode())
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise EmbedderUnavailable(f"{folder}: not a sentence encoder ({type(error).__name__}: {error})") from error
    except Exception as error:  # the tokenizer library raises nothing narrower
        raise EmbedderUnavailable(f"{folder}: its tokenizer cannot be read ({error})") from error
    tokenizer.enable_truncation(recipe.max_tokens)
    tokenizer.no_padding()
    digests = "".join(f"{name} {hashlib.sha256(files[name]).hexdigest()}\n" for name in sorted(files))
    return Folder(recipe, tensors, tokenizer, hashlib.sha256(digests.encode()).hexdigest())


def _modules(folder: Path, files: dict[str, bytes]) -> str | None:
    """Where the pooling's settings are; None: there is no list of modules, and the mean is taken."""
    try:
        listed = json.loads((folder / "modules.json").read_bytes())
        kinds = [str(module["type"]).rpartition(".")[2] for module in listed]
        places = [str(module["path"]) for module in listed]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EmbedderUnavailable(f"{folder}: modules.json cannot be read ({error})") from error
    if kinds[:2] != list(MODULES[:2]) or kinds[2:] not in ([], ["Normalize"]):
        raise EmbedderUnavailable(f"{folder}: its modules are {', '.join(kinds)}; known are {', '.join(MODULES)}")
    if places[0] not in ("", ".") or ".." in Path(places[1]).parts or Path(places[1]).is_absolute():
        raise EmbedderUnavailable(f"{folder}: its modules lie elsewhere: {places}")
    return f"{places[1]}/config.json"


def _recipe(folder: Path, files: dict[str, bytes], pooling_file: str | None) -> Recipe:
    config = json.loads(files["config.json"])
    architecture = str(config.get("model_type"))
    if architecture not in ARCHITECTURES:
        raise EmbedderUnavailable(f"{folder}: architecture {architecture!r}; known are {', '.join(ARCHITECTURES)}")
    if config.get("hidden_act", "gelu") not in ACTIVATIONS or not _absolute(config):
        raise EmbedderUnavailable(f"{folder}: only exact GELU and absolute positions are known here")
    first = 0 if architecture == "bert" else int(config.get("pad_token_id", 1)) + 1
    own, theirs, asked = (json.loads(files.get(name, b"{}")) for name in SETTINGS[1:])
    most = int(own.get("max_seq_length") or asked.get("model_max_length") or MOST_TOKENS)
    fits = min(int(config["max_position_embeddings"]) - first, MOST_TOKENS)
    return Recipe(
        architecture,
        int(config["num_hidden_layers"]),
        int(config["num_attention_heads"]),
        int(config["hidden_size"]),
        float(config.get("layer_norm_eps", 1e-12)),
        first,
        _pooling(folder, json.loads(files[pooling_file]) if pooling_file else {}),
        min(fits, most),
        bool(own.get("do_lower_case", False)),
        str((theirs.get("prompts") or {}).get(theirs.get("default_prompt_name"), "")),
    )


def _absolute(config: dict[str, Any]) -> bool:
    return bool(config.get("position_embedding_type", "absolute") == "absolute")


def _pooling(folder: Path, config: dict[str, Any]) -> str:
    named = config.get("pooling_mode")  # how newer releases say it
    asked = [name for name, on in config.items() if name.startswith("pooling_mode_") and on]
    asked += [NEWER.get(str(named), str(named))] if named else []
    if len(asked) > 1 or any(name not in POOLINGS for name in asked):
        raise EmbedderUnavailable(f"{folder}: its pooling is {asked}; known is one of {', '.join(POOLINGS)}")
    return POOLINGS[asked[0]] if asked else "mean"


def _plain(name: str) -> str:
    """Without the name that some releases put before all their tensors."""
    for prefix in ("bert.", "mpnet.", "roberta."):
        name = name.removeprefix(prefix)
    return name
