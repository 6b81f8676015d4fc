"""A LangChain runnable whose sessions are kept by memos. Needs `pip install 'memos[langchain]'`, and MEMOS_URL and
MEMOS_API_KEY of a running service.

    python examples/history_langchain.py ada session-1 "Hello." "How many messages were there?"
"""

import sys
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import RunnableLambda

from memos.integrations.langchain import MemosChatMessageHistory


def reply(messages: list[BaseMessage]) -> AIMessage:
    """Put a chat model here."""
    return AIMessage(f"There are {len(messages)} messages, the first is: {messages[0].content}")


def main() -> None:
    user, session, *texts = sys.argv[1:]
    history = MemosChatMessageHistory(session, user)
    model: Any = RunnableLambda(reply)
    for text in texts:
        history.add_user_message(text)
        said = model.invoke(history.messages)
        history.add_messages([said])
        print(f"{user}: {text}\nmodel: {said.content}")


if __name__ == "__main__":
    main()
