"""A run that starts from another checkpoint: words by name, start values for what is missing, the rest is named."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.errors import CheckpointCorrupt
from models.rxt.checkpoint import MANIFEST, WEIGHTS, save_checkpoint, sha256_of
from models.rxt.config import RxtConfig, preset
from models.rxt.model import Rxt
from models.text.tokenizer import Tokenizer
from models.training.warm_start import warm_start

OLD = ["apple", "dog", "my", "zebra"]
NEW = ["aardvark", "apple", "dog", "my", "what"]


def made(words: list[str], seed: int, **changes: int) -> tuple[Rxt, Tokenizer]:
    tokenizer = Tokenizer.build(words, {})
    torch.manual_seed(seed)
    config = preset("tiny", len(tokenizer)).as_dict() | changes
    return Rxt(RxtConfig(**config)), tokenizer


@pytest.fixture
def old(tmp_path: Path) -> tuple[Rxt, Tokenizer, Path]:
    model, tokenizer = made(OLD, 0)
    save_checkpoint(tmp_path, model, tokenizer)
    return model, tokenizer, tmp_path


def edit(folder: Path, change) -> None:
    """Rewrites the weights, and the manifest to fit."""
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][WEIGHTS] = sha256_of((folder / WEIGHTS).read_bytes())
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_words_are_matched_by_name(old):
    source, theirs, folder = old
    model, tokenizer = made(NEW, 1)
    before = model.word_table.detach().clone()
    result = warm_start(model, tokenizer, folder)
    for word in ("[PAD]", "[EOS]", "apple", "dog", "my"):
        assert torch.equal(model.word_table[tokenizer.ids[word]], source.word_table[theirs.ids[word]])
    for word in ("aardvark", "what"):
        assert torch.equal(model.word_table[tokenizer.ids[word]], before[tokenizer.ids[word]])
    assert result.words_fresh == ("aardvark", "what")
    assert result.words_left_out == ("zebra",)
    assert (result.missing, result.unused, result.reshaped) == ((), (), ())


def test_everything_else_is_taken_as_it_is(old):
    source, _, folder = old
    model, tokenizer = made(NEW, 1)
    result = warm_start(model, tokenizer, folder)
    theirs = source.state_dict()
    for name, tensor in model.state_dict().items():
        if name != "word_table":
            assert torch.equal(tensor, theirs[name]), name
    assert result.matched == len(theirs) - 2
    assert result.rows_matched == 64


def test_what_the_other_model_has_not_keeps_its_start_and_is_named(old):
    _, _, folder = old
    edit(folder, lambda tensors: tensors.pop("decoder.norm.gain"))
    model, tokenizer = made(OLD, 1)
    model.decoder.norm.gain.data.fill_(7.0)
    result = warm_start(model, tokenizer, folder)
    assert result.missing == ("decoder.norm.gain",)
    assert torch.equal(model.decoder.norm.gain, torch.full((16,), 7.0))


def test_what_this_model_has_not_is_named(old):
    _, _, folder = old
    edit(folder, lambda tensors: tensors.update(extra=torch.zeros(3)))
    model, tokenizer = made(OLD, 1)
    assert warm_start(model, tokenizer, folder).unused == ("extra",)


def test_other_sizes_are_named_and_left_alone(old):
    source, _, folder = old
    model, tokenizer = made(OLD, 1, slots=6, rows=80)
    start, rows = model.start.clone(), model.row_table.clone()
    result = warm_start(model, tokenizer, folder)
    assert "start" in result.reshaped
    assert torch.equal(model.start, start)
    assert torch.equal(model.row_table[:64], source.row_table)
    assert torch.equal(model.row_table[64:], rows[64:])
    assert result.rows_matched == 64


def test_a_damaged_checkpoint_is_refused(old):
    _, _, folder = old
    body = bytearray((folder / WEIGHTS).read_bytes())
    body[-1] ^= 1
    (folder / WEIGHTS).write_bytes(bytes(body))
    model, tokenizer = made(OLD, 1)
    with pytest.raises(CheckpointCorrupt, match="SHA-256"):
        warm_start(model, tokenizer, folder)
    with pytest.raises(CheckpointCorrupt, match="not a checkpoint"):
        warm_start(model, tokenizer, folder / "nowhere")
