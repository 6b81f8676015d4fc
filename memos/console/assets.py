"""The console's own files and the vendored ones, read once when the app is made: a name that is not among them does not
exist, so no path is ever made of a request. Each has its hash in its address and may be kept by a browser for good.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import Response

PLACE = "/console/static/"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FOR_GOOD = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    body: bytes
    media_type: str
    sha256: str


class Assets:
    """`address` is what templates link to."""

    def __init__(self) -> None:
        self._found: Mapping[str, Asset] = dict(_walk(files("memos.console") / "static", ""))

    def address(self, name: str) -> str:
        return f"{PLACE}{name}?v={self._found[name].sha256[:16]}"

    def answer(self, name: str) -> Response | None:
        """None for what is not there."""
        asset = self._found.get(name)
        if asset is None:
            return None
        headers = {"Cache-Control": FOR_GOOD, "ETag": f'"{asset.sha256}"'}
        return Response(asset.body, media_type=asset.media_type, headers=headers)


def _walk(folder: Traversable, before: str) -> "list[tuple[str, Asset]]":
    found: list[tuple[str, Asset]] = []
    for entry in folder.iterdir():
        name = f"{before}{entry.name}"
        if entry.is_dir():
            found += _walk(entry, f"{name}/")
        elif (media_type := TYPES.get(f".{entry.name.rsplit('.', 1)[-1]}")) is not None:
            body = entry.read_bytes()
            found.append((name, Asset(body, media_type, hashlib.sha256(body).hexdigest())))
    return found
