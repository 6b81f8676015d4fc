"""Odd bodies that once were answered with a 500."""

from typing import Any

import httpx2
import pytest

from tests.api.talk import post, problem
from tests.support.live import Live


@pytest.fixture
def client(live: Live) -> Any:
    with live.client() as open_client:
        yield open_client


def test_a_vector_of_huge_numbers_has_a_direction_and_one_of_nothing_has_none(client: httpx2.Client) -> None:
    body = {"text": "A memory with a vector of its own.", "user_id": "of huge numbers", "embedding": [1e300] * 384}
    post(client, "/v1/memories", body)
    problem(client.post("/v1/memories", json=body | {"embedding": [0.0] * 384}), 422, "no_direction")


def test_metadata_that_are_null_are_left_as_they_are(client: httpx2.Client) -> None:
    made = post(client, "/v1/memories", {"text": "I play squash.", "user_id": "of null", "metadata": {"of": 1}}).json()
    path = f"/memories/{made['memories'][0]['id']}"
    client.put(path, json={"text": "I play tennis.", "metadata": None}).raise_for_status()
    found = client.get(path).json()
    assert (found["memory"], found["metadata"]) == ("I play tennis.", {"of": 1})


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/search", {"query": "x" * 32_001, "user_id": "of mem0"}, "body.query"),
        ("/search", {"query": "tennis?", "filters": {"user_id": 5}}, "body.user_id"),
        ("/search", {"query": "tennis?", "filters": {"agent_id": {"eq": "one"}}}, "body.agent_id"),
        ("/search", {"query": "tennis?", "filters": {"user_id": "u" * 201}}, "body.user_id"),
    ],
)
def test_what_fits_mem0_and_not_memos_is_refused_with_its_place(
    client: httpx2.Client, path: str, body: dict[str, Any], where: str
) -> None:
    found = problem(client.post(path, json=body), 422, "invalid")
    assert found["errors"][0]["where"] == where
