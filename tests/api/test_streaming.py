"""Server-Sent Events, and clients that leave."""

import json

import httpx2
import pytest

from tests.api.talk import ask, events, eventually, held, meanwhile, of, problem, say, turns, under_way
from tests.support.live import Live

SLOW = "/slow 120 one two three four five six"


def test_tokens_come_first_and_are_what_done_holds(client: httpx2.Client, conversation: str) -> None:
    answer = ask(client, conversation, "a few words", stream=True)
    assert answer.status_code == 201
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = list(events(answer.text.splitlines()))
    assert [name for name, _ in found] == ["token"] * (len(found) - 1) + ["done"]
    done = found[-1][1]
    assert "".join(data["text"] for _, data in found[:-1]) == done["output"]
    assert done["usage"]["completion_tokens"] == len(found) - 1
    stored = client.get(f"/v1/turns/{done['id']}").json()
    assert (stored["output"], stored["seq"]) == (done["output"], 1)


def test_every_event_is_one_frame_of_two_lines(client: httpx2.Client, conversation: str) -> None:
    answer = ask(client, conversation, "line\nbreaks\r\n\u2028 and é", stream=True)
    frames = answer.content.split(b"\n\n")
    assert frames.pop() == b""
    for frame in frames:
        name, data = frame.split(b"\n")
        assert name in (b"event: token", b"event: done")
        assert data.startswith(b"data: ")
        json.loads(data.removeprefix(b"data: "))


def test_done_is_sent_after_the_commit_and_tokens_before(live: Live, client: httpx2.Client, conversation: str) -> None:
    seen = {}
    with (
        client.stream(
            "POST", f"/v1/conversations/{conversation}/turns", json={"input": SLOW, "stream": True}
        ) as answer,
        live.client() as other,
    ):
        for name, _ in events(answer.iter_lines()):
            if name not in seen:
                seen[name] = turns(other, conversation)[0]
    assert (seen["token"]["status"], seen["token"]["output"]) == ("accepted", None)
    assert seen["done"]["status"] in ("answered", "applied")
    assert seen["done"]["output"].endswith("six")


def test_what_fails_after_the_start_is_an_error_event(hasty: Live) -> None:
    with hasty.client() as client:
        conversation = hasty.conversation(client)
        answer = ask(client, conversation, "too early", stream=True, min_version=1)
        ((name, data),) = events(answer.text.splitlines())
        assert (name, data["code"], data["status"]) == ("error", "memory_behind", 503)
        assert data["hint"]
        assert data["request_id"] == answer.headers["x-request-id"]
        assert turns(client, conversation)[0]["status"] == "failed"


def test_what_fails_before_the_start_is_a_problem_document(client: httpx2.Client) -> None:
    problem(ask(client, f"conv_{'0' * 32}", "nobody", stream=True), 404, "not_found")


def _leave(live: Live, conversation: str, *, stream: bool, key: str | None) -> None:
    """Asks, and hangs up while the answer is being made."""
    headers = {"Idempotency-Key": key} if key else {}
    body = {"input": SLOW, "stream": stream}
    with live.client() as client:
        if stream:
            with client.stream("POST", f"/v1/conversations/{conversation}/turns", json=body, headers=headers) as answer:
                for number, _ in enumerate(events(answer.iter_lines())):
                    if number == 3:
                        break
        else:
            with pytest.raises(httpx2.ReadTimeout):
                client.post(f"/v1/conversations/{conversation}/turns", json=body, headers=headers, timeout=0.7)


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_cancels_its_turn(
    live: Live, client: httpx2.Client, conversation: str, stream: bool
) -> None:
    _leave(live, conversation, stream=stream, key=None)
    left = eventually(lambda: next((t for t in turns(client, conversation) if t["status"] != "accepted"), {}))
    assert (left["status"], left["finish_reason"]) == ("cancelled", "cancelled")
    assert left["output"].startswith("echo 0 []")
    assert not left["output"].endswith("six")
    assert left["usage"]["completion_tokens"] < 11
    answer = say(client, conversation, "go on")
    assert (held(answer["output"]), answer["memory"]["lag"]) == ([], 0)


@pytest.mark.parametrize("stream", [True, False])
def test_a_keyed_turn_goes_on_and_is_found_again(
    live: Live, client: httpx2.Client, conversation: str, stream: bool
) -> None:
    key = f"leaver-{stream}-{conversation}"
    _leave(live, conversation, stream=stream, key=key)
    problem(ask(client, conversation, SLOW, key=key, stream=stream), 409, "idempotency_in_flight")
    eventually(lambda: turns(client, conversation)[0]["status"] in ("answered", "applied"))
    found = ask(client, conversation, SLOW, key=key, stream=stream)
    assert found.status_code == 201
    turn = next(events(found.text.splitlines()))[1] if stream else found.json()
    assert (turn["finish_reason"], turn["seq"]) == ("stop", 1)
    assert turn["output"].endswith("six")
    assert held(say(client, conversation, "next")["output"]) == of(SLOW)


def test_a_client_that_leaves_while_waiting_cancels_too(live: Live, client: httpx2.Client, conversation: str) -> None:
    with meanwhile(lambda: say(client, conversation, SLOW)):
        under_way(client, conversation, 1)
        with live.client() as impatient, pytest.raises(httpx2.ReadTimeout):
            impatient.post(f"/v1/conversations/{conversation}/turns", json={"input": "second"}, timeout=0.2)
        left = eventually(lambda: next((t for t in turns(client, conversation) if t["status"] == "cancelled"), {}))
        assert (left["seq"], left["output"]) == (2, "")
    assert held(say(client, conversation, "third")["output"]) == of(SLOW)
