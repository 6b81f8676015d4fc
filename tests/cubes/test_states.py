"""A conversation's state under the same life: frozen or expired it refuses what would change it before anything is
generated, archived it is activated by a turn, and no job is left stuck.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from tests.api.talk import (
    ask,
    eventually,
    everything,
    held,
    look,
    meanwhile,
    of,
    post,
    problem,
    say,
    settled,
    turns,
    under_way,
)
from tests.cubes.conftest import cube, events, freeze, to
from tests.support.live import Live

CHANGING: dict[str, Any] = {
    "turns": {"input": "hello"}, "turns/import": {"turns": [{"input": "a", "output": "b"}]}, "rollback": {"to_turn": 0}
}  # fmt: skip
CREATED = ("create", None, "activated")


@pytest.fixture
def state(client: httpx2.Client, conversation: str) -> str:
    say(client, conversation, "one")
    return str(settled(client, conversation)["state_cube_id"])


def rows(live: Live, conversation: str) -> dict[str, int]:
    (counts,) = look(
        live,
        "SELECT (SELECT count(*) FROM turns WHERE conversation_id = %s) turns, (SELECT count(*) FROM outbox "
        "WHERE subject = %s) jobs, (SELECT count(*) FROM outbox WHERE subject = %s AND status <> 'done') open",
        conversation, conversation, conversation,
    )  # fmt: skip
    return counts


def test_every_state_has_the_event_of_its_beginning(client: httpx2.Client, conversation: str, state: str) -> None:
    fork = post(client, f"/v1/conversations/{conversation}/fork", {"at_turn": 1}).json()
    for one, operation in ((state, "create"), (fork["state_cube_id"], "fork")):
        assert events(client, one) == [CREATED]
        (event,) = everything(client, f"/v1/cubes/{one}/events")
        assert event["reason"] == f"conversation: {operation}"


@pytest.mark.parametrize("call", CHANGING)
def test_frozen_refuses_before_anything_is_done(
    live: Live, client: httpx2.Client, conversation: str, state: str, call: str
) -> None:
    freeze(client, state)
    before, was = rows(live, conversation), cube(client, state)
    problem(client.post(f"/v1/conversations/{conversation}/{call}", json=CHANGING[call]), 409, "cube_frozen")
    assert rows(live, conversation) == before, "no turn, no job"
    assert cube(client, state) == was
    freeze(client, state, False)
    assert held(say(client, conversation, "two")["output"]) == of("one")


@pytest.mark.parametrize("call", CHANGING)
def test_expired_refuses_until_it_is_activated(
    live: Live, client: httpx2.Client, conversation: str, state: str, call: str
) -> None:
    to(client, state, "expired")
    before = rows(live, conversation)
    refused = problem(
        client.post(f"/v1/conversations/{conversation}/{call}", json=CHANGING[call]), 409, "cube_not_live"
    )
    assert refused["context"]["legal"] == ["activated", "archived", "erased"]
    assert rows(live, conversation) == before
    to(client, state, "activated")
    assert held(say(client, conversation, "two")["output"]) == of("one")


@pytest.mark.parametrize("call", CHANGING)
def test_archived_is_activated_by_what_comes(client: httpx2.Client, conversation: str, state: str, call: str) -> None:
    to(client, state, "archived")
    answer = client.post(f"/v1/conversations/{conversation}/{call}", json=CHANGING[call])
    assert answer.is_success, answer.text
    last = everything(client, f"/v1/cubes/{state}/events")[0]
    assert (last["from_lifecycle"], last["to_lifecycle"]) == ("archived", "activated")
    assert last["reason"] == "its conversation goes on"
    if call == "turns":
        assert last["created_by"] == answer.json()["id"], "the event says which turn"
    settled(client, conversation)
    assert cube(client, state)["lifecycle"] == "activated"


def test_archived_and_frozen_stays_both(client: httpx2.Client, conversation: str, state: str) -> None:
    to(client, state, "archived")
    freeze(client, state)
    problem(ask(client, conversation, "hello"), 409, "cube_frozen")
    assert cube(client, state)["lifecycle"] == "archived"


def test_a_fork_of_what_is_frozen_or_expired_goes_its_own_way(
    client: httpx2.Client, conversation: str, state: str
) -> None:
    """Nothing of the source changes by it."""
    for change in (lambda: freeze(client, state), lambda: (freeze(client, state, False), to(client, state, "expired"))):
        change()
        fork = post(client, f"/v1/conversations/{conversation}/fork", {"at_turn": 1}).json()
        assert held(say(client, fork["id"], "two")["output"]) == of("one")


def test_freezing_waits_for_the_turns(client: httpx2.Client, conversation: str, state: str) -> None:
    text = "/slow 40 a b c d e f g h i j k l m n o p"
    with meanwhile(lambda: ask(client, conversation, text)) as asked:
        under_way(client, conversation, 2)
        refused = client.post(f"/v1/cubes/{state}/freeze", json={"frozen": True, "reason": "now"})
        assert problem(refused, 409, "turns_pending")["detail"].startswith("1 turns")
        assert refused.headers["retry-after"] == "1"
    assert asked.result().status_code == 201
    settled(client, conversation)
    assert freeze(client, state).status_code == 200


def test_freezing_and_turns_at_once_leave_nothing_half_done(
    live: Live, client: httpx2.Client, conversation: str
) -> None:
    """Whoever comes first: a turn is taken whole or refused by name, and nothing is left for a job to stumble over."""
    state = client.get(f"/v1/conversations/{conversation}").json()["state_cube_id"]
    with ThreadPoolExecutor(6) as pool:
        for round_ in range(6):
            asked = [pool.submit(ask, client, conversation, f"{round_} {n}") for n in range(3)]
            frozen = [pool.submit(freeze, client, state) for _ in range(2)]
            codes = {a.result().status_code: a.result() for a in (*asked, *frozen)}
            assert codes.keys() <= {200, 201, 409}, {code: answer.text for code, answer in codes.items()}
            for answer in (a.result() for a in asked):
                if answer.status_code == 409:
                    problem(answer, 409, "cube_frozen")
            settled(client, conversation)
            freeze(client, state, False)
    taken = [turn["input"] for turn in turns(client, conversation) if turn["status"] == "applied"]
    assert held(say(client, conversation, "last")["output"]) == of(*taken)
    assert rows(live, conversation)["open"] <= 1
    assert look(live, "SELECT 1 FROM outbox WHERE subject = %s AND status = 'failed'", conversation) == []


def test_a_state_frozen_past_the_service_is_named_by_its_job(live: Live, client: httpx2.Client) -> None:
    """By somebody's own SQL, in the middle of a turn: the job says what is wrong and works once that is undone."""
    conversation = live.conversation(client)
    state = client.get(f"/v1/conversations/{conversation}").json()["state_cube_id"]
    with meanwhile(lambda: ask(client, conversation, "/slow 40 a b c d e f g h")) as asked:
        under_way(client, conversation, 1)
        look(live, "UPDATE memcubes SET frozen = true WHERE id = %s", state)
    assert asked.result().status_code == 201

    def error() -> Any:
        found = look(live, "SELECT error FROM outbox WHERE subject = %s AND error IS NOT NULL", conversation)
        return found[0]["error"] if found else None

    assert eventually(error)["code"] == "cube_frozen"
    freeze(client, state, False)
    settled(client, conversation)
