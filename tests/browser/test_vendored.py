"""What is vendored is what its makers published: by the hashes that were taken from it, with its licence beside it."""

import hashlib
import json
from pathlib import Path

import pytest

import memos.console

ROOT = Path(__file__).parents[2]
FOLDERS = {
    "console": Path(memos.console.__file__).parent / "static" / "vendor",
    "tests": Path(__file__).parent / "vendor",
}


@pytest.mark.parametrize("place", FOLDERS)
def test_vendored_files_are_whole(place: str) -> None:
    folder = FOLDERS[place]
    known = json.loads((folder / "manifest.json").read_text())
    assert {path.name for path in folder.glob("*.js")} == set(known)
    for name, told in known.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == told["sha256"], name
        assert (folder / told["license_file"]).read_text().strip()


def test_no_page_names_another_host() -> None:
    """Nothing of the console's own loads anything from elsewhere, holds a script or a style, or listens in markup."""
    folder = Path(memos.console.__file__).parent
    for path in [*folder.glob("templates/*.html"), *folder.glob("static/*.*")]:
        text = path.read_text()
        for wrong in ("https://", "<style", " style=", "onclick=", "onload=", "|safe", "| safe", "javascript:"):
            assert wrong not in text, (path.name, wrong)
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", ""), path.name
