"""What the client makes of a worker that answers badly, late, or not at all: always an error of the port."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from memos.generation.port import Finished, GenerateRequest, ModelUnavailable, StateRef, StateUnreadable, Token
from memos.generation.worker_client import ATTEMPTS, ModelWorkerClient

pytestmark = pytest.mark.anyio
REQUEST = GenerateRequest(StateRef("f" * 64, "0" * 64), "hi")
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
DONE = b'event: done\ndata: {"reason": "stop", "prompt_tokens": 1, "completion_tokens": 1}\n\n'


@asynccontextmanager
async def canned(*pieces: bytes, hold_s: float = 0.0) -> AsyncIterator[tuple[str, Callable[[], int]]]:
    """A server that sends these pieces to whoever connects, waits `hold_s`, and hangs up; and how many connected."""
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            try:
                await reader.readuntil(b"\r\n\r\n")
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.005)
                await asyncio.sleep(hold_s)
            finally:
                writer.close()
                await writer.wait_closed()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", lambda: len(serving)
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await server.wait_closed()


@asynccontextmanager
async def client_of(url: str, **options: Any) -> AsyncIterator[ModelWorkerClient]:
    client = ModelWorkerClient(url, **options)
    try:
        yield client
    finally:
        await client.aclose()


async def collected(client: ModelWorkerClient) -> list[Token | Finished]:
    return [item async for item in client.generate(REQUEST)]


async def test_events_are_read_however_the_network_cuts_them():
    text = 'event: token\ndata: {"text": "a\\n\u00fc\U0001f9e0"}\n\n'.encode() + DONE
    expected = [Token("a\n\u00fc\U0001f9e0"), Finished("stop", 1, 1)]
    for size in (1, 2, 7, len(text)):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        async with canned(SSE, *pieces) as (url, _), client_of(url) as client:
            assert await collected(client) == expected


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [b"garbage\r\n\r\n"],
        [SSE],
        [SSE, b'event: token\ndata: {"text": "a"}\n\n'],
        [SSE, b"event: token\ndata: {not json}\n\n"],
        [SSE, b'event: token\ndata: {"txt": "a"}\n\n'],
        [SSE, b'event: done\ndata: {"reason": "tired", "prompt_tokens": 1, "completion_tokens": 1}\n\n'],
        [SSE, b"event: surprise\ndata: {}\n\n"],
        [SSE, b'event: error\ndata: {"code": "internal", "detail": "it broke"}\n\n'],
        [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/html\r\n\r\nhi"],
        [b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 2\r\n\r\nhi"],
        [b"HTTP/1.1 500 Oops\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n[]"],
    ],
)
async def test_a_broken_answer_is_model_unavailable(pieces):
    async with canned(*pieces) as (url, connections), client_of(url) as client:
        with pytest.raises(ModelUnavailable):
            await collected(client)
        assert connections() == 1  # once a connection was made, a generation is not repeated


async def test_retry_after_of_a_balancer_is_carried_along():
    refusal = b"HTTP/1.1 503 Unavailable\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n"
    async with canned(refusal) as (url, _), client_of(url) as client:
        with pytest.raises(ModelUnavailable) as caught:
            await collected(client)
        assert caught.value.retry_after_s == 7.0


async def test_an_error_after_the_first_token_is_the_error_it_names():
    problem = b'event: error\ndata: {"code": "state_unreadable", "detail": "gone", "context": {"blob_key": "k"}}\n\n'
    async with canned(SSE, b'event: token\ndata: {"text": "a"}\n\n', problem) as (url, _), client_of(url) as client:
        stream = client.generate(REQUEST)
        assert await anext(stream) == Token("a")
        with pytest.raises(StateUnreadable, match="gone") as caught:
            await anext(stream)
        assert caught.value.details == {"blob_key": "k"}


@pytest.mark.parametrize("pieces", [[], [SSE], [SSE, b'event: token\ndata: {"text": "a"}\n\n']])
async def test_a_silent_worker_is_given_up_on(pieces):
    async with canned(*pieces, hold_s=60.0) as (url, _), client_of(url, turn_timeout_s=0.3) as client:
        started = time.monotonic()
        with pytest.raises(ModelUnavailable, match="in time"):
            await collected(client)
        assert time.monotonic() - started < 20.0


async def test_the_time_a_consumer_takes_is_not_the_workers():
    async with (
        canned(SSE, b'event: token\ndata: {"text": "a"}\n\n' + DONE) as (url, _),
        client_of(url, turn_timeout_s=2.0) as client,
    ):
        stream = client.generate(REQUEST)
        assert await anext(stream) == Token("a")
        await asyncio.sleep(2.2)
        assert await anext(stream) == Finished("stop", 1, 1)


async def test_calls_that_may_be_repeated_are_repeated_and_then_given_up():
    async with canned() as (url, connections), client_of(url) as client:
        with pytest.raises(ModelUnavailable):
            await client.advance(REQUEST.state, "in", "out", "k")
        assert connections() == ATTEMPTS
        with pytest.raises(ModelUnavailable):
            await client.embed(["x"])
        assert connections() == 2 * ATTEMPTS


async def test_a_call_and_its_retries_end_in_time():
    async with canned(hold_s=60.0) as (url, _), client_of(url, call_timeout_s=0.3) as client:
        started = time.monotonic()
        with pytest.raises(ModelUnavailable, match="in time"):
            await client.health()
        assert time.monotonic() - started < 20.0


@pytest.mark.parametrize("body", [b"{}", b"[]", b"no", b'{"sha256": "x", "size_bytes": 1, "health": {}}'])
async def test_an_answer_of_the_wrong_shape_is_model_unavailable(body):
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
    async with canned(answer) as (url, _), client_of(url) as client:
        with pytest.raises(ModelUnavailable, match="not an answer"):
            await client.advance(REQUEST.state, "in", "out", "k")


async def test_a_connection_serves_one_answer_after_another():
    connections = 0
    chunk = DONE
    whole = SSE.replace(b"connection: close", b"transfer-encoding: chunked") + b"%x\r\n%s\r\n0\r\n\r\n" % (
        len(chunk),
        chunk,
    )

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with suppress(asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = re.search(rb"content-length: (\d+)", head.lower())
                assert length is not None
                await reader.readexactly(int(length[1]))
                writer.write(whole)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        async with client_of(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as client:
            for _ in range(3):
                assert await collected(client) == [Finished("stop", 1, 1)]
        await asyncio.sleep(0.05)  # the server sees the end
    assert connections == 1
