"""LangChain's chat history."""

from langchain_core.messages import AIMessage, HumanMessage, ToolCall

from memos.integrations.langchain import MemosChatMessageHistory
from memos.sdk import Memos


def test_messages_come_back_as_they_were(memos: Memos, user: str) -> None:
    history = MemosChatMessageHistory("session-1", user, memos)
    history.add_messages([HumanMessage("hi"), AIMessage("", tool_calls=[ToolCall(name="f", args={"x": 1}, id="c")])])
    history.add_user_message("hi")  # said twice is there twice
    history.add_ai_message("hello")
    again = MemosChatMessageHistory("session-1", user, memos).messages
    assert [(one.type, one.content) for one in again] == [
        ("human", "hi"), ("ai", ""), ("human", "hi"), ("ai", "hello"),
    ]  # fmt: skip
    assert isinstance(again[1], AIMessage)
    assert again[1].tool_calls[0]["args"] == {"x": 1}
    assert MemosChatMessageHistory("session-2", user, memos).messages == []
    assert MemosChatMessageHistory("session-1", f"{user}-other", memos).messages == []
    history.clear()
    assert history.messages == []
