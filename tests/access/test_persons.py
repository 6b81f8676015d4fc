"""What a key, a token and a header make of a caller, and what each then sees."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.api.talk import everything, post, problem, say
from tests.support.live import Live


def token(client: httpx2.Client, user: str, **more: object) -> str:
    return str(post(client, "/v1/tokens", {"user_id": user} | more).json()["token"])


def as_user(user: str) -> dict[str, str]:
    return {"X-Memos-User": user}


@pytest.fixture
def client(live: Live) -> Iterator[httpx2.Client]:
    with live.client() as open_client:
        yield open_client


@pytest.fixture
def ada(live: Live, client: httpx2.Client) -> Iterator[httpx2.Client]:
    with live.client(token(client, "ada")) as open_client:
        yield open_client


@pytest.fixture
def bob(live: Live, client: httpx2.Client) -> Iterator[httpx2.Client]:
    with live.client(token(client, "bob")) as open_client:
        yield open_client


def test_a_token_takes_turns_of_its_user_alone(live: Live, ada: httpx2.Client, bob: httpx2.Client) -> None:
    conversation = live.conversation(ada, "ada")
    first = say(ada, conversation, "mine")
    assert say(ada, conversation, "again")["seq"] == 2
    live.settled(ada, conversation)
    assert conversation in {item["id"] for item in everything(ada, "/v1/conversations")}
    assert conversation not in {item["id"] for item in everything(bob, "/v1/conversations")}
    for path in (
        f"/v1/conversations/{conversation}",
        f"/v1/conversations/{conversation}/turns",
        f"/v1/turns/{first['id']}",
    ):
        assert ada.get(path).status_code == 200
        problem(bob.get(path), 404, "not_found")
    problem(bob.post(f"/v1/conversations/{conversation}/turns", json={"input": "let me in"}), 404, "not_found")


def test_nobody_begins_a_conversation_for_somebody_else(bob: httpx2.Client) -> None:
    problem(bob.post("/v1/conversations", json={"user_id": "ada"}), 403, "not_yours")
