"""A client of the Model Context Protocol that remembers and asks. Needs `pip install mcp`, and MEMOS_URL and
MEMOS_API_KEY of a running service.

    python examples/client_mcp.py ada "My dog is called Rex." "What is my dog called?"
"""

import asyncio
import os
import sys

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client


async def talk(user: str, fact: str, question: str) -> None:
    headers = {"Authorization": f"Bearer {os.environ['MEMOS_API_KEY']}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(f"{os.environ['MEMOS_URL']}/mcp", http_client=http)) as client,
    ):
        await client.call_tool("add_memory", {"text": fact, "user_id": user})
        found = await client.call_tool("search_memories", {"query": question, "user_id": user})
        print(found.content[0].text)  # type: ignore[union-attr]


if __name__ == "__main__":
    asyncio.run(talk(*sys.argv[1:]))
