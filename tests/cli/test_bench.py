"""`memos bench rxt`: a process of its own measures; its progress, its figures and its errors come through."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import invoke

MEMOS = [sys.executable, "-c", "from memos.cli.main import app; app()", "bench", "rxt"]
ROW: dict[str, Any] = {
    "probe": "facts",
    "case": "4",
    "measure": "exact",
    "parties": {
        "rxt": {"mean": 0.975, "min": 0.96, "max": 0.99, "questions": 300},
        "no_memory": {"mean": 0.0, "min": 0.0, "max": 0.0, "questions": 300},
    },
}
FOUND = {
    "identity": {"model": "rxt-tiny", "weights_sha256": "ab" * 32},
    "machine": {"cpu_s": 1.5, "load_before": [0.1, 0.1, 0.1]},
    "seeds": [1, 2],
    "n": 5,
    "rows": [ROW, ROW | {"case": "8"}, ROW | {"probe": "provenance", "parties": {"named": ROW["parties"]["rxt"]}}],
}


def stand_in(tmp_path: Path, body: str) -> list[str]:
    """A process in place of the probes."""
    script = tmp_path / "probes.py"
    script.write_text(f"import json, sys\n{body}\n")
    return [sys.executable, str(script)]


@pytest.fixture
def probes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Replaces the process that measures by one that runs `body`; returns the arguments it was given."""
    real, given = subprocess.Popen, []

    def use(body: str) -> list[list[str]]:
        def started(command, **options):
            given.append(command[1:])
            return real([*stand_in(tmp_path, body), *command[3:]], **options)

        monkeypatch.setattr(subprocess, "Popen", started)
        return given

    return use


def test_the_figures_become_a_table(probes) -> None:
    given = probes(f"print({json.dumps(json.dumps(FOUND))})")
    done = invoke("bench", "rxt", "--seeds", "1,2", "--n", 5, "--only", "facts")
    assert done.code == 0, done.err
    assert given == [["-m", "models.probes", "--seeds", "1,2", "--n", "5", "--only", "facts"]]
    assert "0.975 (0.96-0.99)" in done.out
    assert "no memory" in done.out
    assert done.out.count("probe ") == 2, "probes with other parties have a table of their own"


def test_json_is_what_was_found_and_nothing_else(probes, tmp_path) -> None:
    given = probes(f"print('progress: half', file=sys.stderr); print({json.dumps(json.dumps(FOUND))})")
    done = invoke("bench", "rxt", "--json", "--checkpoint", tmp_path, "--twin", tmp_path / "twin")
    assert done.json == FOUND
    assert done.err == "", "progress is for terminals"
    assert given[0][-4:] == ["--checkpoint", str(tmp_path), "--twin", str(tmp_path / "twin")]


def test_much_output_does_not_block(probes) -> None:
    probes("print(json.dumps({'rows': ['x' * 500_000]})); print('progress: done', file=sys.stderr)")
    assert len(invoke("bench", "rxt", "--json").json["rows"][0]) == 500_000


def test_what_the_process_says_and_how_it_ends_come_through(probes) -> None:
    probes("print('error: checkpoint_corrupt: broken', file=sys.stderr); sys.exit(1)")
    done = invoke("bench", "rxt")
    assert (done.code, done.out) == (1, "")
    assert "checkpoint_corrupt" in done.err
    probes("print('no figures')")
    done = invoke("bench", "rxt")
    assert done.code == 1
    assert "bench_failed" in done.err


def test_it_is_the_real_probes_that_run(tmp_path: Path) -> None:
    options = ["--checkpoint", str(tmp_path), "--only", "facts"]
    done = subprocess.run([*MEMOS, *options], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "error: checkpoint_corrupt: " in done.stderr
    done = subprocess.run([*MEMOS, "--only", "nonsense"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "distance" in done.stderr, "the names of the probes are told"


@pytest.mark.parametrize("missing", ["torch", "models"])
def test_without_its_packages_it_says_what_to_install(missing: str, monkeypatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == missing else real(name, *a))
    done = invoke("bench", "rxt")
    assert done.code == 1
    assert f"models_not_installed: these packages are not installed: {missing}" in done.err


def test_the_stores_ratios_become_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"ratios": {"single_adds_to_bare_endpoint": 0.71, "search_600": {"to_faiss_flat": 3.5}}}
    given: list[list[str]] = []

    def run(session: object, command: list[str]) -> tuple[int, str]:
        given.append(command[1:])
        return 0, json.dumps(found)

    monkeypatch.setattr("memos.cli.bench._run", run)
    done = invoke("bench", "store", "--only", "index,adds", "--full")
    assert done.code == 0, done.err
    assert given == [["-m", "benchmarks.store", "--only", "index,adds", "--full"]]
    assert all(word in done.out for word in ("single adds to bare endpoint", "0.71", "search 600 to faiss flat", "3.5"))
    assert json.loads(invoke("bench", "store", "--json").out) == found


def test_the_store_is_measured_from_a_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    done = invoke("bench", "store")
    assert done.code != 0
    assert "Clone memos" in done.err
