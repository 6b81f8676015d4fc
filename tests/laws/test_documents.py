"""What the documents name exists: files, rules, make targets, settings; and every promise has its row."""

import re
from pathlib import Path

import pytest

from memos.kit.config import Settings
from tests.laws import house
from tests.laws.rules import RULES

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
# Read by the client, not by the service's own configuration.
# Pages that are made while the documentation is built; tests/docs follows their links there.
GENERATED = re.compile(r"(\.\./)?(reference/|changelog\.md)")
OTHER_NAMES = {"MEMOS_URL", "MEMOS_API_KEY"}


def spans(path: Path) -> set[str]:
    """What stands in backticks, and the targets of links."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    return set(re.findall(r"`([^`\n]+)`", text))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_paths_exist(path: Path) -> None:
    named = {
        span.split("::")[0] for span in spans(path) if re.match(r"(memos|models|workers|migrations|tests|docs)/", span)
    }
    assert not {name for name in named if not list(ROOT.glob(name.rstrip("/")))}
    links = {link for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text()) if not GENERATED.match(link)}
    assert not {link for link in links if not (path.parent / link).exists()}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_settings_and_targets_exist(path: Path) -> None:
    text = path.read_text()
    known = {f"MEMOS_{name.upper()}" for name in Settings.model_fields} | OTHER_NAMES
    assert set(re.findall(r"\bMEMOS_[A-Z_]+\b", text)) <= known
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {span.split()[1] for span in spans(path) if re.match(r"make [a-z]", span)} <= targets


def test_every_rule_of_a_law_is_in_the_architecture() -> None:
    named = {span for span in spans(ROOT / "ARCHITECTURE.md") if span.startswith("law_")}
    assert named == {name for name in RULES if name.startswith("law_")}
    assert house.__doc__


def test_every_promise_has_one_row() -> None:
    rows = re.findall(r"^\| (P\d+) \|(.*)\|(.*)\|(.*)\|$", (ROOT / "docs/promises.md").read_text(), re.MULTILINE)
    assert [row[0] for row in rows] == [f"P{number}" for number in range(1, 11)]
    assert all(cell.strip() for row in rows for cell in row)


def test_a_named_test_exists() -> None:
    """`tests/...py::name` in the promises is a function or a class of that file."""
    for span in spans(ROOT / "docs/promises.md"):
        if "::" in span:
            path, name = span.split("::")
            assert re.search(rf"^\s*(async def|def|class) {name}\b", (ROOT / path).read_text(), re.MULTILINE), span
