"""The wheel holds everything that an installed memos reads: a file that is only in the checkout works here and nowhere
else.
"""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("memos", "models", "workers", "migrations")
# Read by people, not by the program.
FOR_PEOPLE = (".md", ".log", ".jsonl")


def test_the_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)], cwd=source, check=True, capture_output=True, timeout=100
    )
    (wheel,) = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        path.relative_to(source).as_posix() for p in PACKAGES for path in (source / p).rglob("*") if path.is_file()
    }
    missing = {path for path in wanted - inside if not path.endswith(FOR_PEOPLE)}
    assert not missing, sorted(missing)
    assert {"migrations/versions/v0001_ground.sql", "memos/py.typed"} <= inside
