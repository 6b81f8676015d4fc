"""A server that speaks OpenAI's protocol, over loopback, and fails as it is told to."""

import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse


@dataclass
class Upstream:
    """`faults`: what each request meets, in order; those after them are answered. `seen`: what was asked."""

    url: str = ""
    faults: list[str] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    stopped: int = 0

    def messages(self, at: int = -1) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self.seen[at]["messages"]
        return found


def _chunk(text: str | None, reason: str | None = None, **more: Any) -> bytes:
    choices = [{"index": 0, "delta": {"content": text} if text else {}, "finish_reason": reason}]
    return f"data: {json.dumps({'choices': choices} | more)}\n\n".encode()


def _app(upstream: Upstream) -> FastAPI:
    app = FastAPI()

    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> Response:
        body = await request.json()
        upstream.seen.append(body)
        upstream.headers.append(dict(request.headers))
        fault = upstream.faults.pop(0) if upstream.faults else ""
        if fault == "429":
            return JSONResponse({"error": {"message": "slow down"}}, 429, {"Retry-After": "0.2"})
        if fault in ("500", "400", "401"):
            return JSONResponse({"error": {"message": f"it is {fault}"}}, int(fault))
        if fault == "whole":
            message = {"role": "assistant", "content": "all at once"}
            return JSONResponse({"choices": [{"message": message, "finish_reason": "stop"}]})
        return StreamingResponse(pieces(body, fault), media_type="text/event-stream")

    async def pieces(body: dict[str, Any], fault: str) -> AsyncIterator[bytes]:
        try:
            if fault == "hang":
                await anyio.sleep(30)
            words = f"you said: {body['messages'][-1]['content']}".split(" ")
            for at, word in enumerate(words[: body["max_tokens"]]):
                if fault == "slow":
                    await anyio.sleep(0.1)
                if fault == "cut" and at == 2:
                    return
                yield _chunk(word if at == 0 else f" {word}")
            yield _chunk(None, "length" if len(words) > body["max_tokens"] else "stop")
            yield b'data: {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}\n\n'
            yield b"data: [DONE]\n\n"
        except BaseException:
            upstream.stopped += 1
            raise

    return app


@contextmanager
def upstream_server() -> Iterator[Upstream]:
    upstream = Upstream()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        upstream.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        server = uvicorn.Server(uvicorn.Config(_app(upstream), log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield upstream
        finally:
            server.should_exit = True
            thread.join(10)
