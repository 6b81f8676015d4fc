"""Puts the API together. `create_app(settings)` builds nothing that needs the network until the app starts."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.routing import Route

import memos
from memos.console.app import install as install_console
from memos.http import openapi, problems
from memos.http.audited import Audited
from memos.http.mcp import PATH as MCP_PATH
from memos.http.mcp import McpEndpoint
from memos.http.middleware import BodyLimit, Observed, ReadableAddress, RequestId
from memos.http.routes import (
    access,
    archives,
    audit,
    chats,
    consolidations,
    conversations,
    cube_changes,
    cubes,
    deltas,
    embedder,
    erasures,
    health,
    jobs,
    keys,
    mem0,
    memories,
    policies,
    timemachine,
    turns,
)
from memos.kit.config import Settings
from memos.runtime import Background, Runtime

DESCRIPTION = "One REST call per conversational turn; governed, versioned memory behind it."


def create_app(
    settings: Settings,
    *,
    children: Callable[[], dict[str, Any]] | None = None,
    before_serving: Callable[[Runtime], Awaitable[None]] | None = None,
) -> FastAPI:
    """The API over one runtime. Without Redis it also runs the background work itself. `children` reports the
    processes that the embedded service supervises; an embedded service is alone with its database. `before_serving`
    is waited for with the background work running, before the first request is accepted."""
    runtime = Runtime(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await runtime.start()
        await runtime.turns.start()
        background = Background.in_process(runtime) if settings.redis_url is None else None
        app.state.background = background
        if background is not None:
            if children is not None:
                await background.take_over()
            await background.start()
        try:
            if before_serving is not None:
                await before_serving(runtime)
            yield
        finally:
            await app.state.mcp.stop()
            await runtime.turns.stop()
            if background is not None:
                await background.stop()
            await runtime.stop()

    app = FastAPI(title="memos", version=memos.__version__, description=DESCRIPTION, lifespan=lifespan)
    app.state.runtime = runtime
    app.state.background, app.state.children = None, children
    problems.install(app)
    for module in (  # routes are looked through in this order: what is called most comes first
        memories,
        conversations,
        turns,
        chats,
        cubes,
        cube_changes,
        deltas,
        embedder,
        timemachine,
        mem0,
        archives,
        policies,
        consolidations,
        access,
        audit,
        erasures,
        jobs,
        keys,
        health,
    ):
        app.include_router(module.router)
    install_console(app, runtime)
    app.state.mcp = McpEndpoint(app, runtime)
    app.router.routes.append(Route(MCP_PATH, app.state.mcp))
    app.add_middleware(Audited)
    larger = {archives.IMPORT_PATH: settings.max_archive_bytes, memories.PATH: settings.max_batch_bytes}
    larger[chats.PATH] = settings.max_history_bytes
    app.add_middleware(BodyLimit, most_bytes=settings.max_body_bytes, larger=larger)
    app.add_middleware(ReadableAddress)
    app.add_middleware(Observed, metrics=runtime.metrics, tracing=runtime.tracing)
    app.add_middleware(RequestId)
    openapi.install(app)
    return app
