"""The import contracts have teeth, the API stays free of torch when it really runs, and the base install suffices for
what it promises. `make test` runs the contracts themselves (`lint-imports`).
"""

import os
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PACKAGES = ("memos", "models", "workers", "migrations")

# One forbidden import for each contract, by its id in pyproject.toml.
PLANTED = {
    "law-1-layers": ("memos/kit/planted.py", "import memos.turns"),
    "law-1-placement": ("memos/outbox/planted.py", "import workers"),
    "law-1-pure-kernel": ("memos/kernel/planted.py", "import sqlalchemy"),
    "law-2-no-torch": ("memos/http/planted.py", "import torch"),
    "law-3-sdk": ("memos/sdk/planted.py", "import memos.kit.errors"),
    "law-3-integrations": ("memos/integrations/planted.py", "import memos.kit.errors"),
    "law-3-models": ("models/planted.py", "import memos"),
}


def run(*command: str, folder: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=100, check=False
    )


def contracts() -> list[dict[str, object]]:
    return list(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"])


def test_every_import_contract_catches_a_planted_import(tmp_path: Path) -> None:
    assert {contract["id"] for contract in contracts()} == set(PLANTED)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "checkpoints"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for path, line in PLANTED.values():
        (tmp_path / path).write_text(f"{line}\n")
    lint = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    result = run(
        *(sys.executable, "-c", lint, "--no-cache", "--no-logo"),
        folder=tmp_path,
        PYTHONPATH=str(tmp_path),
        COLUMNS="300",
    )
    assert result.returncode != 0, result.stdout
    kept = [contract["name"] for contract in contracts() if f"{contract['name']} KEPT" in result.stdout]
    broken = [contract["name"] for contract in contracts() if f"{contract['name']} BROKEN" in result.stdout]
    assert (kept, len(broken)) == ([], len(PLANTED)), result.stdout + result.stderr


def test_the_api_process_never_loads_torch() -> None:
    """Law 2, at run time: indirect and lazy imports of third parties included."""
    result = run(
        sys.executable,
        "-c",
        "import sys, memos.http.app\n"
        "print([name for name in ('torch', 'models', 'transformers', 'sentence_transformers') if name in sys.modules])",
    )
    assert (result.returncode, result.stdout.strip()) == (0, "[]"), result.stderr


def closure(names: list[str]) -> set[str]:
    """The distributions that installing `names` brings, on this platform and without extras."""
    found: set[str] = set()
    waiting = [canonicalize_name(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            needs = map(Requirement, distribution(name).requires or [])
            waiting += [canonicalize_name(r.name) for r in needs if not r.marker or r.marker.evaluate({"extra": ""})]
    return found


def install(*extras: str) -> set[str]:
    """What `pip install memos[extras]` brings; with none, the base install."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(line for name in extras for line in project["optional-dependencies"][name])]
    return closure([Requirement(line).name for line in lines])


def test_the_base_install_is_small() -> None:
    assert len(install() | {"memos"}) <= 12, sorted(install())
    assert len(install("cli")) > 12, "the count can be exceeded"


@pytest.mark.parametrize(
    ("module", "extras"), [("memos.sdk", ()), ("memos.cli.entry", ()), ("memos.cli.main", ("cli",))]
)
def test_an_install_suffices_for_what_it_is_for(module: str, extras: tuple[str, ...]) -> None:
    """Imports a module where every installed package outside of that install seems to be missing."""
    kept = install(*extras) | {"memos"}
    missing = {
        name for name, owners in packages_distributions().items() if not kept & {canonicalize_name(o) for o in owners}
    }
    code = f"""
import sys
MISSING = {missing!r}
class OnlyBase:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in MISSING:
            raise ModuleNotFoundError(f"not in the base install: {{name}}", name=name)
sys.meta_path.insert(0, OnlyBase())
import {module}
"""
    result = run(sys.executable, "-c", code)
    assert result.returncode == 0, result.stderr
