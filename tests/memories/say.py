"""Small steps that tests of memories share."""

from typing import Any
from uuid import uuid4

import httpx2

from tests.api.talk import post


def owner() -> str:
    """A user that nobody else has."""
    return f"user-{uuid4().hex[:12]}"


def remember(client: httpx2.Client, user_id: str, text: str, *, key: str | None = None, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = post(client, "/v1/memories", {"text": text, "user_id": user_id, **more}, key=key).json()
    return made


def found(client: httpx2.Client, user_id: str, query: str, **more: Any) -> list[dict[str, Any]]:
    body = {"query": query, "user_id": user_id, **more}
    results: list[dict[str, Any]] = post(client, "/v1/memories/search", body).json()["results"]
    return results


def ids(results: list[dict[str, Any]]) -> list[str]:
    return [str(one["id"]) for one in results]


def listed(client: httpx2.Client, user_id: str, **filters: Any) -> list[dict[str, Any]]:
    """What is listed of a user, newest first."""
    answer = client.get("/v1/memories", params={"user_id": user_id, "limit": 200, **filters})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items
