"""A client of the shared service, and what these tests say to it over and over."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.api.talk import eventually, everything, post
from tests.support.live import Live


@pytest.fixture
def client(live: Live) -> Iterator[httpx2.Client]:
    with live.client() as open_client:
        yield open_client


@pytest.fixture
def conversation(live: Live, client: httpx2.Client) -> str:
    return live.conversation(client)


def remember(client: httpx2.Client, text: str, **body: Any) -> dict[str, Any]:
    """A new plaintext cube."""
    made: dict[str, Any] = post(client, "/v1/cubes", {"text": text, "user_id": "ada"} | body).json()
    return made


def cube(client: httpx2.Client, cube_id: str) -> dict[str, Any]:
    answer = client.get(f"/v1/cubes/{cube_id}")
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def text_of(client: httpx2.Client, cube_id: str) -> str:
    """What the newest version of a plaintext cube says."""
    answer = client.get(f"/v1/cubes/{cube_id}/versions/{cube(client, cube_id)['head_version']}/payload")
    assert answer.status_code == 200, answer.text
    return answer.text


def revise(client: httpx2.Client, cube_id: str, text: str, at: int) -> httpx2.Response:
    return client.post(f"/v1/cubes/{cube_id}/versions", json={"text": text}, headers={"If-Match": f'"{at}"'})


def to(client: httpx2.Client, cube_id: str, state: str, reason: str = "a test") -> httpx2.Response:
    return client.post(f"/v1/cubes/{cube_id}/transition", json={"to": state, "reason": reason})


def freeze(client: httpx2.Client, cube_id: str, frozen: bool = True) -> httpx2.Response:
    return client.post(f"/v1/cubes/{cube_id}/freeze", json={"frozen": frozen, "reason": "a test"})


def events(client: httpx2.Client, cube_id: str) -> list[tuple[str, str | None, str | None]]:
    """(event, from, to), oldest first."""
    listed = everything(client, f"/v1/cubes/{cube_id}/events")[::-1]
    return [(event["event"], event["from_lifecycle"], event["to_lifecycle"]) for event in listed]


def made_from(client: httpx2.Client, cube_id: str) -> set[tuple[str, str]]:
    """(relation, cube) of what the versions of a cube came from, in other cubes."""
    parents = client.get(f"/v1/cubes/{cube_id}/metadata").json()["provenance"]["parents"]
    return {(parent["relation"], parent["cube_id"]) for parent in parents}


def activated(client: httpx2.Client, cube_id: str) -> dict[str, Any]:
    """A cube once the job that makes it has ended."""

    def made() -> dict[str, Any]:
        found = cube(client, cube_id)
        return found if found["lifecycle"] == "activated" else {}

    return eventually(made, 20)
