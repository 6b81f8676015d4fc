"""A stored state that was tampered with, cut, lost, or made by another model: refused by name, and nothing changed."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from memos.generation.echo import EchoEngine, EchoState
from memos.kernel.version import broken_links
from memos.kit.errors import MemosError
from tests.api.talk import ask, chain, eventually, held, look, of, plant, post, problem, say, turns
from tests.support.live import Live, serve
from tests.support.postgres import Cluster

QUICK = {"turn_wait_s": 0.6, "job_max_attempts": 2, "relay_poll_s": 0.05}


class Damaged:
    """A conversation of two turns whose newest state is to be damaged, and a service that has not seen that state."""

    def __init__(self, service: Live, client: httpx2.Client, conversation: str, blobs: Path) -> None:
        self.service = service
        self.client = client
        self.conversation = conversation
        (row,) = look(
            service,
            "SELECT v.id, v.blob_id FROM memcube_versions v JOIN memcubes c ON c.head_version_id = v.id "
            "WHERE c.conversation_id = %s",
            conversation,
        )
        self.version_id = row["id"]
        (self.file,) = blobs.rglob(row["blob_id"])
        self.cube = client.get(f"/v1/conversations/{conversation}").json()["state_cube_id"]

    def head(self) -> dict[str, Any]:
        view: dict[str, Any] = self.client.get(f"/v1/conversations/{self.conversation}").json()
        return {name: view[name] for name in ("state_version", "epoch", "pending_turns", "fingerprint")}


@pytest.fixture
def damaged(postgres_cluster: Cluster, tmp_path: Path) -> Iterator[Damaged]:
    database = postgres_cluster.database()
    with serve(database, blob_url=tmp_path.as_uri(), **QUICK) as first, first.client() as client:
        conversation = first.conversation(client)
        for text in ("a", "b"):
            say(client, conversation, text)
        first.settled(client, conversation)
    # The service that made the state still held it decoded. This one has to read it.
    with serve(database, blob_url=tmp_path.as_uri(), **QUICK) as cold, cold.client(first.key) as fresh:
        yield Damaged(cold, fresh, conversation, tmp_path)


def _tamper(file: Path) -> None:
    body = bytearray(file.read_bytes())
    body[-5] ^= 1
    file.write_bytes(body)


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


DAMAGES = {
    "tampered": _tamper,
    "truncated": _truncate,
    "empty": lambda file: file.write_bytes(b""),
    "lost": Path.unlink,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_state_is_never_read(damaged: Damaged, damage: Any) -> None:
    client, conversation = damaged.client, damaged.conversation
    before, whole = damaged.head(), damaged.file.read_bytes()
    damage(damaged.file)
    refused = problem(ask(client, conversation, "c", key="the-key"), 503, "state_unreadable")
    assert refused["context"]["version_id"].startswith("ver_")
    assert "Roll the conversation back" in refused["hint"]
    code = "blob_missing" if not damaged.file.exists() else "blob_corrupt"
    problem(client.get(f"/v1/cubes/{damaged.cube}/versions/2/payload"), 503, code)
    assert damaged.head() == before
    failed = turns(client, conversation)[2]
    assert (failed["status"], failed["output"], failed["error"]["code"]) == ("failed", None, "state_unreadable")
    assert broken_links(chain(client, damaged.cube)) == []
    damaged.file.write_bytes(whole)  # restored from a backup
    assert held(say(client, conversation, "c", key="the-key")["output"]) == of("a", "b")


def test_going_back_mends_what_the_hint_says_it_mends(damaged: Damaged) -> None:
    damaged.file.unlink()
    problem(ask(damaged.client, damaged.conversation, "c"), 503, "state_unreadable")
    post(damaged.client, f"/v1/conversations/{damaged.conversation}/rollback", {"to_turn": 1})
    assert held(say(damaged.client, damaged.conversation, "d")["output"]) == of("a")


def test_a_state_of_another_model_is_refused_by_name(damaged: Damaged) -> None:
    """Its hash is right and its row says it is ours: only the stamp in the payload tells."""
    theirs = EchoEngine(revision=2).dump_state(EchoState(0, b"", bytes(32)))
    damaged.file.write_bytes(theirs)
    plant(
        damaged.service,
        "UPDATE memcube_versions SET payload_sha256 = %s WHERE id = %s",
        hashlib.sha256(theirs).hexdigest(), damaged.version_id,
    )  # fmt: skip
    before = damaged.head()
    refused = problem(ask(damaged.client, damaged.conversation, "c"), 409, "model_mismatch")
    assert "model" in refused["context"]["fields"]
    assert damaged.head() == before
    assert turns(damaged.client, damaged.conversation)[2]["status"] == "failed"


def test_a_job_that_cannot_succeed_is_shown_and_can_be_retried(damaged: Damaged) -> None:
    client, conversation = damaged.client, damaged.conversation
    whole = damaged.file.read_bytes()
    damaged.file.unlink()
    exchange = {"turns": [{"input": "c", "output": "C"}, {"input": "d", "output": "D"}]}
    post(client, f"/v1/conversations/{conversation}/turns/import", exchange)
    (job,) = eventually(lambda: client.get("/v1/jobs?status=failed").json()["items"])
    assert (job["subject"], job["task"], job["failures"]) == (conversation, "advance", 2)
    assert (job["error"]["code"], job["error"]["status"]) == ("state_unreadable", 503)
    assert client.get("/v1/stats").json()["jobs"]["failed"] == 1
    problem(ask(client, conversation, "e"), 503, "memory_behind")
    # Retried too early, it fails again; retried when the file is back, it and what waited behind it succeed.
    assert post(client, f"/v1/jobs/{job['id']}/retry").json()["status"] == "queued"
    eventually(lambda: client.get(f"/v1/jobs/{job['id']}").json()["status"] == "failed")
    assert [turn["status"] for turn in turns(client, conversation)] == ["applied"] * 2 + ["answered"] * 2 + ["failed"]
    damaged.file.write_bytes(whole)
    post(client, f"/v1/jobs/{job['id']}/retry")
    damaged.service.settled(client, conversation)
    ended = eventually(lambda: [j for j in [client.get(f"/v1/jobs/{job['id']}").json()] if j["status"] == "done"])[0]
    assert ended["done_at"] is not None
    problem(client.post(f"/v1/jobs/{job['id']}/retry"), 409, "job_not_failed")
    assert held(say(client, conversation, "f")["output"]) == of("a", "b", "c", "d")
    assert broken_links(chain(client, damaged.cube)) == []


def test_an_unexpected_error_is_a_problem_document_too(damaged: Damaged, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug of ours: 500, a request id to report, and no word of what was inside."""

    async def broken(*_: object) -> bytes:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(damaged.service.app.state.runtime, "read_blob", broken)
    with capture_logs() as logged:
        answer = damaged.client.get(f"/v1/cubes/{damaged.cube}/versions/2/payload", headers={"X-Request-Id": "mine"})
    assert "request.failed" in [entry["event"] for entry in logged]
    body = problem(answer, MemosError.status, "internal")
    assert body["request_id"] == "mine"
    assert "secret" not in answer.text
