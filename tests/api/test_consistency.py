"""What an answer has seen: `latest` every earlier turn, `eventual` what the memory holds, saying how far that is."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx2
import pytest

from tests.api.talk import ask, eventually, held, look, meanwhile, of, problem, say, turns, under_way
from tests.support.live import Live

SLOW = "/slow 120 one two three four"


def test_eventual_does_not_wait_and_reports_its_lag(live: Live, client: httpx2.Client, conversation: str) -> None:
    say(client, conversation, "first")
    live.settled(client, conversation)
    with meanwhile(lambda: say(client, conversation, SLOW)) as slow:
        under_way(client, conversation, 2)
        answer = say(client, conversation, "third", consistency="eventual")
        assert not slow.done()
        assert held(answer["output"]) == of("first")
        assert (answer["memory"]["lag"], answer["memory"]["state_version"]) == (1, 1)
        # The fourth is behind the turn that is still open and behind the third, which cannot be applied before it.
        assert say(client, conversation, "fourth", consistency="eventual")["memory"]["lag"] == 2
    live.settled(client, conversation)
    assert held(say(client, conversation, "fifth")["output"]) == of("first", SLOW, "third", "fourth")
    assert [turn["status"] for turn in turns(client, conversation)[:4]] == ["applied"] * 4


def test_latest_waits_for_the_turn_before_it(client: httpx2.Client, conversation: str) -> None:
    with meanwhile(lambda: say(client, conversation, SLOW)) as slow:
        under_way(client, conversation, 1)
        answer = say(client, conversation, "second")
        assert slow.done()
    assert held(answer["output"]) == of(SLOW)
    assert answer["memory"]["lag"] == 0
    assert answer["timings_ms"]["wait"] > 100


def test_turns_of_other_conversations_are_not_waited_for(live: Live, client: httpx2.Client, conversation: str) -> None:
    with meanwhile(lambda: say(client, conversation, SLOW)) as slow:
        under_way(client, conversation, 1)
        assert held(say(client, live.conversation(client), "elsewhere")["output"]) == []
        assert not slow.done()


def test_writers_at_once_make_one_line(live: Live, client: httpx2.Client, conversation: str) -> None:
    texts = [f"writer {number}" for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda text: say(client, conversation, text), texts))
    in_order = [turn["input"] for turn in turns(client, conversation)]
    assert sorted(in_order) == sorted(texts)
    for answer in answers:
        assert held(answer["output"]) == of(*in_order[: answer["seq"] - 1])


def test_min_version_waits_until_the_memory_is_there(client: httpx2.Client, conversation: str) -> None:
    with meanwhile(lambda: say(client, conversation, SLOW)):
        under_way(client, conversation, 1)
        answer = say(client, conversation, "second", consistency="eventual", min_version=1)
    assert answer["memory"]["state_version"] == 1
    assert held(answer["output"]) == of(SLOW)


@pytest.mark.parametrize("wanted", [{"min_version": 3}, {"min_version": 2**31 - 1, "consistency": "eventual"}])
def test_a_version_that_does_not_come_is_a_503(hasty: Live, wanted: dict[str, object]) -> None:
    with hasty.client() as client:
        conversation = hasty.conversation(client)
        say(client, conversation, "first")
        hasty.settled(client, conversation)
        refused = problem(ask(client, conversation, "second", key=None, **wanted), 503, "memory_behind")
        assert "version 1" in refused["detail"]
        assert turns(client, conversation)[1]["status"] == "failed"
        assert held(say(client, conversation, "third")["output"]) == of("first")


def test_a_turn_that_stays_open_makes_latest_a_503(hasty: Live) -> None:
    with hasty.client() as client:
        conversation = hasty.conversation(client)
        with meanwhile(lambda: say(client, conversation, "/slow 250 one two three four")):
            under_way(client, conversation, 1)
            refused = ask(client, conversation, "second")
            problem(refused, 503, "memory_behind")
            assert refused.headers["retry-after"] == "2"
            assert say(client, conversation, "third", consistency="eventual")["memory"]["lag"] == 1
        hasty.settled(client, conversation)
        statuses = {turn["input"]: turn["status"] for turn in turns(client, conversation)}
        assert statuses["second"] == "failed"
        assert list(statuses.values()).count("applied") == 2


def test_a_generation_that_takes_too_long_is_failed(hasty: Live) -> None:
    with hasty.client() as client:
        conversation = hasty.conversation(client)
        refused = problem(ask(client, conversation, "/slow 1500 a b c"), 503, "unavailable")
        assert "turn_timeout_s" in refused["detail"]
        (turn,) = turns(client, conversation)
        assert (turn["status"], turn["output"]) == ("failed", None)
        assert held(say(client, conversation, "next")["output"]) == []


def test_a_conversation_may_only_have_so_many_unapplied_turns(hasty: Live) -> None:
    key = uuid4().hex
    with hasty.client() as client:
        conversation = hasty.conversation(client)
        with meanwhile(lambda: say(client, conversation, "/slow 200 a b c d e")):
            under_way(client, conversation, 1)
            for text in ("two", "three", "four"):
                say(client, conversation, text, consistency="eventual")
            problem(ask(client, conversation, "five", key=key, consistency="eventual"), 429, "too_many")
            exchange = {"turns": [{"input": "x", "output": "y"}]}
            problem(client.post(f"/v1/conversations/{conversation}/turns/import", json=exchange), 429, "too_many")
        hasty.settled(client, conversation)
        assert say(client, conversation, "five", key=key, consistency="eventual")["seq"] == 5


def test_a_process_answers_only_so_many_turns_at_once(hasty: Live) -> None:
    with hasty.client() as client:
        places = [hasty.conversation(client) for _ in range(16)]
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda place: ask(client, place, "/slow 250 a b c"), places))
        refused = [answer for answer in answers if answer.status_code != 201]
        assert len(answers) - len(refused) == 6
        for answer in refused:
            problem(answer, 429, "too_many")
        eventually(lambda: client.get("/v1/stats").json()["turns_in_flight"] == 0)
        taken = look(hasty, "SELECT count(*) n FROM turns WHERE conversation_id = ANY(%s)", places)
        assert taken[0]["n"] == 6


def test_an_answer_counts_its_tokens_and_its_time(client: httpx2.Client, conversation: str) -> None:
    turn = say(client, conversation, "/slow 40 three words", recall={"top_k": 0})
    assert turn["usage"] == {"prompt_tokens": 4, "completion_tokens": 7}  # echo, a count, a list, and the input
    assert turn["finish_reason"] == "stop"
    assert list(turn["timings_ms"]) == ["accept", "wait", "recall", "generate"]
    assert all(spent >= 0 for spent in turn["timings_ms"].values())
    assert turn["timings_ms"]["generate"] >= 7 * 40
    cut = say(client, conversation, "this is cut short", max_tokens=4)
    assert (cut["finish_reason"], cut["usage"]["completion_tokens"]) == ("length", 4)
    assert cut["output"].endswith("] this")
