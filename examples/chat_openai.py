"""A chat with memory through OpenAI's own client. Needs `pip install openai`, and MEMOS_URL and MEMOS_API_KEY of a
running service; without them it brings a service of its own along.

    python examples/chat_openai.py ada "My dog is called Rex." "What is my dog called?"
"""

import os
import sys
import tempfile
from typing import Any

from openai import OpenAI

from memos.sdk import Memos


def chat(url: str, key: str, user: str, texts: list[str]) -> None:
    client = OpenAI(base_url=f"{url}/v1", api_key=key)
    messages: list[Any] = []
    for text in texts:
        messages.append({"role": "user", "content": text})
        answer = client.chat.completions.create(model="memos", messages=messages, user=user)
        said = answer.choices[0].message.content
        messages.append({"role": "assistant", "content": said})
        print(f"{user}: {text}\nmemos: {said}")


def main() -> None:
    user, *texts = sys.argv[1:]
    if "MEMOS_URL" in os.environ:
        chat(os.environ["MEMOS_URL"], os.environ["MEMOS_API_KEY"], user, texts)
        return
    with tempfile.TemporaryDirectory() as folder, Memos.embedded(folder) as memos:
        chat(memos.url, memos.address.api_key or "", user, texts)


if __name__ == "__main__":
    main()
