"""A LangGraph agent that remembers across threads. Needs `pip install 'memos[langgraph]'`, and MEMOS_URL and
MEMOS_API_KEY of a running service.

    python examples/agent_langgraph.py ada "My dog is called Rex." "What is my dog called?"
"""

import sys
from typing import Any

from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.base import BaseStore

from memos.integrations.langgraph import MemosStore


def answer(state: MessagesState, *, store: BaseStore) -> dict[str, Any]:
    said = str(state["messages"][-1].content)
    known = store.search(("facts",), query=said, limit=1)
    store.put(("facts",), said, {"text": said})
    return {"messages": [("ai", f"You said: {known[0].value['text']}" if known else "That is new to me.")]}


def main() -> None:
    user, *texts = sys.argv[1:]
    graph = StateGraph(MessagesState)
    graph.add_node("answer", answer)
    graph.add_edge(START, "answer")
    agent: Any = graph.compile(store=MemosStore(user_id=user))
    for text in texts:
        ended = agent.invoke({"messages": [("user", text)]})
        print(f"{user}: {text}\nagent: {ended['messages'][-1].content}")


if __name__ == "__main__":
    main()
