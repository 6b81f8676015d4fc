"""Every rule over every file of the tree."""

from functools import cache
from pathlib import Path

import pytest

from tests.laws.house import UNFINISHED
from tests.laws.rules import RULES, Source

ROOT = Path(__file__).parents[2]
FOLDERS = ("memos", "models", "workers", "migrations", "benchmarks", "tests")
# Files that are not Python and may not be unfinished either.
TEXTS = ("*.md", "*.sql", "*.yml", "*.toml", "*.html", "Makefile", "Dockerfile")


@cache
def sources() -> tuple[Source, ...]:
    paths = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return tuple(Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in paths)


@pytest.mark.parametrize("name", sorted(RULES))
def test_the_tree_keeps_the_rule(name: str) -> None:
    findings = [str(finding) for source in sources() for finding in RULES[name].findings(source)]
    assert not findings, "\n" + "\n".join(findings)


def test_the_tree_is_there() -> None:
    """A rule that reads no files keeps every law."""
    assert {source.path.split("/")[0] for source in sources()} >= {"memos", "models", "workers", "migrations", "tests"}


def test_no_text_is_unfinished() -> None:
    paths = [path for folder in (ROOT, *map(ROOT.joinpath, (*FOLDERS, "docs"))) for path in texts_of(folder)]
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}" for path in paths for match in UNFINISHED.finditer(path.read_text())
    ]
    assert not found, found


def texts_of(folder: Path) -> list[Path]:
    if folder == ROOT:
        return [path for pattern in TEXTS for path in folder.glob(pattern)]
    return [path for pattern in TEXTS for path in folder.rglob(pattern) if "vendor" not in path.parts]
