"""Engines for the tests: a tiny one with random weights, and the released one."""

from pathlib import Path

import pytest
import torch

from models.engine import RxtEngine
from models.rxt.checkpoint import RELEASED, WEIGHTS, save_checkpoint
from models.rxt.config import preset
from models.rxt.model import Rxt
from models.text.tokenizer import Tokenizer

# One thread, as the engine sets it; on a busy machine more threads wait for each other most of the time.
torch.set_num_threads(1)

WORDS = "my dog cat is called what your what 's name i a yes no the hello . , ! ?".split()


def make_checkpoint(folder: Path, seed: int = 0, words: list[str] = WORDS) -> Path:
    """A checkpoint of random weights."""
    tokenizer = Tokenizer.build(words, {"i": "I"})
    torch.manual_seed(seed)
    save_checkpoint(folder, Rxt(preset("tiny", len(tokenizer))), tokenizer)
    return folder


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny(tiny_folder) -> RxtEngine:
    return RxtEngine.load(tiny_folder)


@pytest.fixture(scope="session")
def released() -> RxtEngine:
    if not (RELEASED / WEIGHTS).exists():
        pytest.fail(f"no released checkpoint in {RELEASED}")
    return RxtEngine.load()
