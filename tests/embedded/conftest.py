"""Clusters to test with. To write one costs more than anything else here, so most tests share one, each leaving it
stopped and whole; those that damage theirs take a copy."""

import json
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from memos.embedded.place import SHARED
from memos.embedded.postgres import EmbeddedPostgres
from memos.embedded.process import processes_in
from tests.embedded.harness import folder


@pytest.fixture(scope="session")
def shared() -> Iterator[Path]:
    with folder() as path:
        server = EmbeddedPostgres(path / "postgres")
        server.start()
        server.stop()
        (path / "lock").touch(mode=0o600)
        yield path


@pytest.fixture
def data(shared: Path) -> Iterator[Path]:
    """A data directory with a stopped cluster, shared with other tests."""
    yield shared
    assert not processes_in(shared / "postgres" / "cluster", "postgres"), "this test left Postgres running"


@pytest.fixture
def copy(data: Path) -> Iterator[Path]:
    """The same, for one test alone."""
    with folder() as path:
        record = json.loads((data / "postgres.json").read_text())
        home = path / "postgres"
        if "id" in record:
            record["id"] = secrets.token_hex(6)
            home = SHARED / record["id"]
            home.with_suffix(".origin").write_text(str(path / "postgres"))
            (path / "postgres").symlink_to(home)
        subprocess.run(["cp", "-a", (data / "postgres").resolve(), home], check=True)
        shutil.rmtree(home / "socket")
        (path / "postgres.json").write_text(json.dumps(record))
        yield path


@pytest.fixture
def empty() -> Iterator[Path]:
    with folder() as path:
        yield path
