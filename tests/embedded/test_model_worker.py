"""What the settings say of the model reaches its worker, in words that the worker's command line knows."""

from pathlib import Path
from typing import Any

import pytest
import typer

from memos.embedded import model_worker
from memos.embedded.model_worker import ModelWorker
from memos.kit.config import Settings
from workers.model.cli import app


def understood(settings: Settings, monkeypatch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
    """What the worker's own command line makes of how it would be started."""
    seen: list[list[str]] = []
    monkeypatch.setattr(model_worker, "spawn", lambda argv, **rest: seen.append([str(part) for part in argv]))
    worker = ModelWorker(folder, settings, "file:///blobs")
    worker.child().spawn()
    worker._reservation.close()
    (argv,) = seen
    assert argv[1:3] == ["-m", "workers.model"]
    return dict(typer.main.get_command(app).make_context("worker", argv[3:]).params)


def test_the_settings_of_the_model_reach_its_worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plain = understood(Settings(), monkeypatch, tmp_path)
    assert (plain["engine"], plain["checkpoint"]) == ("rxt", None)
    assert (plain["device"], plain["state_dtype"]) == ("auto", "float32")
    monkeypatch.chdir(tmp_path)
    chosen = Settings(checkpoint=Path("mine"), model_device="cpu", state_dtype="int8")
    found = understood(chosen, monkeypatch, tmp_path)
    assert (found["device"], found["state_dtype"]) == ("cpu", "int8")
    assert found["checkpoint"] == tmp_path / "mine"  # the worker runs in another folder than we do


@pytest.mark.parametrize("wrong", [{"state_dtype": "int4"}, {"model_device": "tpu"}])
def test_what_no_worker_knows_is_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**wrong)
