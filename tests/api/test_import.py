"""History from elsewhere: taken into the state as if it had happened here."""

from datetime import datetime

import httpx2

from memos.kernel.version import broken_links
from tests.api.talk import chain, held, of, post, problem, say, turns
from tests.support.live import Live


def _payload(client: httpx2.Client, live: Live, conversation: str) -> tuple[int, bytes]:
    view = live.settled(client, conversation)
    version = view["state_version"]
    answer = client.get(f"/v1/cubes/{view['state_cube_id']}/versions/{version}/payload")
    assert answer.status_code == 200, answer.text
    return version, answer.content


def test_the_state_is_that_of_the_same_turns_taken_live(live: Live, client: httpx2.Client) -> None:
    lived, told = live.conversation(client), live.conversation(client)
    said = [say(client, lived, f"fact {number}, é ☃") for number in range(5)]
    exchange = [{"input": turn["input"], "output": turn["output"]} for turn in said]
    made = post(client, f"/v1/conversations/{told}/turns/import", {"turns": exchange}).json()["turns"]
    assert [(turn["seq"], turn["status"], turn["finish_reason"]) for turn in made] == [
        (number, "answered", "stop") for number in range(1, 6)
    ]
    assert _payload(client, live, told) == _payload(client, live, lived)
    answers = [say(client, conversation, "and now?")["output"] for conversation in (lived, told)]
    assert answers[0] == answers[1]
    assert held(answers[1]) == of(*(turn["input"] for turn in said))


def test_another_answer_makes_another_state(live: Live, client: httpx2.Client) -> None:
    """The comparison above can fail."""
    payloads = []
    for output in ("one", "two"):
        conversation = live.conversation(client)
        post(
            client,
            f"/v1/conversations/{conversation}/turns/import",
            {"turns": [{"input": "same", "output": output}]},
        )
        payloads.append(_payload(client, live, conversation))
    assert payloads[0][0] == payloads[1][0] == 1
    assert payloads[0][1] != payloads[1][1]


def test_it_joins_the_line_where_it_stands(live: Live, client: httpx2.Client, conversation: str) -> None:
    say(client, conversation, "first")
    when = "2020-02-29T23:59:59.123456+05:30"
    post(
        client,
        f"/v1/conversations/{conversation}/turns/import",
        {"turns": [{"input": "old", "output": "long ago", "created_at": when}, {"input": "older", "output": ""}]},
    )
    assert held(say(client, conversation, "last")["output"]) == of("first", "old", "older")
    live.settled(client, conversation)
    listed = turns(client, conversation)
    assert [(turn["seq"], turn["input"], turn["status"]) for turn in listed] == [
        (1, "first", "applied"), (2, "old", "applied"), (3, "older", "applied"), (4, "last", "applied"),
    ]  # fmt: skip
    assert datetime.fromisoformat(listed[1]["created_at"]) == datetime.fromisoformat(when)
    assert (listed[1]["output"], listed[2]["output"], listed[1]["usage"]) == ("long ago", "", None)
    cube = client.get(f"/v1/conversations/{conversation}").json()["state_cube_id"]
    assert broken_links(chain(client, cube)) == []


def test_nothing_is_taken_in_of_what_does_not_fit(hasty: Live) -> None:
    with hasty.client() as client:
        conversation = hasty.conversation(client)
        here = f"/v1/conversations/{conversation}/turns/import"
        good = {"input": "good", "output": "good"}
        too_long = {"input": "x", "output": "y" * 2001}
        problem(client.post(here, json={"turns": [good, too_long]}), 413, "too_large")
        problem(client.post(here, json={"turns": [good, {"input": "a\x00", "output": ""}]}), 422, "invalid")
        problem(client.post(here, json={"turns": [good] * 1001}), 413, "too_large")
        problem(client.post(here, json={"turns": []}), 422, "invalid")
        unknown = f"/v1/conversations/conv_{'0' * 32}/turns/import"
        problem(client.post(unknown, json={"turns": [good]}), 404, "not_found")
        assert turns(client, conversation) == []
        assert client.get(f"/v1/conversations/{conversation}").json()["turn_count"] == 0


def test_an_imported_turn_can_be_left_behind(live: Live, client: httpx2.Client, conversation: str) -> None:
    exchange = [{"input": text, "output": text} for text in ("a", "b", "c")]
    post(client, f"/v1/conversations/{conversation}/turns/import", {"turns": exchange})
    live.settled(client, conversation)
    post(client, f"/v1/conversations/{conversation}/rollback", {"to_turn": 2})
    assert held(say(client, conversation, "d")["output"]) == of("a", "b")
