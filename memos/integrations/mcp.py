"""The tools and resources of memos for clients of the Model Context Protocol, over the SDK: the service mounts them at
`/mcp`, and `memos mcp` speaks them over stdio. Whoever calls is whoever the SDK's client acts for; nothing is allowed
here that REST does not allow.

What fails is an error of the tool, in the words of the problem document: a model reads it and may mend its call.
"""

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from memos.integrations import calls
from memos.sdk import AsyncMemos
from memos.sdk._calls import Call
from memos.sdk.errors import MemosError

INSTRUCTIONS = (
    "A memory that lasts. Search it before you answer about a user, add what is worth knowing later, update what has "
    "changed. Every memory keeps its history."
)
# The client of whoever sent this request.
Clients = Callable[[Any], AbstractAsyncContextManager[AsyncMemos]]
Asks = Callable[[Any, Call[calls.Json]], Awaitable[calls.Json]]

UserId = Annotated[str | None, Field(description="Whose memory it is; left out: the caller's own.")]
MemoryId = Annotated[str, Field(description="An id of a memory, as cube_...")]


def build(clients: Clients) -> MCPServer:
    """A server whose tools act for whoever `clients` says."""

    async def asked(context: Any, call: Call[calls.Json]) -> calls.Json:
        try:
            async with clients(context) as client:
                return await client._send(call)
        except MemosError as error:
            raise ToolError(str(error)) from error

    with _logging_left_alone():
        server: MCPServer[Any] = MCPServer("memos", instructions=INSTRUCTIONS)
    _finding(server, asked)
    _changing(server, asked)
    _talking(server, asked)
    _lineage(server, asked)
    return server


def _finding(server: MCPServer[Any], asked: Asks) -> None:
    @server.tool()
    async def search_memories(
        ctx: Context[Any],
        query: Annotated[str, Field(description="What to look for, as a question or in words.")],
        user_id: UserId = None,
        top_k: Annotated[int, Field(ge=1, le=100)] = 10,
        filters: dict[str, Any] | None = None,
    ) -> calls.Json:
        """What is remembered about a question, best first."""
        return await asked(ctx, calls.search(query, user_id=user_id, top_k=top_k, filters=filters))

    @server.tool()
    async def get_memory(ctx: Context[Any], memory_id: MemoryId) -> calls.Json:
        """One memory as it is now."""
        return await asked(ctx, calls.get(memory_id))

    @server.tool()
    async def get_memory_history(ctx: Context[Any], memory_id: MemoryId) -> calls.Json:
        """What a memory said, newest first."""
        return await asked(ctx, calls.history(memory_id))


def _changing(server: MCPServer[Any], asked: Asks) -> None:
    @server.tool()
    async def add_memory(
        ctx: Context[Any],
        text: Annotated[str, Field(description="What to remember, a statement that stands by itself.")],
        user_id: UserId = None,
        metadata: dict[str, Any] | None = None,
        tags: list[str] | None = None,
    ) -> calls.Json:
        """Remember something about a user."""
        item = {"text": text, "user_id": user_id, "metadata": metadata, "tags": tags}
        return await asked(ctx, calls.add([{name: value for name, value in item.items() if value is not None}]))

    @server.tool()
    async def update_memory(
        ctx: Context[Any], memory_id: MemoryId, text: Annotated[str, Field(description="What is so now.")]
    ) -> calls.Json:
        """Say a memory anew. What it said before stays in its history."""
        return await asked(ctx, calls.update(memory_id, text=text))

    @server.tool()
    async def delete_memory(ctx: Context[Any], memory_id: MemoryId) -> calls.Json:
        """Put a memory away: it is not found any more."""
        return await asked(ctx, calls.delete(memory_id))


def _talking(server: MCPServer[Any], asked: Asks) -> None:
    @server.tool()
    async def chat(
        ctx: Context[Any],
        message: str,
        user_id: Annotated[str | None, Field(description="Who speaks; needed to begin a conversation.")] = None,
        conversation_id: Annotated[str | None, Field(description="Left out: a new conversation begins.")] = None,
    ) -> calls.Json:
        """Say something to the assistant that remembers, and be answered."""
        if conversation_id is None:
            if user_id is None:
                raise ToolError("say either user_id, to begin a conversation, or conversation_id, to go on in one")
            conversation_id = str((await asked(ctx, calls.conversation(user_id)))["id"])
        turn = await asked(ctx, calls.turn(conversation_id, message))
        kept = ("conversation_id", "seq", "output", "memory")
        return {name: turn[name] for name in kept} | {"turn_id": turn["id"]}


def _lineage(server: MCPServer[Any], asked: Asks) -> None:
    @server.resource("memos://memories/{memory_id}/lineage", mime_type="application/json")
    async def memory_lineage(memory_id: str, ctx: Context[Any]) -> str:
        """Where a memory came from, and what came of it: nodes and edges."""
        return json.dumps(await asked(ctx, calls.lineage(memory_id)))

    @server.resource("memos://conversations/{conversation_id}/lineage", mime_type="application/json")
    async def conversation_lineage(conversation_id: str, ctx: Context[Any]) -> str:
        """How a conversation's memory came to be, turn by turn: nodes and edges."""
        state = str((await asked(ctx, calls.conversation_of(conversation_id)))["state_cube_id"])
        return json.dumps(await asked(ctx, calls.lineage(state)))


def of_one(client: AsyncMemos) -> Clients:
    """All requests are of the one client: over stdio there is one caller."""

    @asynccontextmanager
    async def held(context: Any) -> AsyncIterator[AsyncMemos]:
        yield client

    return held


@contextmanager
def _logging_left_alone() -> Iterator[None]:
    """A server of this kind configures the process's logging as it is made: that is ours to do."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
