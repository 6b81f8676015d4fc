"""Deltas over REST, with the echo generator: asked for, mounted for their user alone, named, unmounted."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from memos.generation.echo import turn_fingerprint
from tests.api.talk import eventually, look, post, problem, say, settled
from tests.support.live import Live, serve
from tests.support.postgres import Addresses

FACT = "My dog is called Biscuit."
TAUGHT = f"{{{turn_fingerprint(FACT)}}}"


@pytest.fixture(scope="module")
def teaching(laboratory: Addresses) -> Iterator[Live]:
    with serve(laboratory) as service:
        yield service


@pytest.fixture
def client(teaching: Live) -> Iterator[httpx2.Client]:
    with teaching.client() as open_client:
        yield open_client


def fact(client: httpx2.Client, text: str = FACT, user: str = "ada") -> str:
    return str(post(client, "/v1/cubes", {"text": text, "user_id": user}).json()["id"])


def trained(client: httpx2.Client, body: dict[str, Any], key: str | None = None) -> dict[str, Any]:
    answer = post(client, "/v1/deltas", body, key=key)
    assert answer.status_code == 202
    run = answer.json()["id"]

    def ended() -> dict[str, Any]:
        view: dict[str, Any] = client.get(f"/v1/deltas/{run}").json()
        return view if view["status"] in ("done", "failed") else {}

    return eventually(ended, 30)


def answered(teaching: Live, client: httpx2.Client, user: str) -> dict[str, Any]:
    """A turn of a fresh conversation: empty state, no recall."""
    return say(client, teaching.conversation(client, user), "What is my dog called?", recall={"top_k": 0})


def test_a_delta_is_mounted_for_its_user_and_named_by_the_explanation(teaching: Live, client: httpx2.Client) -> None:
    assert TAUGHT not in answered(teaching, client, "ada")["output"]
    run = trained(client, {"user_id": "ada", "cube_ids": [fact(client)]}, key="once")
    assert (run["status"], run["error"], run["progress"]) == ("done", None, {"step": 200, "steps": 200})
    again = trained(client, {"user_id": "ada", "cube_ids": run_cubes(teaching, run)}, key="twice")
    assert again["id"] == run["id"]
    turn = answered(teaching, client, "ada")
    assert TAUGHT in turn["output"]
    assert turn["output"].startswith("echo 0 []")
    assert TAUGHT not in answered(teaching, client, "bob")["output"]
    read = client.get(f"/v1/turns/{turn['id']}/explanation").json()["read"]
    assert [(item["kind"], item["rank"]) for item in read] == [("activation", 0), ("parameter", 1)]
    assert read[1]["cube_id"] == run["cube_id"]
    assert turn["memory"]["read"] == []
    cube = client.get(f"/v1/cubes/{run['cube_id']}").json()
    assert (cube["kind"], cube["reads"], cube["semantic_type"]) == ("parameter", 1, "delta")
    lineage = client.get(f"/v1/cubes/{run['cube_id']}/lineage", params={"direction": "up"}).json()
    assert [edge["relation"] for edge in lineage["edges"]] == ["distils"]
    post(client, f"/v1/cubes/{run['cube_id']}/transition", {"to": "archived", "reason": "test"})
    assert TAUGHT not in answered(teaching, client, "ada")["output"]


def run_cubes(teaching: Live, run: dict[str, Any]) -> list[str]:
    rows = look(teaching, "SELECT cube_id FROM memcube_versions WHERE id = ANY(%s)", run["version_ids"])
    return [row["cube_id"] for row in rows]


def test_a_state_does_not_depend_on_what_is_mounted(teaching: Live, client: httpx2.Client) -> None:
    """The same turns with and without a delta leave the same memory: only answers differ."""
    run = trained(client, {"user_id": "cleo", "cube_ids": [fact(client, user="cleo")]})
    hashes = []
    for user in ("cleo", "dan"):
        begun = teaching.conversation(client, user)
        body = {"turns": [{"input": "hello", "output": "hi"}]}
        post(client, f"/v1/conversations/{begun}/turns/import", body)
        cube = settled(client, begun)["state_cube_id"]
        hashes.append(client.get(f"/v1/cubes/{cube}/versions/1").json()["payload_sha256"])
        assert (TAUGHT in say(client, begun, "and?")["output"]) == (user == "cleo")
    assert hashes[0] == hashes[1]
    assert run["cube_id"]


def test_a_run_that_teaches_nothing_says_so(client: httpx2.Client) -> None:
    run = trained(client, {"user_id": "ada", "cube_ids": [fact(client, "  ")]})
    assert (run["status"], run["cube_id"], run["error"]["code"]) == ("failed", None, "nothing_to_teach")
    assert run["error"]["hint"]


def test_a_delta_that_is_damaged_is_named(teaching: Live, client: httpx2.Client) -> None:
    # Of a text of its own: an equal delta may be in the cache.
    run = trained(client, {"user_id": "eve", "cube_ids": [fact(client, "I live in York.", "eve")]})
    (row,) = look(
        teaching,
        "SELECT v.blob_id FROM memcube_versions v JOIN memcubes c ON c.head_version_id = v.id WHERE c.id = %s",
        run["cube_id"],
    )
    blob = teaching.data_dir / "blobs" / row["blob_id"][-2:] / row["blob_id"]
    blob.write_bytes(blob.read_bytes()[:-1])
    begun = teaching.conversation(client, "eve")
    answer = client.post(f"/v1/conversations/{begun}/turns", json={"input": "hello"})
    body = problem(answer, 503, "delta_unreadable")
    assert run["cube_id"] in body["detail"]
    post(client, f"/v1/cubes/{run['cube_id']}/transition", {"to": "archived", "reason": "damaged"})
    assert say(client, begun, "hello")["output"].startswith("echo")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "delta_owner"),
        ({"user_id": "ada"}, "nothing_named"),
        ({"cube_ids": [f"cube_{'0' * 32}"]}, "delta_owner"),
        ({"user_id": "ada", "agent_id": "helper", "cube_ids": [f"cube_{'0' * 32}"]}, "delta_owner"),
        ({"user_id": "ada", "cube_ids": ["nonsense"]}, "invalid"),
        ({"user_id": "ada", "cube_ids": [f"cube_{'0' * 32}"], "rank": 65}, "invalid"),
        ({"user_id": "ada", "cube_ids": [f"cube_{'0' * 32}"], "more": 1}, "invalid"),
    ],
)
def test_bad_input_says_what_to_change(client: httpx2.Client, body: dict[str, Any], code: str) -> None:
    assert problem(client.post("/v1/deltas", json=body), 422, code)["hint"]


def test_anothers_memory_is_not_learned(client: httpx2.Client) -> None:
    body = {"user_id": "ada", "cube_ids": [fact(client, user="bob")]}
    problem(client.post("/v1/deltas", json=body), 422, "not_learnable")
    problem(client.post("/v1/deltas", json={"user_id": "ada", "cube_ids": [f"cube_{'0' * 32}"]}), 404, "not_found")
    problem(client.get(f"/v1/deltas/run_{'0' * 32}"), 404, "not_found")
