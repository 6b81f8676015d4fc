"""One Idempotency-Key, one effect (P2), as Stripe has it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.api.talk import ask, events, eventually, held, look, meanwhile, of, post, problem, say, turns, under_way
from tests.support.live import Live


def _key() -> str:
    return f"key-{uuid4().hex}"


def test_a_retry_gets_the_same_bytes_and_no_second_turn(client: httpx2.Client, conversation: str) -> None:
    key = _key()
    first = ask(client, conversation, "once", key=key)
    assert first.status_code == 201
    again = [ask(client, conversation, "once", key=key) for _ in range(3)]
    assert {(answer.status_code, answer.content) for answer in again} == {(201, first.content)}
    respaced = client.post(
        f"/v1/conversations/{conversation}/turns",
        content=b'{ "stream" : false,\n "input":"once" }',
        headers={"Idempotency-Key": key, "Content-Type": "application/json"},
    )
    assert respaced.content == first.content
    assert len(turns(client, conversation)) == 1


def test_a_streamed_answer_comes_back_as_one_done(client: httpx2.Client, conversation: str) -> None:
    key = _key()
    first = ask(client, conversation, "streamed once", key=key, stream=True)
    again = ask(client, conversation, "streamed once", key=key, stream=True)
    assert again.status_code == 201
    assert again.headers["content-type"].startswith("text/event-stream")
    (name, body), *others = events(again.text.splitlines())
    assert (name, others) == ("done", [])
    assert first.text.endswith(again.text)  # byte for byte what the first stream ended with
    assert body["output"].endswith("streamed once")
    assert len(turns(client, conversation)) == 1


@pytest.mark.parametrize(
    "other", [{"input": "another"}, {"input": "same", "max_tokens": 5}, {"input": "same", "stream": True}]
)
def test_another_body_is_refused(client: httpx2.Client, conversation: str, other: dict[str, Any]) -> None:
    key = _key()
    say(client, conversation, "same", key=key)
    refused = ask(client, conversation, other.pop("input"), key=key, **other)
    problem(refused, 422, "idempotency_key_reused")
    assert len(turns(client, conversation)) == 1


def test_another_place_is_another_request(live: Live, client: httpx2.Client, conversation: str) -> None:
    key = _key()
    say(client, conversation, "same", key=key)
    elsewhere = live.conversation(client)
    problem(ask(client, elsewhere, "same", key=key), 422, "idempotency_key_reused")
    assert turns(client, elsewhere) == []


def test_while_it_is_in_flight_a_retry_waits(client: httpx2.Client, conversation: str) -> None:
    key = _key()
    text = "/slow 150 one two three four five"
    with meanwhile(lambda: ask(client, conversation, text, key=key)) as first:
        under_way(client, conversation, 1)
        refused = ask(client, conversation, text, key=key)
        problem(refused, 409, "idempotency_in_flight")
        assert int(refused.headers["retry-after"]) >= 1
        problem(ask(client, conversation, text, key=key, stream=True), 422, "idempotency_key_reused")
    assert first.result().status_code == 201
    assert ask(client, conversation, text, key=key).content == first.result().content
    assert len(turns(client, conversation)) == 1


def test_many_at_once_have_one_effect(live: Live, client: httpx2.Client, conversation: str) -> None:
    key = _key()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(client, conversation, "race", key=key), range(8)))
    won = {answer.content for answer in answers if answer.status_code == 201}
    assert len(won) == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len(turns(client, conversation)) == 1
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: _created(client, key + "c"), range(8)))
    assert {answer.status_code for answer in made} == {201}
    assert len({answer.content for answer in made}) == 1
    assert len(look(live, "SELECT 1 FROM conversations WHERE user_id = %s", key + "c")) == 1


def _created(client: httpx2.Client, key: str) -> httpx2.Response:
    return client.post("/v1/conversations", json={"user_id": key}, headers={"Idempotency-Key": key})


def test_conversations_forks_rollbacks_and_imports_take_a_key(
    live: Live, client: httpx2.Client, conversation: str
) -> None:
    for text in ("a", "b", "c"):
        say(client, conversation, text)
    live.settled(client, conversation)
    here = f"/v1/conversations/{conversation}"
    said = {"turns": [{"input": "d", "output": "D"}, {"input": "e", "output": "E"}]}
    for path, body in (
        ("/v1/conversations", {"user_id": "ada"}),
        (f"{here}/fork", {"at_turn": 2}),
        (f"{here}/turns/import", said),
        (f"{here}/rollback", {"to_turn": 2}),
    ):
        key = _key()
        first = post(client, path, body, key=key)
        before = _counts(live)
        again = post(client, path, body, key=key)
        assert (again.status_code, again.content) == (first.status_code, first.content), path
        assert _counts(live) == before, path
        changed = client.post(path, json=body | {"unknown": 1}, headers={"Idempotency-Key": key})
        problem(changed, 422, "invalid")
    assert [turn["status"] for turn in turns(client, conversation)] == ["applied"] * 2 + ["superseded"] * 3


def _counts(live: Live) -> list[dict[str, Any]]:
    return look(
        live,
        "SELECT (SELECT count(*) FROM conversations) c, (SELECT count(*) FROM turns) t, "
        "(SELECT count(*) FROM memcube_versions WHERE operation <> 'advance') v, "
        "(SELECT sum(epoch) FROM conversations) e",
    )


def test_a_request_that_does_not_fit_leaves_its_key_free(client: httpx2.Client, conversation: str) -> None:
    key = _key()
    problem(ask(client, conversation, "", key=key), 422, "invalid")
    problem(ask(client, f"conv_{'0' * 32}", "said", key=key), 404, "not_found")
    problem(ask(client, conversation, "x" * 32_001, key=key), 413, "too_large")
    assert say(client, conversation, "said", key=key)["seq"] == 1


def test_a_turn_that_failed_leaves_its_key_free(hasty: Live) -> None:
    key = _key()
    with hasty.client() as client:
        conversation = hasty.conversation(client)
        problem(ask(client, conversation, "too early", key=key, min_version=1), 503, "memory_behind")
        (failed,) = turns(client, conversation)
        assert (failed["status"], failed["error"]["code"], failed["output"]) == ("failed", "memory_behind", None)
        say(client, conversation, "in between")
        hasty.settled(client, conversation)
        answer = say(client, conversation, "too early", key=key, min_version=1)
        assert held(answer["output"]) == of("in between")


def test_a_lapsed_lease_frees_the_key(hasty: Live) -> None:
    """The owner vanishes in the middle: what its process left behind is failed, and the same key works again."""
    key = _key()
    text = "/slow 200 a b c d e f"
    with hasty.client() as client:
        conversation = hasty.conversation(client)
        with meanwhile(lambda: ask(client, conversation, text, key=key)) as first:
            turn = under_way(client, conversation, 1)
            look(hasty, "UPDATE turns SET lease_owner = 'gone', lease_token = 'gone' WHERE id = %s", turn["id"])
        problem(first.result(), 503, "lease_lapsed")
        eventually(lambda: turns(client, conversation)[0]["status"] == "failed")
        assert turns(client, conversation)[0]["error"]["code"] == "lease_lapsed"
        answer = say(client, conversation, text, key=key)
        assert (answer["seq"], held(answer["output"])) == (2, [])


def test_a_key_whose_time_is_over_may_be_used_again(live: Live, client: httpx2.Client, conversation: str) -> None:
    key = _key()
    say(client, conversation, "old", key=key)
    look(live, "UPDATE idempotency_keys SET expires_at = now() - interval '1 second' WHERE key = %s", key)
    assert say(client, conversation, "new", key=key)["seq"] == 2


def test_keys_of_tenants_are_their_own(live: Live, client: httpx2.Client) -> None:
    key = _key()
    mine = _created(client, key)
    other = post(client, "/v1/tenants", {"name": "other"}).json()["admin_key"]["key"]
    with live.client(other) as theirs:
        their = _created(theirs, key)
    assert their.status_code == 201
    assert their.json()["id"] != mine.json()["id"]
