"""Memories over REST: written durably, found at once, never stored twice."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from tests.api.talk import look, post, problem
from tests.memories.say import found, ids, listed, owner, remember
from tests.support.live import Live


def test_what_was_said_is_found_at_once(client: httpx2.Client) -> None:
    ada = owner()
    made = remember(client, ada, "Ada's dog is called Biscuit.", tags=["pets"], metadata={"page": 3})
    remember(client, ada, "The train to Oslo leaves at nine.")
    first = found(client, ada, "biscuit", explain=True)[0]
    assert first["id"] == made["memories"][0]["id"]
    assert (first["text"], first["tags"], first["metadata"]) == ("Ada's dog is called Biscuit.", ["pets"], {"page": 3})
    assert first["signals"]
    assert made["embedded"]
    assert made["revision"] >= 1


def test_messages_become_episodes_in_their_order(client: httpx2.Client) -> None:
    ada = owner()
    messages = [
        {"role": "user", "name": "Ada", "content": "I adopted a parrot.", "created_at": "2025-03-01T10:00:00Z"},
        {"role": "assistant", "content": "What is it called?", "created_at": "2025-03-01T10:00:05Z"},
        {"role": "user", "name": "Ada", "content": "Kiwi.", "created_at": "2025-03-01T10:00:09Z"},
    ]
    made = post(client, "/v1/memories", {"messages": messages, "user_id": ada, "thread": "birds"}).json()
    told = listed(client, ada)[::-1]
    assert [one["id"] for one in told] == [one["id"] for one in made["memories"]]
    assert [one["text"] for one in told] == [message["content"] for message in messages]
    assert [one["source"]["speaker"] for one in told] == ["Ada", "assistant", "Ada"]
    assert {one["source"]["thread"] for one in told} == {"birds"}
    assert {one["semantic_type"] for one in told} == {"episode"}
    assert told[0]["valid_from"].startswith("2025-03-01T10:00:00")
    assert listed(client, ada, speaker="assistant") == [told[1]]


def test_a_backfill_keeps_its_time(client: httpx2.Client) -> None:
    ada = owner()
    remember(client, ada, "Moved to Lisbon.", valid_from="2019-05-01T00:00:00+02:00")
    assert found(client, ada, "lisbon")[0]["valid_from"].startswith("2019-04-30T22:00:00")


@pytest.mark.parametrize("again", ["Ada's dog is called Biscuit.", "ada's dog is called  BISCUIT!", "The dog..."])
def test_what_is_known_is_counted_and_not_stored(client: httpx2.Client, again: str) -> None:
    ada = owner()
    first = remember(client, ada, "Ada's dog is called Biscuit.")["memories"][0]
    second = remember(client, ada, again)["memories"][0]
    repeated = again != "The dog..."
    assert second["duplicate"] is repeated
    assert (second["id"] == first["id"]) is repeated
    told = listed(client, ada)
    assert len(told) == 1 + (not repeated)
    assert told[-1]["repeats"] == int(repeated)


def test_near_duplicates_are_recognised_by_words_and_meaning(client: httpx2.Client) -> None:
    """The vectors are given: what only the words call the same is stored beside it where the meaning differs."""
    ada = owner()
    near, far = _unit(384, 0), _unit(384, 1)
    first = remember(client, ada, "Ada is allergic to nuts.", embedding=near)["memories"][0]
    again = remember(client, ada, "Ada is really allergic to nuts", embedding=near)["memories"][0]
    assert (again["duplicate"], again["id"]) == (True, first["id"])
    other = remember(client, ada, "Ada is just allergic to nuts", embedding=far)["memories"][0]
    assert not other["duplicate"]
    third = remember(client, ada, "ada is just allergic to nuts.", embedding=far)["memories"][0]
    assert (third["duplicate"], third["id"]) == (True, other["id"])


def _unit(size: int, place: int) -> list[float]:
    return [1.0 if number == place else 0.0 for number in range(size)]


@pytest.mark.parametrize(
    "other", ["Ada is not allergic to nuts.", "Ada is allergic to 2 nuts.", "Bob is allergic to nuts."]
)
def test_what_differs_is_another_memory(client: httpx2.Client, other: str) -> None:
    ada = owner()
    remember(client, ada, "Ada is allergic to nuts.")
    assert not remember(client, ada, other)["memories"][0]["duplicate"]


def test_an_episode_repeats_another_only_with_speaker_thread_and_time(client: httpx2.Client) -> None:
    ada = owner()
    said: dict[str, Any] = {"speaker": "Ada", "thread": "t1", "valid_from": "2025-01-01T00:00:00Z"}
    remember(client, ada, "Good morning!", **said)
    for change in ({"speaker": "Bob"}, {"thread": "t2"}, {"valid_from": "2025-01-02T00:00:00Z"}):
        assert not remember(client, ada, "Good morning!", **(said | change))["memories"][0]["duplicate"]
    assert remember(client, ada, "Good morning!", **said)["memories"][0]["duplicate"]
    assert not remember(client, ada, "Hello.", speaker="Ada")["memories"][0]["duplicate"]
    assert not remember(client, ada, "Hello.", speaker="Ada")["memories"][0]["duplicate"]


def test_other_owners_and_other_eyes_are_no_repetition(client: httpx2.Client) -> None:
    ada, bob = owner(), owner()
    text = "The code of the door is on the fridge."
    remember(client, ada, text)
    for changed in (
        {"user_id": bob},
        {"user_id": ada, "agent_id": "shop"},
        {"user_id": ada, "sensitivity": "secret"},
        {"user_id": ada, "visibility": "shared"},
    ):
        assert not post(client, "/v1/memories", {"text": text} | changed).json()["memories"][0]["duplicate"], changed


def test_what_was_put_away_may_be_said_again(client: httpx2.Client) -> None:
    ada = owner()
    first = remember(client, ada, "Ada plays chess.")["memories"][0]["id"]
    assert client.delete(f"/v1/memories/{first}").json()["lifecycle"] == "archived"
    assert found(client, ada, "chess") == []
    second = remember(client, ada, "Ada plays chess.")["memories"][0]
    assert (second["duplicate"], second["id"] != first) == (False, True)
    # And the old one may come back beside it: neither is lost, and one of them holds the key.
    post(client, f"/v1/cubes/{first}/transition", {"to": "activated", "reason": "back"})
    assert set(ids(found(client, ada, "chess"))) == {first, second["id"]}
    assert remember(client, ada, "Ada plays chess.")["memories"][0]["id"] == second["id"]


def test_many_who_say_the_same_at_once_make_one_memory(client: httpx2.Client, live: Live) -> None:
    ada, many = owner(), 16

    def say(number: int) -> dict[str, Any]:
        with live.client() as own:
            added: dict[str, Any] = remember(own, ada, "The meeting is on Thursday.")["memories"][0]
        return added

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(say, range(many)))
    (held,) = listed(client, ada)
    assert {one["id"] for one in told} == {held["id"]}
    assert sum(not one["duplicate"] for one in told) == 1
    assert held["repeats"] == many - 1


def test_a_retry_gets_the_first_answer(client: httpx2.Client) -> None:
    ada = owner()
    body = {"text": "Once only.", "user_id": ada}
    first = post(client, "/v1/memories", body, key=ada)
    again = post(client, "/v1/memories", body, key=ada)
    assert first.content == again.content
    assert listed(client, ada)[0]["repeats"] == 0
    answer = client.post("/v1/memories", json=body | {"text": "Other."}, headers={"Idempotency-Key": ada})
    problem(answer, 422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "text_or_messages"),
        ({"text": "a", "messages": [{"role": "user", "content": "b"}], "user_id": "u"}, "text_or_messages"),
        ({"text": "a", "user_id": "u", "embedding": [1.0, 2.0]}, "wrong_dimensions"),
        ({"text": "a", "user_id": "u", "embedding": []}, "invalid"),
        ({"text": "a", "user_id": "u", "embedding": [0.0] * 384}, "no_direction"),
        ({"text": "a", "user_id": "u", "embedding": ["1"] * 384}, "invalid"),
        ({"text": "a"}, "owner_missing"),
        ({"text": "a\x00", "user_id": "u"}, "invalid"),
        ({"text": "a", "user_id": "u", "metadata": {"a": "\x00"}}, "invalid"),
        ({"messages": [{"role": "user", "content": "a\x00"}], "user_id": "u"}, "invalid"),
        (
            {"text": "a", "user_id": "u", "valid_from": "2025-02-01T00:00:00Z", "valid_to": "2025-01-01T00:00:00Z"},
            "valid_to_before_valid_from",
        ),
        ({"text": "a", "user_id": "u", "more": 1}, "invalid"),
        ({"items": []}, "invalid"),
        ({"items": [{"text": "a", "user_id": "u"}, {"text": "b"}]}, "owner_missing"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_kept(
    client: httpx2.Client, live: Live, body: dict[str, Any], code: str
) -> None:
    before = look(live, "SELECT count(*) AS n FROM memcubes")
    problem(client.post("/v1/memories", json=body), 422, code)
    assert look(live, "SELECT count(*) AS n FROM memcubes") == before


def test_a_newer_memory_replaces_an_older_one(client: httpx2.Client) -> None:
    ada = owner()
    old = remember(client, ada, "Ada lives in Paris.")["memories"][0]["id"]
    assert ids(found(client, ada, "where does ada live")) == [old]
    new = remember(client, ada, "Ada lives in Rome.", supersedes=old)["memories"][0]["id"]
    assert ids(found(client, ada, "where does ada live")) == [new]
    both = found(client, ada, "where does ada live", history=True)
    assert {one["id"]: one["superseded"] for one in both} == {old: True, new: False}
    assert client.get(f"/v1/memories/{old}").json()["superseded"]
    # Without the newer one the older is what is known.
    client.delete(f"/v1/memories/{new}")
    assert ids(found(client, ada, "where does ada live")) == [old]


def test_nobody_elses_memory_is_replaced(client: httpx2.Client) -> None:
    ada, bob = owner(), owner()
    old = remember(client, ada, "Ada lives in Paris.")["memories"][0]["id"]
    body = {"text": "Ada lives in Rome.", "user_id": bob, "supersedes": old}
    problem(client.post("/v1/memories", json=body), 409, "different_owners")
    body["supersedes"] = f"cube_{'0' * 32}"
    problem(client.post("/v1/memories", json=body), 404, "not_found")
    assert listed(client, bob) == []
