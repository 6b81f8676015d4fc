"""What policies, consolidation and callers do to memories is seen by the next search, with nothing in between: what is
expired, archived or merged is not found any more, and of what replaced what the newest that holds comes first.
"""

from typing import Any

import httpx2
import pytest

from tests.api.talk import eventually, post
from tests.support.live import Live


@pytest.fixture
def client(live: Live) -> Any:
    with live.client() as open_client:
        yield open_client


def remember(client: httpx2.Client, user: str, *texts: str, **fields: Any) -> list[str]:
    items = [{"text": text, "user_id": user} | fields for text in texts]
    return [made["id"] for made in post(client, "/v1/memories", {"items": items}).json()["memories"]]


def found(client: httpx2.Client, user: str, query: str, **fields: Any) -> list[str]:
    body = {"query": query, "user_id": user, "top_k": 20} | fields
    return [hit["text"] for hit in post(client, "/v1/memories/search", body).json()["results"]]


def finished(client: httpx2.Client, path: str) -> dict[str, Any]:
    def ended() -> dict[str, Any]:
        run: dict[str, Any] = client.get(path).json()
        assert run["status"] != "failed", run
        return run if run["status"] == "done" else {}

    return eventually(ended, 30)


def test_what_a_policy_takes_out_is_not_found(client: httpx2.Client) -> None:
    user = "polly of the policies"
    remember(client, user, "The parrot of Polly is green.", "The umbrella of Polly is red.")
    assert len(found(client, user, "What is of Polly?")) == 2
    rule = {"kind": "ttl", "ttl_s": 0.001}
    fields = {"cube_kind": "plaintext", "user_id": user}
    policy = post(client, "/v1/policies", {"name": "short", "rule": rule} | fields).json()["id"]
    run = post(client, f"/v1/policies/{policy}/run", {}).json()["id"]
    assert finished(client, f"/v1/policies/{policy}/runs/{run}")["done"] == 2
    assert found(client, user, "What is of Polly?") == []


def test_expired_and_archived_memories_are_not_found(client: httpx2.Client) -> None:
    user = "exa of the expired"
    (one, two, three) = remember(client, user, "Exa has a boat.", "Exa has a canoe.", "Exa has a dinghy.")
    post(client, f"/v1/cubes/{one}/transition", {"to": "expired", "reason": "a test"})
    assert set(found(client, user, "What has Exa?")) == {"Exa has a canoe.", "Exa has a dinghy."}
    assert client.delete(f"/v1/memories/{two}").is_success
    assert found(client, user, "What has Exa?") == ["Exa has a dinghy."]
    client.patch(f"/v1/memories/{three}", json={"expires_at": "2026-01-01T00:00:00Z"}).raise_for_status()
    assert found(client, user, "What has Exa?") == []
    post(client, f"/v1/cubes/{one}/transition", {"to": "activated", "reason": "a test"})
    assert found(client, user, "What has Exa?") == ["Exa has a boat."]


def test_merged_memories_are_found_as_one(client: httpx2.Client) -> None:
    user = "mera of the merged"
    ids = remember(client, user, "Mera owns a blue bicycle.", "Mera lives by the sea.")
    whole = "Mera owns a blue bicycle and lives by the sea."
    post(client, "/v1/cubes/merge", {"cube_ids": ids, "text": whole})
    assert found(client, user, "Where does Mera live?") == [whole]


def test_of_what_was_replaced_the_newest_that_holds_comes_first(client: httpx2.Client) -> None:
    user = "sue of the superseded"
    (first,) = remember(client, user, "Sue lives in Rome.", valid_from="2026-01-01T00:00:00Z")
    (second,) = remember(client, user, "Sue lives in Oslo.", valid_from="2026-03-01T00:00:00Z", supersedes=first)
    remember(client, user, "Sue lives in Lima.", valid_from="2026-06-01T00:00:00Z", supersedes=second)
    assert found(client, user, "Where does Sue live?") == ["Sue lives in Lima."]
    whole = found(client, user, "Where does Sue live?", history=True)
    assert (whole[0], set(whole)) == ("Sue lives in Lima.", {"Sue lives in Rome.", "Sue lives in Oslo.", whole[0]})


def test_consolidation_leaves_the_newest_statement(client: httpx2.Client) -> None:
    user = "connie of the consolidated"
    remember(client, user, "I live in Paris.", valid_from="2026-01-01T00:00:00Z")
    remember(client, user, "I live in Rome.", valid_from="2026-04-01T00:00:00Z")
    run = post(client, "/v1/consolidations", {"user_id": user, "steps": ["supersede"]}).json()
    finished(client, f"/v1/consolidations/{run['id']}")
    assert found(client, user, "Where do I live?") == ["I live in Rome."]
    assert set(found(client, user, "Where do I live?", history=True)) == {"I live in Rome.", "I live in Paris."}
