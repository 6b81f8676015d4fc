"""A checkpoint that is not the released one is refused."""

import json

import pytest

from models.engine import CheckpointCorrupt, RxtEngine
from models.rxt.checkpoint import MANIFEST, TOKENIZER, WEIGHTS
from tests.models.conftest import make_checkpoint


def test_the_released_checkpoint_is_small_and_sound(released):
    assert len(released.identity["weights_sha256"]) == 64
    assert len(released.fingerprint) == 64
    json.dumps(released.identity)


@pytest.mark.parametrize("name", [WEIGHTS, TOKENIZER])
def test_one_changed_byte_is_refused(tmp_path, name):
    folder = make_checkpoint(tmp_path)
    RxtEngine.load(folder)
    body = bytearray((folder / name).read_bytes())
    body[-2] ^= 1
    (folder / name).write_bytes(body)
    with pytest.raises(CheckpointCorrupt, match="SHA-256"):
        RxtEngine.load(folder)


@pytest.mark.parametrize("name", [WEIGHTS, TOKENIZER, MANIFEST])
def test_a_missing_file_is_refused(tmp_path, name):
    folder = make_checkpoint(tmp_path)
    (folder / name).unlink()
    with pytest.raises(CheckpointCorrupt):
        RxtEngine.load(folder)


def test_a_config_that_does_not_fit_is_refused(tmp_path):
    folder = make_checkpoint(tmp_path)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["config"]["slots"] += 1
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(CheckpointCorrupt, match="fit"):
        RxtEngine.load(folder)
    (folder / MANIFEST).write_text("[]")
    with pytest.raises(CheckpointCorrupt):
        RxtEngine.load(folder)
