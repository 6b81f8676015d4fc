"""A part of the service that is gone: 503 with Retry-After, nothing half-written, and recovery by itself."""

import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from memos.kernel.version import broken_links
from memos.keys.bootstrap import ensure_admin_key
from tests.api.talk import (
    ask,
    chain,
    eventually,
    held,
    look,
    meanwhile,
    of,
    post,
    problem,
    say,
    settled,
    turns,
    under_way,
)
from tests.generation.worker_process import WorkerProcess
from tests.support.live import SECRET, Live, serve, settings_for
from tests.support.postgres import Addresses, Cluster, cluster

QUICK = {"turn_wait_s": 0.8, "lease_s": 1.2, "relay_poll_s": 0.05}


def _nothing_half_written(live: Live, client: httpx2.Client, conversation: str) -> None:
    """Every answered turn has its answer, every version its parent, every job its end; and the line is whole."""
    view = live.settled(client, conversation)
    listed = turns(client, conversation)
    assert {turn["status"] for turn in listed} <= {"applied", "failed", "cancelled"}
    applied = [turn for turn in listed if turn["status"] == "applied"]
    assert view["state_version"] == len(applied)
    assert broken_links(chain(client, view["state_cube_id"])) == []
    # What is said is embedded when the embedder is there again.
    eventually(lambda: not look(live, "SELECT 1 FROM outbox WHERE status <> 'done'"), 60)
    assert look(live, "SELECT 1 FROM idempotency_keys WHERE status IS NULL") == []
    fork = post(client, f"/v1/conversations/{conversation}/fork", {"at_turn": applied[-1]["seq"]}).json()["id"]
    assert held(say(client, fork, "?")["output"]) == of(*(turn["input"] for turn in applied))


def test_a_database_that_stops_and_comes_back() -> None:
    with cluster() as own, serve(own.database(), **QUICK) as service, service.client() as client:
        conversation = service.conversation(client)
        say(client, conversation, "a")
        service.settled(client, conversation)
        text = "/slow 150 one two three four five"
        with meanwhile(lambda: ask(client, conversation, text, key="slow")) as slow:
            under_way(client, conversation, 2)
            own.server.stop()
            for call in (
                lambda: client.get("/v1/conversations"),
                lambda: client.post("/v1/conversations", json={"user_id": "ada"}),
                lambda: ask(client, conversation, "b", key="b"),
                lambda: client.get("/v1/stats"),
            ):
                problem(call(), 503, "database_unavailable")
            unready = client.get("/readyz")
            assert unready.status_code == 503
            assert unready.json()["checks"]["database"]["code"] == "database_unavailable"
            assert int(unready.headers["retry-after"]) >= 1
            assert client.get("/healthz").status_code == 200  # alive: restarting it would not help
        problem(slow.result(), 503, "database_unavailable")
        own.server.start()
        eventually(lambda: client.get("/readyz").status_code == 200)
        assert held(say(client, conversation, "b", key="b")["output"]) == of("a")
        assert held(say(client, conversation, text, key="slow")["output"]) == of("a", "b")
        _nothing_half_written(service, client, conversation)


@pytest.fixture
def worker_service(postgres_cluster: Cluster, tmp_path: Path) -> "Iterator[tuple[Live, WorkerProcess, str]]":
    blobs = (tmp_path / "blobs").as_uri()
    worker = WorkerProcess(tmp_path / "worker", blobs)
    try:
        with serve(postgres_cluster.database(), model_url=worker.url, blob_url=blobs, **QUICK) as service:
            yield service, worker, blobs
    finally:
        worker.stop()


def test_a_model_worker_that_dies_and_comes_back(
    worker_service: tuple[Live, WorkerProcess, str], tmp_path: Path
) -> None:
    service, worker, blobs = worker_service
    with service.client() as client:
        conversation = service.conversation(client)
        say(client, conversation, "a")
        service.settled(client, conversation)
        with meanwhile(lambda: ask(client, conversation, "/slow 200 a b c d e f g h", key="torn")) as torn:
            under_way(client, conversation, 2)
            worker.stop()
        problem(torn.result(), 503, "model_unavailable")
        problem(ask(client, conversation, "b", key="b"), 503, "model_unavailable")
        unready = client.get("/readyz")
        assert (unready.status_code, unready.json()["checks"]["generator"]["code"]) == (503, "model_unavailable")
        assert [turn["status"] for turn in turns(client, conversation)] == ["applied", "failed", "failed"]
        again = WorkerProcess(tmp_path / "again", blobs, port=worker.port)
        try:
            assert held(say(client, conversation, "b", key="b")["output"]) == of("a")
            _nothing_half_written(service, client, conversation)
        finally:
            again.stop()


def test_a_model_worker_that_was_never_there(
    worker_service: tuple[Live, WorkerProcess, str], postgres_cluster: Cluster
) -> None:
    """No identity is known yet: a conversation cannot begin, and nothing of it is written."""
    service, worker, _ = worker_service
    worker.stop()
    service.app.state.runtime.generator._identity = None
    with service.client() as client:
        before = look(service, "SELECT count(*) n FROM conversations")
        refused = client.post("/v1/conversations", json={"user_id": "ada"}, headers={"Idempotency-Key": "k"})
        problem(refused, 503, "model_unavailable")
        assert look(service, "SELECT count(*) n FROM conversations") == before
        assert look(service, "SELECT 1 FROM idempotency_keys") == []


def test_a_blob_folder_that_cannot_be_used(postgres_cluster: Cluster, tmp_path: Path) -> None:
    folder, away = tmp_path / "blobs", tmp_path / "away"
    with (
        serve(postgres_cluster.database(), blob_url=folder.as_uri(), **QUICK) as service,
        service.client() as client,
    ):
        conversation = service.conversation(client)
        say(client, conversation, "a")
        cube = service.settled(client, conversation)["state_cube_id"]
        folder.rename(away)
        folder.write_text("not a folder")
        answer = say(client, conversation, "b", consistency="eventual")  # answering needs no write
        assert held(answer["output"]) == of("a")
        problem(ask(client, conversation, "c"), 503, "memory_behind")
        problem(client.get(f"/v1/cubes/{cube}/versions/1/payload"), 503, "blob_store_unavailable")
        (job,) = client.get("/v1/jobs?status=queued").json()["items"]
        assert (job["error"]["code"], job["error"]["transient"]) == ("model_unavailable", True)
        assert client.get(f"/v1/cubes/{cube}").json()["head_version"] == 1
        folder.unlink()
        away.rename(folder)
        _nothing_half_written(service, client, conversation)
        assert [turn["status"] for turn in turns(client, conversation)] == ["applied", "applied", "failed"]


@contextmanager
def _own_process(database: Addresses, folder: Path) -> "Iterator[tuple[int, httpx2.Client]]":
    """The API in a process of its own, which alone feels the limits set on it."""
    key = ensure_admin_key(settings_for(database, folder), folder / "admin.key")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "DATABASE_URL": database.app, "DATA_DIR": str(folder), "BLOB_URL": (folder / "blobs").as_uri(),
        "SECRET": SECRET, "GENERATOR": "echo", "PORT": str(port), "TURN_WAIT_S": "0.8", "RELAY_POLL_S": "0.05",
    }  # fmt: skip
    command = [sys.executable, "-c", "from memos.cli.main import app; app()", "serve"]
    environment = os.environ | {f"MEMOS_{name}": value for name, value in settings.items()}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    headers = {"Authorization": f"Bearer {key}"}
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client:
            eventually(lambda: _answers(client, process, folder / "log"), 30)
            yield process.pid, client
    finally:
        process.terminate()
        process.wait(20)


def _answers(client: httpx2.Client, process: "subprocess.Popen[bytes]", log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        return client.get("/readyz").status_code == 200
    except httpx2.TransportError:
        return False


def test_a_disk_that_is_full(postgres_cluster: Cluster, tmp_path: Path) -> None:
    """Writes of the service stop in the middle of a file, as on a full disk; then there is room again."""
    with _own_process(postgres_cluster.database(), tmp_path) as (pid, client):
        conversation = post(client, "/v1/conversations", {"user_id": "ada"}).json()["id"]
        say(client, conversation, "a")
        cube = settled(client, conversation)["state_cube_id"]
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (100, hard))
        assert held(say(client, conversation, "b", consistency="eventual")["output"]) == of("a")
        problem(ask(client, conversation, "c", key=f"c-{conversation}"), 503, "memory_behind")
        job = _job_of(client, conversation)
        assert (job["status"] in ("queued", "running"), job["error"]["code"]) == (True, "model_unavailable")
        assert client.get(f"/v1/cubes/{cube}").json()["head_version"] == 1
        left = [path for path in (tmp_path / "blobs").rglob("*") if path.is_file() and path.stat().st_size <= 100]
        assert all("#" in path.name for path in left), left  # no cut object under a name that anything refers to
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        settled(client, conversation)
        assert held(say(client, conversation, "c", key=f"c-{conversation}")["output"]) == of("a", "b")
        settled(client, conversation)
        assert broken_links(chain(client, cube)) == []


def _job_of(client: httpx2.Client, conversation: str) -> dict[str, Any]:
    items: list[dict[str, Any]] = client.get("/v1/jobs?limit=5").json()["items"]
    return next(job for job in items if job["subject"] == conversation and job["error"])
