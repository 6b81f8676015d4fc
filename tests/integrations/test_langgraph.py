"""LangGraph's store: its own calls, and a graph that remembers through it."""

import asyncio
from typing import Any

import pytest
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.base import BaseStore

from memos.integrations.langgraph import MemosStore
from memos.sdk import Memos


@pytest.fixture
def store(memos: Memos, user: str) -> MemosStore:
    return MemosStore(memos, user_id=user)


def test_items_are_put_got_and_deleted(store: MemosStore) -> None:
    store.put(("users", "ada"), "food", {"text": "likes figs", "n": 1})
    store.put(("users", "bob"), "food", {"text": "likes figs", "n": 1})  # the very same, and another's
    item = store.get(("users", "ada"), "food")
    assert item is not None
    assert (item.namespace, item.key, item.value) == (("users", "ada"), "food", {"text": "likes figs", "n": 1})
    store.put(("users", "ada"), "food", {"text": "likes plums"})
    assert store.get(("users", "ada"), "food").value == {"text": "likes plums"}  # type: ignore[union-attr]
    store.delete(("users", "ada"), "food")
    assert store.get(("users", "ada"), "food") is None
    assert store.get(("users", "bob"), "food") is not None
    store.delete(("users", "ada"), "food")


def test_searches_stay_below_their_namespace(store: MemosStore) -> None:
    store.put(("users", "ada"), "1", {"text": "Ada plays tennis", "n": 1})
    store.put(("users", "ada", "old"), "2", {"text": "Ada played chess", "n": 2})
    store.put(("users", "bob"), "3", {"text": "Bob plays tennis", "n": 3})
    store.put(("users", "ada"), "4", {"text": "Ada plays tennis in secret", "n": 4}, index=False)
    store.put(("users", "ada"), "5", {"title": "tennis", "body": "nothing"}, index=["body"])
    found = store.search(("users", "ada"), query="tennis")
    assert "1" in {one.key for one in found}
    assert {one.key for one in found}.isdisjoint({"3", "4"})
    assert found[0].score is not None
    assert {one.key for one in store.search(("users",))} == {"1", "2", "3", "4", "5"}
    assert {one.key for one in store.search(("users",), filter={"n": {"$gte": 2, "$lt": 4}})} == {"2", "3"}
    assert {one.key for one in store.search(("users",), filter={"n": 1})} == {"1"}
    assert len(store.search(("users",), limit=2, offset=1)) == 2


def test_namespaces_are_listed(store: MemosStore) -> None:
    for namespace in (("a", "x", "1"), ("a", "y", "1"), ("b", "x", "2")):
        store.put(namespace, "k", {"v": 1})
    assert store.list_namespaces() == [("a", "x", "1"), ("a", "y", "1"), ("b", "x", "2")]
    assert store.list_namespaces(prefix=("a",), max_depth=2) == [("a", "x"), ("a", "y")]
    assert store.list_namespaces(prefix=("*", "x")) == [("a", "x", "1"), ("b", "x", "2")]
    assert store.list_namespaces(suffix=("1",), limit=1, offset=1) == [("a", "y", "1")]


def test_a_time_to_live_is_refused(store: MemosStore) -> None:
    with pytest.raises(Exception, match="TTL"):
        store.put(("a",), "k", {"v": 1}, ttl=1)


def test_a_graph_remembers_across_threads(store: MemosStore) -> None:
    def answer(state: MessagesState, *, store: BaseStore) -> dict[str, Any]:
        said = str(state["messages"][-1].content)
        known = store.search(("facts",), query=said, limit=1)
        store.put(("facts",), said, {"text": said})
        return {"messages": [("ai", f"I know: {known[0].value['text']}" if known else "I know nothing")]}

    graph = StateGraph(MessagesState)
    graph.add_node("answer", answer)
    graph.add_edge(START, "answer")
    runs: Any = graph.compile(store=store)
    first = runs.invoke({"messages": [("user", "My dog is called Rex.")]})
    assert first["messages"][-1].content == "I know nothing"
    second = asyncio.run(runs.ainvoke({"messages": [("user", "What is my dog called?")]}))
    assert second["messages"][-1].content == "I know: My dog is called Rex."


def test_async_calls(store: MemosStore) -> None:
    async def run() -> Any:
        await store.aput(("a",), "k", {"v": 1})
        return await store.aget(("a",), "k")

    assert asyncio.run(run()).value == {"v": 1}
