"""mem0's quick-start with one import changed, and its REST calls."""

from typing import Any

import httpx2
import pytest

from memos.integrations.mem0 import Memory
from memos.sdk import Memos, MemosError


@pytest.fixture
def memory(memos: Memos) -> Memory:
    return Memory(client=memos)


def test_the_quick_start(memory: Memory, user: str) -> None:
    added = memory.add(
        "I am working on improving my tennis skills.", user_id=user, metadata={"category": "hobbies"}
    )["results"]  # fmt: skip
    assert [(one["memory"], one["event"]) for one in added] == [("I am working on improving my tennis skills.", "ADD")]
    memory_id = added[0]["id"]
    found = memory.search("What is she working on?", user_id=user, limit=3)["results"]
    assert (found[0]["id"], found[0]["metadata"], found[0]["user_id"]) == (memory_id, {"category": "hobbies"}, user)
    assert memory.get(memory_id)["memory"] == "I am working on improving my tennis skills."  # type: ignore[index]
    assert memory.update(memory_id=memory_id, data="Likes to play squash.")["message"]
    assert [one["memory"] for one in memory.get_all(user_id=user)["results"]] == ["Likes to play squash."]
    memory.delete(memory_id=memory_id)
    events = [(one["event"], one["old_memory"], one["new_memory"]) for one in memory.history(memory_id=memory_id)]
    assert events == [
        ("ADD", None, "I am working on improving my tennis skills."),
        ("UPDATE", "I am working on improving my tennis skills.", "Likes to play squash."),
        ("DELETE", "Likes to play squash.", None),
    ]
    assert memory.search("squash", user_id=user)["results"] == []
    assert memory.get(f"cube_{'0' * 32}") is None


def test_messages_runs_and_filters(memory: Memory, user: str) -> None:
    said = [{"role": "user", "content": "I moved to Lisbon."}, {"role": "assistant", "content": "How is Lisbon?"}]
    memory.add(said, user_id=user, run_id="trip", metadata={"kind": "travel"})
    memory.add("Lisbon has seven hills.", user_id=user, run_id="facts")
    assert len(memory.search("Lisbon", user_id=user)["results"]) == 3
    assert len(memory.search("Lisbon", filters={"user_id": user, "run_id": "trip"})["results"]) == 2
    assert len(memory.search("Lisbon", user_id=user, filters={"kind": "travel"})["results"]) == 2
    assert {one["role"] for one in memory.get_all(user_id=user, run_id="trip")["results"]} == {"user", "assistant"}
    memory.delete_all(user_id=user)
    assert memory.get_all(user_id=user)["results"] == []
    with pytest.raises(ValueError):
        memory.delete_all()
    with pytest.raises(MemosError, match="everybody"):
        memory.reset()


def test_over_rest(client: httpx2.Client, user: str) -> None:
    def call(method: str, path: str, body: Any = None, **params: str) -> Any:
        answer = client.request(method, path, json=body, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    said = {"messages": [{"role": "user", "content": "I play tennis."}], "user_id": user, "infer": True}
    (added,) = call("POST", "/memories", said)["results"]
    assert call("GET", "/memories", user_id=user)["results"][0]["memory"] == "I play tennis."
    assert call("POST", "/search", {"query": "tennis?", "user_id": user})["results"][0]["score"] > 0
    call("PUT", f"/memories/{added['id']}", {"text": "I play squash."})
    assert call("GET", f"/memories/{added['id']}")["memory"] == "I play squash."
    call("DELETE", f"/memories/{added['id']}")
    assert [one["event"] for one in call("GET", f"/memories/{added['id']}/history")] == ["ADD", "UPDATE", "DELETE"]
