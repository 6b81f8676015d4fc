"""A conversation's turns in both orders, page by page; and the id of a streamed turn before its end."""

import httpx2

from tests.api.talk import say, settled
from tests.support.live import Live


def _pages(client: httpx2.Client, conversation: str, order: str) -> list[int]:
    seqs: list[int] = []
    cursor: str | None = None
    while True:
        params: dict[str, str | int] = {"order": order, "limit": 2}
        if cursor is not None:
            params["cursor"] = cursor
        page = client.get(f"/v1/conversations/{conversation}/turns", params=params).json()
        seqs += [turn["seq"] for turn in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return seqs


def test_turns_are_listed_from_either_end(live: Live) -> None:
    with live.client() as client:
        conversation = live.conversation(client)
        for number in range(5):
            say(client, conversation, f"line {number}")
        settled(client, conversation)
        assert _pages(client, conversation, "asc") == [1, 2, 3, 4, 5]
        assert _pages(client, conversation, "desc") == [5, 4, 3, 2, 1]
        fork = client.post(f"/v1/conversations/{conversation}/fork", json={"at_turn": 3}).json()["id"]
        say(client, fork, "elsewhere")
        assert _pages(client, fork, "desc") == [4, 3, 2, 1]


def test_a_stream_names_its_turn_before_it_ends(live: Live) -> None:
    with live.client() as client:
        conversation = live.conversation(client)
        body = {"input": "/slow 20 a b c", "stream": True}
        with client.stream("POST", f"/v1/conversations/{conversation}/turns", json=body) as answer:
            turn_id = answer.headers["X-Memos-Turn"]
            assert client.get(f"/v1/turns/{turn_id}").json()["status"] == "accepted"
            assert f'"id":"{turn_id}"' in "".join(answer.iter_text())
