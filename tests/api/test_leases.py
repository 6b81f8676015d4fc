"""Turns that are stopped, and turns whose process went away."""

from uuid import uuid4

import httpx2
import pytest

import memos.http.routes.turns
from memos.kit.ids import new_id
from tests.api.talk import abandoned, ask, eventually, held, look, meanwhile, of, post, problem, say, turns, under_way
from tests.support.live import Live, serve

SLOW = "/slow 150 one two three four five six seven eight"


def test_a_running_turn_can_be_stopped(client: httpx2.Client, conversation: str) -> None:
    key = uuid4().hex
    with meanwhile(lambda: ask(client, conversation, SLOW, key=key)) as asked:
        turn = under_way(client, conversation, 1)
        stopped = post(client, f"/v1/turns/{turn['id']}/cancel").json()
    assert (stopped["status"], stopped["finish_reason"]) == ("cancelled", "cancelled")
    answer = asked.result()
    assert (answer.status_code, answer.json()["finish_reason"]) == (201, "cancelled")
    assert answer.json()["output"] == stopped["output"]
    assert not stopped["output"].endswith("eight")
    assert ask(client, conversation, SLOW, key=key).content == answer.content
    assert held(say(client, conversation, "next")["output"]) == []


def test_a_waiting_turn_can_be_stopped(client: httpx2.Client, conversation: str) -> None:
    with meanwhile(lambda: say(client, conversation, SLOW)):
        under_way(client, conversation, 1)
        with meanwhile(lambda: ask(client, conversation, "second")) as second:
            waiting = under_way(client, conversation, 2)
            assert post(client, f"/v1/turns/{waiting['id']}/cancel").json()["output"] == ""
        assert second.result().json()["finish_reason"] == "cancelled"
    assert held(say(client, conversation, "third")["output"]) == of(SLOW)


def test_what_has_ended_cannot_be_stopped(live: Live, client: httpx2.Client, conversation: str) -> None:
    turn = say(client, conversation, "over")
    for _ in range(2):
        problem(client.post(f"/v1/turns/{turn['id']}/cancel"), 409, "turn_ended")
        live.settled(client, conversation)
    assert client.get(f"/v1/turns/{turn['id']}").json()["output"] == turn["output"]
    problem(client.post(f"/v1/turns/{new_id('turn')}/cancel"), 404, "not_found")


def test_another_process_can_stop_it(live: Live, client: httpx2.Client, conversation: str) -> None:
    with serve(live.database, blob_url=live.settings.effective_blob_url) as second, second.client(live.key) as other:
        with meanwhile(lambda: ask(client, conversation, SLOW)) as asked:
            turn = under_way(other, conversation, 1)
            assert post(other, f"/v1/turns/{turn['id']}/cancel").json()["status"] == "cancelled"
        assert asked.result().json()["finish_reason"] == "cancelled"
        assert held(say(other, conversation, "from the other")["output"]) == []
        other_turn = say(client, conversation, "from the first")
        assert held(other_turn["output"]) == of("from the other")


def test_an_abandoned_turn_is_failed_and_later_turns_proceed(
    live: Live, client: httpx2.Client, conversation: str
) -> None:
    say(client, conversation, "before")
    live.settled(client, conversation)
    key = uuid4().hex
    turn = abandoned(live, conversation, key=key, lease_s=1.0)
    eventual = say(client, conversation, "meanwhile", consistency="eventual")
    assert eventual["memory"]["lag"] == 1
    answer = say(client, conversation, "after")
    assert held(answer["output"]) == of("before", "meanwhile")
    failed = client.get(f"/v1/turns/{turn}").json()
    assert (failed["status"], failed["error"]["code"]) == ("failed", "lease_lapsed")
    assert failed["error"]["hint"]
    assert say(client, conversation, "again", key=key)["seq"] == 5  # its key is free for anything


def test_an_abandoned_turn_with_a_lease_is_not_failed_early(
    live: Live, client: httpx2.Client, conversation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memos.http.routes.turns, "CANCEL_WAIT_S", 1.5)
    turn = abandoned(live, conversation, key=uuid4().hex, lease_s=60)
    problem(client.post(f"/v1/turns/{turn}/cancel"), 503, "still_stopping")  # nobody is there to see it
    assert client.get(f"/v1/turns/{turn}").json()["status"] == "accepted"
    look(live, "UPDATE turns SET lease_expires_at = now() WHERE id = %s", turn)
    eventually(lambda: client.get(f"/v1/turns/{turn}").json()["status"] == "failed")


def test_a_long_turn_keeps_its_lease(hasty: Live) -> None:
    """2.4 s of answering under a lease of 1.2 s."""
    with hasty.client() as client:
        conversation = hasty.conversation(client)
        answer = say(client, conversation, "/slow 300 one two three")
        assert answer["timings_ms"]["generate"] > 2 * hasty.settings.lease_s * 1000 * 0.8
        assert turns(client, conversation)[0]["status"] in ("answered", "applied")
