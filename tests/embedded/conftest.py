"""A data directory with a cluster in it, copied from one that was made once: most tests are not about initdb."""

import json
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from memos.embedded.place import SHARED
from memos.embedded.postgres import EmbeddedPostgres
from tests.embedded.harness import folder


@pytest.fixture(scope="session")
def template() -> Iterator[Path]:
    with folder() as path:
        server = EmbeddedPostgres(path / "postgres")
        server.start()
        server.stop()
        yield path
        server.erase()


@pytest.fixture
def data(template: Path) -> Iterator[Path]:
    """Stopped, initialised, and ours."""
    with folder() as path:
        record = json.loads((template / "postgres.json").read_text())
        home = path / "postgres"
        if "id" in record:
            record["id"] = secrets.token_hex(6)
            home = SHARED / record["id"]
            home.with_suffix(".origin").write_text(str(path / "postgres"))
            (path / "postgres").symlink_to(home)
        subprocess.run(["cp", "-a", (template / "postgres").resolve(), home], check=True)
        shutil.rmtree(home / "socket")
        (path / "postgres.json").write_text(json.dumps(record))
        (path / "postgres.json").chmod(0o600)
        (path / "lock").touch(mode=0o600)
        yield path


@pytest.fixture
def empty() -> Iterator[Path]:
    with folder() as path:
        yield path
