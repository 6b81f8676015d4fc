"""What a client sends again after its connection broke joins the turn that it began: never a doubled turn."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from openai import APIConnectionError, OpenAI

from tests.api.talk import eventually, held, look, of, turns, under_way
from tests.chats.conftest import openai
from tests.chats.proxy import Breaking, breaking
from tests.chats.test_completions import ask, content, place
from tests.support.live import Live

SLOW = "/slow 100 one two three four five"


@pytest.fixture
def proxy(live: Live) -> Iterator[Breaking]:
    with breaking(live.url) as running:
        yield running


def _conversations(client: httpx2.Client, user: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/v1/conversations", params={"user_id": user}).json()["items"]
    return found


def _lines(client: httpx2.Client, user: str) -> list[list[str]]:
    """The inputs of each of a user's conversations."""
    return [[turn["input"] for turn in turns(client, one["id"])] for one in _conversations(client, user)]


@pytest.mark.parametrize("cut", [0, 150, 700], ids=["before the answer", "within its head", "within it"])
def test_the_clients_own_retry_joins(live: Live, proxy: Breaking, client: httpx2.Client, user: str, cut: int) -> None:
    proxy.cuts = [cut]
    messages: list[Any] = []
    with openai(live, url=proxy.url, retries=3) as flaky:
        first = ask(flaky, user, messages, "hello " * 200)
        assert proxy.broken == 1
        second = ask(flaky, user, messages, "again")
    assert held(content(second)) == of("hello " * 200)
    assert _lines(client, user) == [["hello " * 200, "again"]]
    assert place(second) == (place(first)[0], 2)


def test_a_stream_that_broke_is_asked_for_again(live: Live, proxy: Breaking, client: httpx2.Client, user: str) -> None:
    """The client raises, and its application sends the request once more: no retry header tells of it."""
    proxy.cuts = [900]
    wanted: Any = {"model": "memos", "messages": [{"role": "user", "content": SLOW}], "user": user, "stream": True}
    with openai(live, url=proxy.url) as flaky:
        with pytest.raises((APIConnectionError, httpx2.TransportError)):
            list(flaky.chat.completions.create(**wanted))
        chunks = list(flaky.chat.completions.create(**wanted))
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert said.endswith("one two three four five")
    assert _lines(client, user) == [[SLOW]]


def test_a_lost_answer_is_given_to_whoever_asks_again(live: Live, client: httpx2.Client, user: str) -> None:
    """The client went while the turn ran; it says that this is its first try, and it is the same request."""
    body: Any = {"model": "memos", "messages": [{"role": "user", "content": SLOW}], "user": user}
    with live.client() as leaving, pytest.raises(httpx2.ReadTimeout):
        leaving.post("/v1/chat/completions", json=body, timeout=0.3)
    (conversation,) = _conversations(client, user)
    lost = "SELECT lost_at FROM chat_turns WHERE conversation_id = %s AND lost_at IS NOT NULL"
    eventually(lambda: look(live, lost, conversation["id"]))
    with openai(live) as chat:
        answer = chat.chat.completions.create(**body)
    assert content(answer).endswith("one two three four five")
    assert _lines(client, user) == [[SLOW]]


def test_the_same_request_at_once_is_one_turn(live: Live, chat: OpenAI, client: httpx2.Client, user: str) -> None:
    messages: list[Any] = []
    ask(chat, user, messages, "a")
    messages.append({"role": "user", "content": SLOW})
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(
                lambda _: chat.chat.completions.create(model="memos", messages=messages, user=user),
                range(4),
            )
        )
    assert len({place(answer) for answer in answers}) == 1
    assert _lines(client, user) == [["a", SLOW]]


def test_different_requests_at_once_do_not_share_a_line(
    live: Live, chat: OpenAI, client: httpx2.Client, user: str
) -> None:
    """Two tabs go on from one answer: each sees the turn before, and not the other's."""
    messages: list[Any] = []
    ask(chat, user, messages, "a")

    def go_on(number: int) -> Any:
        return ask(chat, user, list(messages), f"/slow 30 tab {number} says something")

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(go_on, range(3)))
    assert [held(content(answer)) for answer in answers] == [of("a")] * 3
    assert len({place(answer)[0] for answer in answers}) == 3


def test_an_idempotency_key_decides(live: Live, chat: OpenAI, client: httpx2.Client, user: str) -> None:
    wanted: Any = {"model": "memos", "messages": [{"role": "user", "content": "hello"}], "user": user}
    keyed = {"Idempotency-Key": f"key-of-{user}"}
    one, two = (chat.chat.completions.create(**wanted, extra_headers=keyed) for _ in range(2))
    assert (place(one), content(one)) == (place(two), content(two))
    other = chat.chat.completions.create(**wanted, extra_headers={"Idempotency-Key": f"other-of-{user}"})
    assert place(other)[0] != place(one)[0]


def test_a_client_that_says_nothing_retries_within_seconds(live: Live, client: httpx2.Client, user: str) -> None:
    body: Any = {"model": "memos", "messages": [{"role": "user", "content": "hello"}], "user": user}
    one, two = (client.post("/v1/chat/completions", json=body).json() for _ in range(2))
    assert one["memos"] == two["memos"]
    look(
        live,
        "UPDATE turns SET answered_at = answered_at - interval '1 minute' WHERE id = %s", one["memos"]["turn_id"],
    )  # fmt: skip
    later = client.post("/v1/chat/completions", json=body).json()
    assert later["memos"]["conversation_id"] != one["memos"]["conversation_id"]


def test_a_turn_that_failed_is_begun_anew(live: Live, chat: OpenAI, client: httpx2.Client, user: str) -> None:
    """A retry that joined a turn which then comes to nothing is answered all the same."""
    messages: Any = [{"role": "user", "content": SLOW}]
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(chat.chat.completions.create, model="memos", messages=messages, user=user)
        (conversation,) = eventually(lambda: _conversations(client, user))
        turn = under_way(client, conversation["id"], 1)
        second = chat.with_options(default_headers={"x-stainless-retry-count": "1"})
        with ThreadPoolExecutor(1) as other:
            joining = other.submit(second.chat.completions.create, model="memos", messages=messages, user=user)
            client.post(f"/v1/turns/{turn['id']}/cancel")
            answer = joining.result(30)
        first.result(30)
    assert content(answer).endswith("one two three four five")
