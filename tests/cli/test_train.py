"""`memos train`: a process of its own does the work; what it prints and how it ends pass through."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

MEMOS = [sys.executable, "-c", "from memos.cli.main import app; app()", "train"]
TINY = ("supervised", "--preset", "tiny", "--device", "cpu")
PATIENCE_S = 60


def execute(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*MEMOS, *arguments], capture_output=True, text=True, timeout=PATIENCE_S)


def test_a_stage_runs_goes_on_and_refuses_other_arguments(tmp_path: Path) -> None:
    first = execute(*TINY, "--steps", "2", "--json", "--out", str(tmp_path))
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["step"] == 2
    assert json.loads((tmp_path / "manifest.json").read_text())["config"]["name"] == "rxt-tiny"
    assert "\x1b" not in first.stderr, "a bar is for terminals only"
    second = execute(*TINY, "--out", str(tmp_path))
    assert (second.returncode, second.stdout.split(",")[0]) == (0, "supervised: 4 steps")
    other = execute(*TINY, "--seed", "7", "--out", str(tmp_path))
    assert (other.returncode, other.stdout) == (1, "")
    assert "error: cannot_resume: " in other.stderr
    assert "seed was 0 and is 7" in other.stderr


def test_a_wrong_stage_is_wrong_use() -> None:
    done = execute("everything", "--out", "nowhere")
    assert done.returncode == 2
    assert "supervised" in done.stderr


@pytest.mark.parametrize("missing", ["torch", "models"])
def test_without_its_packages_it_says_what_to_install(tmp_path: Path, missing: str) -> None:
    code = f"""
import importlib.util, sys
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == {missing!r} else real(name, package)
from memos.cli.main import app
sys.argv = ["memos", "train", "joint", "--out", "out"]
app()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=PATIENCE_S
    )
    assert done.returncode == 1
    assert f"error: training_not_installed: these packages are not installed: {missing}" in done.stderr
    assert "pip install 'memos[training]'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_stops_the_training_process_too(tmp_path: Path) -> None:
    command = [*MEMOS, *TINY, "--steps", "100000", "--out", str(tmp_path)]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    log = tmp_path / "log.jsonl"
    until = time.monotonic() + PATIENCE_S
    while not (log.exists() and log.stat().st_size):
        assert time.monotonic() < until, "no step was taken"
        assert child.poll() is None
        time.sleep(0.05)
    os.killpg(child.pid, signal.SIGINT)  # as a terminal does: to all processes of the command
    said = child.communicate(timeout=PATIENCE_S)[1]
    assert child.returncode == 130
    assert "goes on from the last save" in said
    steps = len(log.read_text().splitlines())
    time.sleep(0.3)
    assert len(log.read_text().splitlines()) == steps
