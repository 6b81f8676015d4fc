"""The official client of the Model Context Protocol, over HTTP and over stdio."""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from tests.api.talk import eventually, held, look, of, post
from tests.support.live import Live

pytestmark = pytest.mark.anyio
TOOLS = {
    "add_memory", "search_memories", "get_memory", "update_memory", "delete_memory", "get_memory_history", "chat",
}  # fmt: skip


@asynccontextmanager
async def over_http(live: Live, key: str | None = None, **headers: str) -> AsyncIterator[Client]:
    sent = {"Authorization": f"Bearer {key or live.key}"} | headers
    async with (
        httpx2.AsyncClient(headers=sent, timeout=30) as http,
        Client(streamable_http_client(f"{live.url}/mcp", http_client=http)) as client,
    ):
        yield client


@asynccontextmanager
async def over_stdio(live: Live) -> AsyncIterator[Client]:
    env = {"MEMOS_URL": live.url, "MEMOS_API_KEY": live.key, "PATH": os.environ["PATH"]}
    server = StdioServerParameters(command=sys.executable, args=["-m", "memos.cli.main", "mcp"], env=env)
    async with Client(server) as client:
        yield client


async def tool(client: Client, name: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(name, arguments)
    assert not result.is_error, result.content
    answer: dict[str, Any] = json.loads(result.content[0].text)  # type: ignore[union-attr]
    return answer


@pytest.mark.parametrize("over", [over_http, over_stdio], ids=["http", "stdio"])
async def test_a_memory_lives_through_the_tools(live: Live, user: str, over: Any) -> None:
    async with over(live) as client:
        assert {one.name for one in (await client.list_tools()).tools} == TOOLS
        added = await tool(client, "add_memory", text="Ada's dog is called Biscuit.", user_id=user, tags=["dogs"])
        memory_id = added["memories"][0]["id"]
        found = await tool(client, "search_memories", query="what is the dog called?", user_id=user)
        assert [hit["id"] for hit in found["results"]] == [memory_id]
        assert (await tool(client, "get_memory", memory_id=memory_id))["tags"] == ["dogs"]
        await tool(client, "update_memory", memory_id=memory_id, text="Ada's dog is called Waffle.")
        history = await tool(client, "get_memory_history", memory_id=memory_id)
        assert [one["text"] for one in history["items"]] == [
            "Ada's dog is called Waffle.", "Ada's dog is called Biscuit.",
        ]  # fmt: skip
        read = await client.read_resource(f"memos://memories/{memory_id}/lineage")
        assert len(json.loads(read.contents[0].text)["nodes"]) == 2
        await tool(client, "delete_memory", memory_id=memory_id)
        assert (await tool(client, "search_memories", query="dog", user_id=user))["results"] == []


async def test_chatting_remembers(live: Live, user: str) -> None:
    async with over_http(live) as client:
        first = await tool(client, "chat", message="hello", user_id=user)
        again = await tool(client, "chat", message="and", conversation_id=first["conversation_id"])
        assert held(again["output"]) == of("hello")
        read = await client.read_resource(f"memos://conversations/{first['conversation_id']}/lineage")
        assert json.loads(read.contents[0].text)["nodes"]  # type: ignore[union-attr]


async def test_what_fails_is_told_in_words(live: Live) -> None:
    async with over_http(live) as client:
        missing = await client.call_tool("get_memory", {"memory_id": f"cube_{'0' * 32}"})
        assert missing.is_error
        assert "there is no memory" in missing.content[0].text  # type: ignore[union-attr]
        assert (await client.call_tool("chat", {"message": "hello"})).is_error


async def test_a_caller_is_who_the_key_and_the_headers_say(live: Live, client: httpx2.Client, user: str) -> None:
    async with over_http(live) as application:
        added = await tool(application, "add_memory", text="The code is 4711.", user_id=user)
    token = post(client, "/v1/tokens", {"user_id": f"{user}-other"}).json()["token"]
    for how in ({"key": token}, {"X-Memos-User": f"{user}-other"}):
        async with over_http(live, **how) as other:
            result = await other.call_tool("get_memory", {"memory_id": added["memories"][0]["id"]})
            assert result.is_error
            assert (await tool(other, "search_memories", query="code"))["results"] == []
    async with over_http(live, **{"X-Memos-User": user}) as owner:
        assert (await tool(owner, "search_memories", query="what is the code?"))["results"] != []
    audited = "SELECT action FROM audit_log WHERE action = 'memories.add' AND %s = ANY (subjects)"
    assert eventually(lambda: look(live, audited, added["memories"][0]["id"]))


def test_without_a_key_there_is_nothing(live: Live) -> None:
    for headers in ({}, {"Authorization": "Bearer mk_" + "x" * 43}):
        answer = httpx2.post(f"{live.url}/mcp", json={}, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["code"] == "unauthorized"
