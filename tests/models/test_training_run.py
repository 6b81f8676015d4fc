"""A run: bit for bit the same when continued, even after kill -9; its log, its saves, its refusals."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.errors import ModelError
from models.rxt.checkpoint import load_checkpoint
from models.training.progress import LOG, SAVED, Bar, Log
from models.training.recipe import RECIPES, Unfreeze
from models.training.stages import STAGES
from models.training.train import Arguments, CannotResume, Run, device_of, named_recipe, train

TINY = Arguments(preset="tiny", recipe="tiny")
RECIPE = RECIPES["tiny"]
PATIENCE_S = 60


def losses_of(folder: Path) -> dict[int, float]:
    lines = [json.loads(line) for line in (folder / LOG).read_text().splitlines()]
    assert len({line["step"] for line in lines}) == len(lines), "a step is in the log twice"
    return {line["step"]: line["loss"] for line in lines}


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_run_continues_bit_for_bit(tmp_path, stage):
    arguments = replace(TINY, stage=stage)
    whole = Run(arguments, RECIPE)
    losses = [whole.advance() for _ in range(3)]
    half = Run(arguments, RECIPE)
    first = [half.advance() for _ in range(2)]
    half.save(tmp_path)
    rest = Run(arguments, RECIPE)
    rest.resume(tmp_path)
    assert rest.step == 2
    assert [*first, rest.advance()] == losses
    for one, other in zip(whole.trained.state_dict().values(), rest.trained.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert any(not torch.equal(a, b) for a, b in zip(whole.model.parameters(), half.model.parameters(), strict=True))


def test_a_killed_run_goes_on_with_the_same_losses(tmp_path):
    steps = 30
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train(TINY, replace(RECIPE, steps=steps), whole)
    command = [
        *(sys.executable, "-m", "models.training", "supervised", "--preset", "tiny", "--device", "cpu"),
        *("--steps", str(steps), "--out", str(killed)),
    ]
    child = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    until = time.monotonic() + PATIENCE_S
    while not ((killed / LOG).exists() and len((killed / LOG).read_text().splitlines()) >= 7):
        assert time.monotonic() < until, "no step was taken"
        assert child.poll() is None, "the run ended by itself"
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    child.wait(timeout=PATIENCE_S)
    done = len((killed / LOG).read_text().splitlines())
    assert 7 <= done < steps, "the kill came too late to prove anything"
    train(TINY, replace(RECIPE, steps=steps), killed)
    assert losses_of(killed) == losses_of(whole)
    assert (killed / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_other_arguments_are_refused_by_name(tmp_path):
    train(TINY, replace(RECIPE, steps=2), tmp_path)
    before = (tmp_path / SAVED).read_bytes()
    with pytest.raises(CannotResume, match="seed was 0 and is 3; mesa was False and is True") as caught:
        train(replace(TINY, seed=3, mesa=True), RECIPE, tmp_path)
    assert caught.value.fields == ("seed", "mesa")
    with pytest.raises(CannotResume) as caught:
        train(replace(TINY, source=tmp_path), RECIPE, tmp_path)
    assert caught.value.fields == ("from",)
    assert (tmp_path / SAVED).read_bytes() == before


def test_a_changed_recipe_is_taken_and_logged(tmp_path):
    train(TINY, replace(RECIPE, steps=2), tmp_path)
    run = train(TINY, replace(RECIPE, low_lr=0.5), tmp_path)
    assert run.step == 4
    changes = [json.loads(line).get("recipe_changed") for line in (tmp_path / LOG).read_text().splitlines()]
    assert ["steps", "low_lr"] in changes


def test_a_run_ends_in_a_checkpoint_a_log_and_curves(tmp_path):
    run = train(TINY, RECIPE, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert set(lines[-1]["accuracy"]) == {"4 facts", "8 facts", "unseen"}
    assert lines[0]["lr"] == {"muon": RECIPE.rate(0)[0], "adam": RECIPE.rate(0)[1]}
    assert load_checkpoint(tmp_path).model.config == run.model.config
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob("*.new"))


def test_the_stages_follow_one_another(tmp_path):
    first = train(replace(TINY, stage="joint"), replace(RECIPE, steps=1), tmp_path / "joint")
    second = Run(replace(TINY, stage="interaction", seed=1, source=tmp_path / "joint"), RECIPE)
    assert second.taken is not None
    assert (second.taken.words_fresh, second.taken.missing, second.taken.reshaped) == ((), (), ())
    for name, tensor in first.trained.state_dict().items():
        assert torch.equal(tensor, second.trained.state_dict()[name]), name


def test_a_run_that_starts_from_a_checkpoint_says_what_it_took(tmp_path):
    train(TINY, replace(RECIPE, steps=1), tmp_path / "a")
    train(replace(TINY, seed=1, source=tmp_path / "a"), replace(RECIPE, steps=1), tmp_path / "b")
    line = json.loads((tmp_path / "b" / LOG).read_text().splitlines()[0])
    assert line["step"] == 0
    assert line["from"]["missing"] == []
    assert line["from"]["words_matched"] == len(load_checkpoint(tmp_path / "a").tokenizer)


def test_a_log_is_cut_back_to_the_step_that_goes_on(tmp_path):
    path = tmp_path / LOG
    path.write_text('{"step": 1, "loss": 3.0}\n{"step": 2, "loss": 2.0}\n{"step": 3, "lo')
    Log(path, 1).write({"step": 2, "loss": 2.5})
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"step": 1, "loss": 3.0},
        {"step": 2, "loss": 2.5},
    ]


def test_unfreezing_keeps_parts_as_they_are(tmp_path):
    order = (Unfreeze(0, "decoder"), Unfreeze(1, "memory"), Unfreeze(2, "encoder"))
    run = Run(TINY, replace(RECIPE, unfreeze=order))
    moved = []
    for _ in range(3):
        before = {name: p.detach().clone() for name, p in run.model.named_parameters()}
        run.advance()
        changed = {name.split(".")[0] for name, p in run.model.named_parameters() if not torch.equal(p, before[name])}
        moved.append(changed)
    assert moved[0] == {"decoder"}
    assert "encoder" not in moved[1]
    assert len(moved[1]) == 2
    assert {"encoder", "word_table"} <= moved[2]


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of("auto") == "cpu"
    with pytest.raises(ModelError, match="no CUDA device"):
        device_of("cuda")


def test_recipes_have_names():
    assert named_recipe("supervised", "shipped", None)[0] == "shipped"
    assert named_recipe("joint", "shipped", None)[0] == "joint"
    assert named_recipe("memory", "tiny", None)[0] == "tiny"
    assert named_recipe("supervised", "nano", None)[0] == "shipped"
    assert named_recipe("supervised", "shipped", "one_update")[1].gradients == "one_update"
    with pytest.raises(ModelError, match="no recipe 'none'"):
        named_recipe("joint", "shipped", "none")


def test_the_bar_shows_step_loss_and_pace():
    from io import StringIO

    from rich.console import Console

    console = Console(file=StringIO(), force_terminal=True, width=120)
    with Bar("joint", 3, 10, console) as bar:
        for _ in range(2):
            time.sleep(0.01)
            bar.advance(1.2345)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "5/10" in text
    assert "loss 1.2345" in text
    assert "steps/s" in text
