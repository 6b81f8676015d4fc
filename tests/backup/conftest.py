"""A whole embedded service as `memos serve` runs it, in a folder of its own, and what `memos backup` is called with."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from memos.embedded.postgres import EmbeddedPostgres
from memos.embedded.progress import Progress
from memos.kit.config import Settings
from tests.embedded.harness import folder

BIN = Path(sys.executable).parent
QUIET = Progress(lambda line: None)


@dataclass
class Served:
    """A running service."""

    url: str
    key: str
    data_dir: Path
    process: "subprocess.Popen[str]"

    def client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=60)

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """As the administrator, past triggers and keys."""
        server = EmbeddedPostgres(self.data_dir / "postgres")
        server.attach()
        with psycopg.connect(
            host=str(server.socket_dir), port=5432, user="postgres", dbname="memos", autocommit=True
        ) as connection:
            connection.execute("SET session_replication_role = replica")
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def conversation(self, client: httpx2.Client, *texts: str, user: str = "ada") -> str:
        made = client.post("/v1/conversations", json={"user_id": user})
        assert made.is_success, made.text
        began = str(made.json()["id"])
        for text in texts:
            answer = client.post(f"/v1/conversations/{began}/turns", json={"input": text})
            assert answer.status_code == 201, answer.text
        return began


@contextmanager
def served(data_dir: Path, **environment: str) -> Iterator[Served]:
    command = [
        str(BIN / "memos"), "serve", "--generator", "echo", "--port", "0", "--data-dir", str(data_dir), "--json"
    ]  # fmt: skip
    with (data_dir.parent / f"{data_dir.name}.out").open("ab") as log:
        process = subprocess.Popen(
            command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=log, text=True, cwd=data_dir.parent
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (data_dir.parent / f"{data_dir.name}.out").read_text()[-3000:]
        told = json.loads(line)
        yield Served(told["url"], Path(told["admin_key_file"]).read_text().strip(), data_dir, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with folder() as path:
        yield path


@pytest.fixture(scope="module")
def service(place: Path) -> Iterator[Served]:
    every = {"MEMOS_SCHEDULE_EVERY_S": json.dumps({"erasure_ledger": 1}), "MEMOS_SCHEDULE_POLL_S": "0.2"}
    with served(place / "data", **every) as running:
        yield running


def settings(data_dir: Path) -> Settings:
    return Settings(data_dir=data_dir, generator="echo")


Damage = Callable[[Path], None]
