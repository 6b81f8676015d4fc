"""The embedding model is changed under a running service: by its configuration, and by a model that is gone."""

import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from tests.api.talk import look, plant, post
from tests.support.live import Live, serve
from tests.support.postgres import Addresses, Cluster

OWNER = "ada"
GONE = "openai:http://127.0.0.1:9/v1#gone@0123456789ab:48"


@pytest.fixture(scope="module")
def database(postgres_cluster: Cluster) -> Addresses:
    return postgres_cluster.database()


def until(client: httpx2.Client, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while not true(status := client.get("/v1/embedder").json()):
        assert time.monotonic() < deadline, status
        time.sleep(0.05)
    return dict(status)


def found(client: httpx2.Client, query: str) -> tuple[list[str], bool]:
    answer = post(client, "/v1/memories/search", {"query": query, "user_id": OWNER, "top_k": 3}).json()
    return [result["text"] for result in answer["results"]], answer["embedded"]


def in_use(live: Live) -> list[str]:
    return [str(row["embedder"]) for row in look(live, "SELECT embedder FROM recall_scopes WHERE user_id = %s", OWNER)]


def test_a_change_of_configuration_moves_memories_while_they_are_searched(database: Addresses) -> None:
    with serve(database, embedder="hash-32") as live, live.client() as client:
        items = [{"text": f"ada has seen the harbour of town {n}", "user_id": OWNER} for n in range(70)]
        post(client, "/v1/memories", {"items": items})
        texts, embedded = found(client, "harbour of town 7")
        assert embedded
        assert "ada has seen the harbour of town 7" in texts
        assert in_use(live)[0].startswith("hash-32@")
        key = live.key  # of this tenant: another service begins with one of its own
    with serve(database, embedder="hash-48") as live, live.client(key) as client:
        assert found(client, "harbour of town 7") == (texts, True), "by the old model"
        assert client.get("/v1/stats").json()["embedder"]["in_use"][0]["model"].startswith("hash-32@")
        queued = post(client, "/v1/embedder/switch", key="once").json()
        assert queued["queued"] == 1
        assert post(client, "/v1/embedder/switch", key="once").json() == queued
        until(client, lambda status: not status["switching"])
        assert in_use(live)[0] == queued["model"]
        again, embedded = found(client, "harbour of town 7")
        assert embedded
        assert "ada has seen the harbour of town 7" in again
        (job,) = (job for job in client.get("/v1/jobs?limit=200").json()["items"] if job["task"] == "reembed")
        assert job["progress"] == {"done": 70, "total": 70}


def test_without_its_model_a_memory_is_found_by_its_words_and_that_is_said(database: Addresses) -> None:
    with serve(database, embedder="hash-32") as live, live.client() as client:
        post(client, "/v1/memories", {"text": "the key lies under the blue stone", "user_id": "bob"})
        (scope,) = look(live, "SELECT id FROM recall_scopes WHERE user_id = 'bob'")
        plant(live, "UPDATE recall_scopes SET embedder = %s, revision = revision + 1 WHERE id = %s", GONE, scope["id"])
        plant(live, "UPDATE embeddings SET model = %s WHERE scope_id = %s", GONE, scope["id"])
        asked = {"query": "blue stone", "user_id": "bob"}
        answer = post(client, "/v1/memories/search", asked).json()
        assert (answer["embedded"], len(answer["results"])) == (False, 1)
        status = client.get("/v1/stats").json()["embedder"]
        assert status["dense_off"]
        assert {model["model"] for model in status["in_use"] if model["reason"]} == {GONE}
        assert status["in_force"]["available"]
        post(client, "/v1/embedder/switch")
        until(client, lambda status: not status["switching"] and not status["dense_off"])
        assert post(client, "/v1/memories/search", asked).json()["embedded"]
