"""What mkdocs calls while it builds: adds the generated pages, lists the decisions, and refuses a page that would load
anything from elsewhere.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from docsite import client, rest

ROOT = Path(__file__).parents[1]
_LOADED = re.compile(
    r"<(?:script|link|img|iframe|source|video|audio|object|embed)\b[^>]*?(?:src|href|data)=\"([^\"]+)\""
)
# What only says where a page belongs, and is not loaded.
_SAID = re.compile(r"<link\b[^>]*\brel=\"(?:canonical|next|prev)\"[^>]*>")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The navigation takes every decision, every guide and every page of the REST reference by itself."""
    decisions = sorted((ROOT / "docs/decisions").glob("*.md"))
    rest_pages = sorted(rest.pages(_document()))
    for section in config.nav or ():
        for title, entries in section.items():
            if title == "Decisions":
                section[title] = [f"decisions/{path.name}" for path in decisions]
            if title == "Guides":
                section[title] = [*entries, *_guides(set(entries))]
            if title == "Reference":
                nouns = [name for name in rest_pages if name not in ("index.md", rest.VALUES)]
                listed = ["index.md", *nouns, rest.VALUES]
                section[title] = [{"REST": [f"reference/rest/{name}" for name in listed]}, *entries]
    return config


def _guides(known: set[str]) -> list[str]:
    """Guides that the navigation does not name."""
    found = sorted(f"guides/{path.name}" for path in (ROOT / "docs/guides").glob("*.md"))
    return [name for name in found if name not in known]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for name, text in rest.pages(_document()).items():
        files.append(File.generated(config, f"reference/rest/{name}", content=text))
    files.append(File.generated(config, "reference/client.md", content=client.page()))
    files.append(File.generated(config, "changelog.md", content=(ROOT / "CHANGELOG.md").read_text()))
    return files


def on_post_page(output: str, page: Any, config: MkDocsConfig) -> str:
    elsewhere = [address for address in _LOADED.findall(_SAID.sub("", output)) if re.match(r"(?:https?:)?//", address)]
    if elsewhere:
        raise PluginError(f"{page.file.src_uri} would load {elsewhere[0]}: the site works without a network")
    return output


_KEPT: dict[str, Any] = {}


def _document() -> dict[str, Any]:
    """Made once: it takes a second."""
    if not _KEPT:
        _KEPT.update(rest.document())
    return _KEPT
