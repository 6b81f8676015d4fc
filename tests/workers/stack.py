"""The distributed placement by hand: API processes, relays and consumers as real processes, over one database, one
Redis and one folder of payloads.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from memos.kernel.version import broken_links
from memos.keys.bootstrap import ensure_admin_key
from tests.support.evidence import connect
from tests.support.live import SECRET, settings_for
from tests.support.postgres import Addresses
from tests.support.redis import wait_for

LEASE_S = 3.0
WATCHDOG_IDLE_S = 2.0
START_TIMEOUT_S = 40.0
BIN = Path(sys.executable).parent


class Process:
    """One process of the placement, in a session of its own, with its output in a file."""

    def __init__(self, name: str, command: Sequence[str], environment: dict[str, str], folder: Path) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        with self._log.open("ab") as log:
            self.popen = subprocess.Popen(
                list(command), env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def descendants(self) -> list[int]:
        found, queue = [], [self.popen.pid]
        while queue:
            pid = queue.pop()
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                children = [int(child) for child in task.read_text().split()]
                found += children
                queue += children
        return found

    def kill_tree(self) -> None:
        for pid in [self.popen.pid, *self.descendants()]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.popen.wait()

    def terminate(self, timeout_s: float = 30.0) -> int:
        self.popen.terminate()
        return self.popen.wait(timeout_s)


class Stack:
    """Starts and ends the processes, talks to the APIs and looks into the database from outside."""

    def __init__(self, database: Addresses, redis_url: str, folder: Path, **changes: str) -> None:
        self.database = database
        self.folder = folder
        self.blobs = folder / "blobs"
        settings = settings_for(database, folder, lease_s=LEASE_S, blob_url=self.blobs.as_uri())
        self.key = ensure_admin_key(settings, folder / "admin.key")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "MEMOS_DATABASE_URL": database.app,
            "MEMOS_REDIS_URL": redis_url,
            "MEMOS_BLOB_URL": self.blobs.as_uri(),
            "MEMOS_SECRET": SECRET,
            "MEMOS_GENERATOR": "echo",
            "MEMOS_LEASE_S": str(LEASE_S),
            "MEMOS_WATCHDOG_IDLE_S": str(WATCHDOG_IDLE_S),
        } | changes
        self.processes: list[Process] = []
        self.urls: list[str] = []

    def start(self, name: str, *command: str, **changes: str) -> Process:
        process = Process(name, command, self.environment | changes, self.folder)
        self.processes.append(process)
        return process

    def api(self) -> Process:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        process = self.start(
            f"api-{len(self.urls)}", str(BIN / "memos"), "serve", "--host", "127.0.0.1", "--port", str(port)
        )
        self.urls.append(url)
        return process

    def relay(self, name: str = "relay", **changes: str) -> Process:
        return self.start(name, sys.executable, "-m", "workers.relay", **changes)

    def consumer(self, name: str = "consumer", concurrency: int = 1, **changes: str) -> Process:
        command = (sys.executable, "-m", "workers.consumer", "--concurrency", str(concurrency))
        return self.start(name, *command, **changes)

    def await_apis(self) -> None:
        for url in self.urls:
            wait_for(lambda url=url: self._ready(url), START_TIMEOUT_S, f"{url} ready")

    def await_consumers(self, count: int) -> None:
        def ready() -> bool:
            logs = [process.log for process in self.processes if process.name.startswith("consumer")]
            return sum(" ready." in log for log in logs) >= count

        wait_for(ready, START_TIMEOUT_S, "the consumers")

    def client(self, number: int = 0) -> httpx2.Client:
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx2.Client(base_url=self.urls[number], headers=headers, timeout=40)

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.kill_tree()

    def _ready(self, url: str) -> bool:
        dead = [process for process in self.processes if process.popen.poll() is not None]
        assert not dead, f"{dead[0].name} ended: {dead[0].log[-3000:]}"
        try:
            return httpx2.get(f"{url}/readyz", timeout=5).status_code == 200
        except httpx2.TransportError:
            return False

    # -- what the database says ------------------------------------------------------------------------------------

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with connect(self.database.admin) as connection:
            return connection.execute(sql, parameters or None).fetchall()

    def open_jobs(self) -> int:
        return int(self.rows("SELECT count(*) FROM outbox WHERE status <> 'done'")[0][0])

    def drain(self, timeout_s: float) -> float:
        """Seconds until nothing is left to do."""

        def drained() -> bool:
            unsettled = "SELECT count(*) FROM turns WHERE status IN ('accepted', 'answered')"
            return self.open_jobs() == 0 and self.rows(unsettled)[0][0] == 0

        return wait_for(drained, timeout_s, f"drained; open: {self.rows(OPEN)}")


OPEN = "SELECT id, subject, status, dispatches, failures, lease_owner, error FROM outbox WHERE status <> 'done' LIMIT 5"


@contextmanager
def stack(database: Addresses, redis_url: str, folder: Path, **changes: str) -> Iterator[Stack]:
    running = Stack(database, redis_url, folder, **changes)
    try:
        yield running
    finally:
        running.stop()


def conversation(client: httpx2.Client) -> str:
    answer = client.post("/v1/conversations", json={"user_id": "ada"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def turn(client: httpx2.Client, conversation_id: str, text: str, **options: Any) -> dict[str, Any]:
    answer = client.post(f"/v1/conversations/{conversation_id}/turns", json={"input": text} | options)
    assert answer.status_code == 201, answer.text
    result: dict[str, Any] = answer.json()
    return result


__all__ = ["Stack", "broken_links", "conversation", "stack", "time", "turn"]
