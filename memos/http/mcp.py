"""`/mcp`: the Model Context Protocol over HTTP, with the keys and actors of REST. Each tool is a call of our own API
with the caller's headers, so it is authenticated, audited and limited as any other.

Notable choices: no session is kept, so any process may answer any request; and the protocol's package, a second of
imports, is loaded by the first request.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from memos.http.problems import respond
from memos.kit.errors import MemosError
from memos.runtime import Runtime
from memos.sdk import AsyncMemos

PATH = "/mcp"
HANDED_ON = ("x-memos-user", "x-memos-agent")
INSIDE = "http://memos.invalid"  # never resolved: the call stays in this process


class _Inside(AsyncMemos):
    """The SDK's client over the app itself, as whoever sent these headers."""

    def __init__(self, app: ASGIApp, headers: Any) -> None:
        key = headers.get("authorization", "").partition(" ")[2].strip()
        super().__init__(INSIDE, key, max_retries=0)
        self._app = app
        self._handed_on = {name: headers[name] for name in HANDED_ON if name in headers}

    def _options(self) -> dict[str, Any]:
        options = super()._options() | {"transport": httpx2.ASGITransport(self._app)}
        return options | {"headers": {**options.get("headers", {}), **self._handed_on}}


class McpEndpoint:
    """An ASGI app. `stop()` ends what the first request began."""

    def __init__(self, app: ASGIApp, runtime: Runtime) -> None:
        self._app = app
        self._runtime = runtime
        self._starting = asyncio.Lock()
        self._over = asyncio.Event()
        self._manager: Any = None
        self._serving: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        try:
            await self._runtime.keys.authenticate(request.headers.get("authorization"))
        except MemosError as error:
            await respond(error, request)(scope, receive, send)
            return
        async with self._starting:
            if self._manager is None:
                await self._start()
        await self._manager.handle_request(scope, receive, send)

    async def stop(self) -> None:
        if self._serving is not None:
            self._over.set()
            await asyncio.gather(self._serving, return_exceptions=True)

    async def _start(self) -> None:
        manager = await asyncio.to_thread(self._made)
        running = asyncio.Event()

        async def serve() -> None:
            async with manager.run():
                running.set()
                await self._over.wait()

        self._serving = asyncio.create_task(serve(), name="mcp")
        await running.wait()
        self._manager = manager

    def _made(self) -> Any:
        from mcp.server.transport_security import TransportSecuritySettings

        from memos.integrations.mcp import build

        server = build(self._client)
        # Names of hosts are a proxy's matter: without a key nobody gets here.
        guard = TransportSecuritySettings(enable_dns_rebinding_protection=False)
        server.streamable_http_app(stateless_http=True, json_response=True, transport_security=guard)
        return server.session_manager

    @asynccontextmanager
    async def _client(self, context: Any) -> AsyncIterator[AsyncMemos]:
        async with _Inside(self._app, context.headers) as client:
            yield client
