"""The site: it builds without a warning, loads nothing from elsewhere, and every link in it leads somewhere."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from docsite import client, rest
from memos import sdk

ROOT = Path(__file__).parents[2]
# Elsewhere that a reader may choose to go to; nothing is loaded from there.
ABROAD = {"arxiv.org"}
LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "object": "data"}


class Page(HTMLParser):
    """The links of a page, what it loads, and the places in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.places |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag == "link" and found.get("rel") not in ("canonical", "next", "prev"):
            self.loads.append(found.get("href", ""))
        elif tag in LOADS and LOADS[tag] in found:
            self.loads.append(found[LOADS[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text()) for path in site.rglob("*.html")}


def test_it_has_every_page(site: Path, pages: dict[Path, Page]) -> None:
    named = {path.relative_to(site).as_posix() for path in pages}
    written = {
        path.relative_to(ROOT / "docs").with_suffix(".html").as_posix() for path in (ROOT / "docs").rglob("*.md")
    }
    assert written <= named
    assert {"reference/client.html", "reference/rest/turns.html", "changelog.html"} <= named


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Page]) -> None:
    elsewhere = {address for page in pages.values() for address in page.loads if urlsplit(address).netloc}
    assert elsewhere == set()
    styles = [path.read_text() for path in next(iter(pages)).parents[0].rglob("*.css")]
    assert not [found for text in styles for found in re.findall(r"url\(\s*['\"]?(?:https?:)?//[^)]+\)", text)]


def broken(pages: dict[Path, Page]) -> list[str]:
    """Links that lead nowhere, or to somewhere that nobody said."""
    wrong = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme in ("http", "https"):
                wrong += [] if parts.hostname in ABROAD else [f"{path.name}: {link}"]
                continue
            target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
            target = target / "index.html" if target.is_dir() else target
            if parts.path.startswith("/"):
                continue  # the page of a wrong address, which does not know where it is
            if not target.exists():
                wrong.append(f"{path.name}: {link}")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].places:
                wrong.append(f"{path.name}: no place {link}")
    return wrong


def test_every_link_leads_somewhere(pages: dict[Path, Page]) -> None:
    assert broken(pages) == []
    assert sum(len(page.links) for page in pages.values()) > 1000


def test_a_link_that_leads_nowhere_is_noticed(pages: dict[Path, Page]) -> None:
    path = next(path for path in pages if path.name == "quickstart.html")
    planted = Page(
        '<a href="nowhere.html">a</a><a href="concepts.html#no-such">b</a><a href="https://example.org">c</a>'
    )
    assert len(broken(pages | {path: planted})) == 3


def test_the_references_hold_everything() -> None:
    document = rest.document()
    written = "\n".join(rest.pages(document).values())
    calls = [f"{method.upper()} {path}" for path, found in document["paths"].items() for method in found]
    assert len(calls) > 60
    assert [call for call in calls if f"## {call} {{" not in written] == []
    assert [name for name in document["components"]["schemas"] if f"## {name} {{" not in written] == []
    page = client.page()
    with sdk.Memos("http://127.0.0.1:9", "mk_none") as made:
        for name, held in vars(made).items():
            if not name.startswith("_"):
                for method in (method for method in dir(held) if not method.startswith("_")):
                    assert f"### {name}.{method} {{" in page
    assert [name for name in sdk.__all__ if name not in page] == []
