"""Recall in the turn: what was said in one conversation is given to the answers of another, and the turn says what it
read, how and with which scores.
"""

from typing import Any

import httpx2
import pytest

from memos.generation.port import EmbedderUnavailable
from memos.memories.service import RecallService
from tests.api.talk import ask, eventually, everything, look, post, say, turns
from tests.support.live import Live

FACT = "My dog is called Biscuit."
QUESTION = "/recall What is my dog called?"  # the echo generator answers with what it was given


@pytest.fixture
def user(request: pytest.FixtureRequest) -> str:
    """Of this test alone: recall goes beyond one conversation."""
    return f"user of {request.node.name}"


@pytest.fixture
def told(live: Live, client: httpx2.Client, user: str) -> str:
    """A conversation in which the fact was told."""
    conversation = live.conversation(client, user)
    say(client, conversation, FACT)
    live.settled(client, conversation)
    return conversation


def read(turn: dict[str, Any]) -> list[str]:
    return [memory["text"] for memory in turn["memory"]["read"]]


def episodes(live: Live, conversation: str) -> list[tuple[str, str, str]]:
    rows = look(
        live, "SELECT m.origin, m.lifecycle, v.content FROM memcubes m JOIN turns t ON t.id = m.turn_id "
        "JOIN memcube_versions v ON v.id = m.head_version_id WHERE t.conversation_id = %s ORDER BY t.seq, m.id",
        conversation,
    )  # fmt: skip
    return [(row["origin"], row["lifecycle"], row["content"]) for row in rows]


def test_another_conversation_of_the_user_is_recalled(live: Live, client: httpx2.Client, user: str, told: str) -> None:
    turn = say(client, live.conversation(client, user), QUESTION)
    assert FACT in read(turn)
    assert FACT in turn["output"], "the generator was given it"
    assert (turn["memory"]["recall"], turn["memory"]["recall_error"]) == ("hybrid", None)
    assert "recall" in turn["timings_ms"]
    assert client.get(f"/v1/turns/{turn['id']}").json()["memory"]["read"] == turn["memory"]["read"]
    assert client.get(f"/v1/turns/{turn['id']}").json()["memory"]["recall"] == "hybrid"
    stranger = say(client, live.conversation(client, f"not {user}"), QUESTION)
    assert read(stranger) == []


def test_an_answer_is_explained_by_what_it_read(live: Live, client: httpx2.Client, user: str, told: str) -> None:
    turn = say(client, live.conversation(client, user), QUESTION)
    explained = client.get(f"/v1/turns/{turn['id']}/explanation").json()["read"]
    assert [one["rank"] for one in explained if one["kind"] == "activation"] == [0]
    memories = [one for one in explained if one["kind"] == "plaintext"]
    assert [one["rank"] for one in memories] == list(range(1, len(memories) + 1))
    assert [(one["text"], one["score"]) for one in memories] == [
        (one["text"], one["score"]) for one in turn["memory"]["read"]
    ]
    for one in memories:
        assert one["signals"]
        assert sum(one["signals"].values()) == pytest.approx(one["score"], abs=1e-6)
    (fact,) = [one for one in memories if one["text"] == FACT]
    cube = client.get(f"/v1/cubes/{fact['cube_id']}").json()
    assert (cube["reads"], cube["last_read_at"] is not None) == (1, True)
    lineage = client.get(f"/v1/cubes/{fact['cube_id']}/lineage", params={"direction": "down", "depth": 1}).json()
    assert {edge["relation"] for edge in lineage["edges"]} == {"recalls"}


def test_switched_off_nothing_is_read(live: Live, client: httpx2.Client, user: str, told: str) -> None:
    turn = say(client, live.conversation(client, user), QUESTION, recall={"top_k": 0})
    assert (read(turn), turn["memory"]["recall"]) == ([], "off")


def test_no_more_than_wanted_and_than_the_budget(live: Live, client: httpx2.Client, user: str) -> None:
    conversation = live.conversation(client, user)
    for number in range(8):
        say(client, conversation, f"My dog number {number} is called Biscuit the {number}th.", recall={"top_k": 0})
    post(client, "/v1/memories", {"text": "My dog " * 1000 + "is long.", "user_id": user})
    other = live.conversation(client, user)
    assert len(read(say(client, other, QUESTION))) == 5
    few = read(say(client, other, QUESTION, recall={"top_k": 2}))
    assert len(few) == 2
    assert not any(text.endswith("is long.") for text in read(say(client, other, QUESTION, recall={"top_k": 50})))


def test_a_turn_becomes_two_episodes_at_once(live: Live, client: httpx2.Client, user: str, told: str) -> None:
    (turn,) = turns(client, told)
    assert episodes(live, told) == [("user", "activated", FACT), ("assistant", "activated", turn["output"])]
    found = post(client, "/v1/memories/search", {"query": FACT, "user_id": user, "top_k": 1}).json()["results"]
    assert [(one["text"], one["source"]["thread"], one["source"]["speaker"]) for one in found] == [(FACT, told, "user")]
    assert found[0]["source"]["conversation_id"] == told
    late = (
        "SELECT count(*) n FROM embeddings e JOIN memcubes m ON m.head_version_id = e.version_id WHERE m.turn_id = %s"
    )
    eventually(lambda: look(live, late, turn["id"])[0]["n"] == 2)


def test_imported_turns_become_episodes(live: Live, client: httpx2.Client, user: str) -> None:
    conversation = live.conversation(client, user)
    said = [{"input": FACT, "output": "Noted."}, {"input": "I live in Rome.", "output": ""}]
    post(client, f"/v1/conversations/{conversation}/turns/import", {"turns": said})
    assert [text for _, _, text in episodes(live, conversation)] == [FACT, "Noted.", "I live in Rome."]
    assert FACT in read(say(client, live.conversation(client, user), QUESTION))


def test_what_a_rollback_leaves_behind_is_recalled_no_more(
    live: Live, client: httpx2.Client, user: str, told: str
) -> None:
    say(client, told, "My cat is called Tom.")
    live.settled(client, told)
    shared = post(client, f"/v1/conversations/{told}/fork", {"at_turn": 2}).json()["id"]
    post(client, f"/v1/conversations/{told}/rollback", {"to_turn": 0})
    assert {life for _, life, _ in episodes(live, told)} == {"activated"}, "the fork holds both turns"
    post(client, f"/v1/conversations/{shared}/rollback", {"to_turn": 1})
    assert [life for _, life, _ in episodes(live, told)] == ["activated", "activated", "archived", "archived"]
    other = live.conversation(client, user)
    known = read(say(client, other, "/recall My cat is called what, and my dog?", recall={"top_k": 9}))
    assert FACT in known
    assert "My cat is called Tom." not in known
    cube = look(live, "SELECT m.id FROM memcubes m JOIN turns t ON t.id = m.turn_id WHERE t.conversation_id = %s "
                "AND t.seq = 2 AND m.origin = 'user'", told)[0]["id"]  # fmt: skip
    newest = everything(client, f"/v1/cubes/{cube}/events")[0]
    assert (newest["event"], newest["reason"]) == ("transition", "its turn was rolled back")
    post(client, f"/v1/conversations/{told}/fork", {"at_turn": 2})
    assert {life for _, life, _ in episodes(live, told)} == {"activated"}, "a fork reaches them again"
    assert "My cat is called Tom." in read(say(client, other, "/recall What is my cat called?", recall={"top_k": 9}))


def test_without_the_embedder_words_decide(
    live: Live, client: httpx2.Client, user: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    eventually(lambda: say(client, live.conversation(client, user), QUESTION)["memory"]["recall"] == "hybrid")

    async def away(*arguments: Any, **named: Any) -> Any:
        raise EmbedderUnavailable

    monkeypatch.setattr(live.app.state.runtime.generator, "embed", away)
    turn = say(client, live.conversation(client, user), QUESTION)
    assert FACT in read(turn)
    assert (turn["memory"]["recall"], turn["memory"]["recall_error"]) == ("words", "not_embedded")


def test_whatever_becomes_of_recall_the_turn_is_answered(
    live: Live, client: httpx2.Client, user: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*arguments: Any, **named: Any) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr(RecallService, "search", broken)
    turn = say(client, live.conversation(client, user), QUESTION)
    assert (read(turn), turn["memory"]["recall"], turn["memory"]["recall_error"]) == ([], "failed", "internal")


def test_an_answer_that_was_cut_off_is_no_memory(live: Live, client: httpx2.Client, user: str) -> None:
    conversation = live.conversation(client, user)
    refused = ask(client, conversation, "/slow 1 " + "x" * 40_000)
    assert refused.status_code == 413
    assert episodes(live, conversation) == []
