"""What a training keeps beside the worker: nothing but while it is under way; and a child that is killed is started
again from its last save.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from memos.embedded.spawn import spawn as real_spawn
from memos.generation.distiller import Lesson, Trained
from memos.generation.engine import StateRejected
from memos.generation.port import ModelUnavailable, NothingToTeach
from memos.kit.ids import new_id
from workers.model import distiller
from workers.model.distiller import PROGRESS, RESULT, ProcessDistiller


def lesson(text: str = "My dog is called Rex.", steps: int = 60) -> Lesson:
    return Lesson(new_id("run"), [text], 4, steps, 1)


def drained(training: Any) -> tuple[list[int], Trained]:
    steps = []
    while True:
        try:
            steps.append(next(training))
        except StopIteration as end:
            return steps, end.value


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """Children that are a shell script each: what they do is what `tmp_path/script` says; their commands are kept."""
    commands: list[list[str]] = []

    def spawn(command: Any, **options: Any) -> Any:
        commands.append([str(part) for part in command])
        return real_spawn(["/bin/sh", str(tmp_path / "script"), str(command[3])], **options)

    monkeypatch.setattr(distiller, "spawn", spawn)
    return commands


def written(tmp_path: Path, script: str) -> None:
    (tmp_path / "script").write_text(f'cd "$1"\n{script}\n')


DONE = """printf 60 > progress; printf delta > delta.safetensors; printf '{"figures": {"facts": 1.0}}' > result.json"""


def test_nothing_is_left_of_a_training_that_ended(children: list[list[str]], tmp_path: Path) -> None:
    written(tmp_path, DONE)
    steps, trained = drained(ProcessDistiller(tmp_path / "runs", ["--state-dtype", "int8"]).train(lesson()))
    assert trained == Trained(b"delta", {"facts": 1.0})
    assert steps[0] == 0
    assert children[0][1:3] == ["-m", "models.training.distil"]
    assert children[0][4:] == ["--state-dtype", "int8"]
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_child_that_was_killed_is_started_again_and_a_hopeless_one_is_given_up(
    children: list[list[str]], tmp_path: Path
) -> None:
    written(tmp_path, f"[ -f saved ] || {{ touch saved; kill -9 $$; }}; {DONE}")
    runs = ProcessDistiller(tmp_path / "runs", [])
    assert drained(runs.train(lesson()))[1].payload == b"delta"
    assert len(children) == 2
    written(tmp_path, "kill -9 $$")
    with pytest.raises(ModelUnavailable):
        drained(runs.train(lesson()))
    assert len(children) == 2 + distiller.STARTS
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize(("code", "error"), [("nothing_to_teach", NothingToTeach), ("state_mismatch", StateRejected)])
def test_a_refusal_is_told_and_nothing_kept(
    children: list[list[str]], tmp_path: Path, code: str, error: type[Exception]
) -> None:
    written(tmp_path, f"""printf '{{"code": "{code}", "detail": "no", "fields": ["model"]}}' > result.json; exit 1""")
    with pytest.raises(error):
        drained(ProcessDistiller(tmp_path / "runs", []).train(lesson()))
    assert len(children) == 1
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_training_that_is_given_up_ends_its_child_and_leaves_nothing(
    children: list[list[str]], tmp_path: Path
) -> None:
    written(tmp_path, "echo $$ > pid; printf 7 > progress; sleep 60")
    wanted = lesson()
    training = ProcessDistiller(tmp_path / "runs", []).train(wanted)
    pid = tmp_path / "runs" / wanted.run_id / "pid"
    steps = [next(training)]
    deadline = time.monotonic() + 20
    while steps[-1] != 7 and time.monotonic() < deadline:
        steps.append(next(training))
    child = int(pid.read_text())
    training.close()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    assert list((tmp_path / "runs").iterdir()) == []


def test_what_a_killed_worker_left_is_gone_on_with_or_forgotten(children: list[list[str]], tmp_path: Path) -> None:
    wanted, other = lesson(), lesson("I live in York.")
    root = tmp_path / "runs"
    for left in (wanted, other):
        distiller._prepare(root / left.run_id, left)
        (root / left.run_id / PROGRESS).write_text("40")
    written(tmp_path, "cp progress seen; sleep 1;" + DONE)
    runs = ProcessDistiller(root, [])
    training = runs.train(wanted)
    assert next(training) == 40  # not from the beginning
    runs.forget()
    assert [folder.name for folder in root.iterdir()] == [wanted.run_id]
    drained(training)
    changed = Lesson(wanted.run_id, ["Something else."], 4, 60, 1)
    distiller._prepare(root / wanted.run_id, wanted)
    (root / wanted.run_id / RESULT).write_text("old")
    distiller._prepare(root / wanted.run_id, changed)
    assert not (root / wanted.run_id / RESULT).exists()
    assert json.loads((root / wanted.run_id / "job.json").read_text())["sources"] == [{"text": "Something else."}]
    assert (root / wanted.run_id).stat().st_mode & 0o077 == 0
