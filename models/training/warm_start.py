"""Starts a run from the weights of another one, whose tokenizer and whose parts may differ.

Notable choices
* Words are matched by name, never by id: a larger vocabulary shifts every id. A new word keeps the vector it was drawn
  with, a word that is gone is left out. Rows for unknown words are all alike, so the first ones are kept.
* A parameter the other model did not have keeps its start value. The additions made so far start where they change
  little (`null_key` and `null_bias` of the memory cross-attention: zeros), so an old model goes on from where it was.
* Nothing is dropped in silence: whatever finds no counterpart of its shape is named in the result, for the log.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from models.errors import CheckpointCorrupt
from models.rxt.checkpoint import MANIFEST, TOKENIZER, WEIGHTS, sha256_of
from models.rxt.model import Rxt
from models.text.tokenizer import Tokenizer

WORD_TABLE, ROW_TABLE = "word_table", "row_table"


@dataclass(frozen=True, slots=True)
class WarmStart:
    """What was taken from another checkpoint, and what could not be."""

    weights_sha256: str
    matched: int  # tensors taken whole
    words_matched: int
    words_fresh: tuple[str, ...]  # in this vocabulary only: they keep the vectors they were drawn with
    words_left_out: tuple[str, ...]  # in the other vocabulary only
    rows_matched: int
    missing: tuple[str, ...]  # parameters the other checkpoint has not: they keep their start values
    unused: tuple[str, ...]  # tensors of the other checkpoint that this model has not
    reshaped: tuple[str, ...]  # of another shape there: they keep their start values

    def as_dict(self) -> dict[str, Any]:
        """As JSON-able values, for the log."""
        return asdict(self)


def weights_of(folder: Path) -> tuple[dict[str, Tensor], Tokenizer, str]:
    """Weights, tokenizer and SHA-256 of a checkpoint of any config. Raises CheckpointCorrupt."""
    try:
        recorded = json.loads((folder / MANIFEST).read_text())["files"]
        body, words = (folder / WEIGHTS).read_bytes(), (folder / TOKENIZER).read_bytes()
        for name, found in ((WEIGHTS, sha256_of(body)), (TOKENIZER, sha256_of(words))):
            if recorded[name] != found:
                raise CheckpointCorrupt(f"{folder / name}: SHA-256 is {found}, the manifest says {recorded[name]}")
        return load(body), Tokenizer.load(folder / TOKENIZER), str(recorded[WEIGHTS])
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise CheckpointCorrupt(f"{folder}: not a checkpoint ({error})") from error


@torch.no_grad()
def warm_start(model: Rxt, tokenizer: Tokenizer, folder: Path) -> WarmStart:
    """Copies what fits from the checkpoint in `folder` into `model`, in place. Raises CheckpointCorrupt."""
    theirs, their_tokenizer, digest = weights_of(folder)
    ours = model.state_dict()  # shares its storage with the model
    same = [n for n, tensor in ours.items() if n in theirs and n not in (WORD_TABLE, ROW_TABLE)]
    reshaped = [n for n in same if theirs[n].shape != ours[n].shape]
    taken = [n for n in same if n not in reshaped]
    for name in taken:
        ours[name].copy_(theirs[name])
    shared: list[str] = []
    if theirs[WORD_TABLE].shape[1] == ours[WORD_TABLE].shape[1]:
        shared = [w for w in tokenizer.words if w in their_tokenizer.ids]
        here = torch.tensor([tokenizer.ids[w] for w in shared], device=ours[WORD_TABLE].device)
        there = torch.tensor([their_tokenizer.ids[w] for w in shared])
        ours[WORD_TABLE][here] = theirs[WORD_TABLE][there].to(ours[WORD_TABLE].device)
    else:
        reshaped.append(WORD_TABLE)
    rows = 0
    if theirs[ROW_TABLE].shape[1] == ours[ROW_TABLE].shape[1]:
        rows = min(len(theirs[ROW_TABLE]), len(ours[ROW_TABLE]))
        ours[ROW_TABLE][:rows].copy_(theirs[ROW_TABLE][:rows])
    else:
        reshaped.append(ROW_TABLE)
    known = set(shared)
    return WarmStart(
        weights_sha256=digest,
        matched=len(taken),
        words_matched=len(shared),
        words_fresh=tuple(w for w in tokenizer.words if w not in known),
        words_left_out=tuple(w for w in their_tokenizer.words if w not in known),
        rows_matched=rows,
        missing=tuple(n for n in ours if n not in theirs),
        unused=tuple(n for n in theirs if n not in ours),
        reshaped=tuple(reshaped),
    )
