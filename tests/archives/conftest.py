"""Services to export from and to import into, and how a test does either."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from memos.kernel.canonical import canonical_json
from memos.kit.blobs import sha256_hex
from tests.cli.conftest import logs_apart
from tests.support.live import Live, serve
from tests.support.postgres import Cluster

__all__ = ["logs_apart"]


@pytest.fixture(scope="session")
def elsewhere(postgres_cluster: Cluster) -> Iterator[Live]:
    """Another installation: a database and a blob store of its own."""
    with serve(postgres_cluster.database()) as service:
        yield service


@pytest.fixture
def here(live: Live) -> Iterator[httpx2.Client]:
    with live.client() as client:
        yield client


@pytest.fixture
def there(elsewhere: Live) -> Iterator[httpx2.Client]:
    with elsewhere.client() as client:
        yield client


def exported(client: httpx2.Client, **wanted: Any) -> bytes:
    answer = client.post("/v1/cubes/export", json=wanted)
    assert answer.status_code == 200, answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)
    return answer.content


def taken_in(client: httpx2.Client, archive: bytes, *, key: str | None = None, **query: str) -> dict[str, Any]:
    answer = client.post(
        "/v1/cubes/import", content=archive, params=query, headers={"Idempotency-Key": key} if key else {}
    )
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def members(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def zipped(parts: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as made:
        for name, body in parts.items():
            made.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), body, compression)
    return out.getvalue()


def changed(archive: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """The archive with its members changed as `change` does it in place, and its manifest left as it is."""
    parts = members(archive)
    change(parts)
    return zipped(parts)


def forged(archive: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """The same by somebody who knows the format: every hash of the manifest fits what is there."""
    parts = members(archive)
    change(parts)
    told = json.loads(parts["manifest.json"])
    told["members"] = [
        {"name": name, "bytes": len(body), "sha256": sha256_hex(body)}
        for name, body in parts.items()
        if name != "manifest.json"
    ]
    told.pop("sha256")
    told["sha256"] = sha256_hex(canonical_json(told))
    return zipped(parts | {"manifest.json": canonical_json(told) + b"\n"})


def edited(member: str, change: Callable[[list[dict[str, Any]]], object]) -> Callable[[dict[str, bytes]], None]:
    """A change of the rows of one member."""

    def apply(parts: dict[str, bytes]) -> None:
        rows = [json.loads(line) for line in parts[member].splitlines()]
        change(rows)
        parts[member] = b"".join(json.dumps(row).encode() + b"\n" for row in rows)

    return apply
