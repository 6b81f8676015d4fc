"""The worker as a process: its bounds, and what its callers see when it stops or dies."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from memos.generation.echo import EchoEngine
from memos.generation.pool import QueueFull
from memos.generation.port import Finished, GenerateRequest, ModelMismatch, ModelUnavailable, StateRef, Token
from memos.generation.wire import FINGERPRINT_HEADER
from memos.generation.worker_client import ModelWorkerClient
from tests.generation.talk import answer, eventually, start_ref, told

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def connected(url: str, **options: Any):
    client = ModelWorkerClient(url, **options)
    try:
        yield client
    finally:
        await client.aclose()


async def opened(stack: AsyncExitStack, client: ModelWorkerClient, text: str):
    """A generation that has begun, closed with the stack."""
    stream = client.generate(GenerateRequest(await start_ref(client), text, max_tokens=5000))
    stack.push_async_callback(stream.aclose)
    assert isinstance(await anext(stream), Token)
    return stream


async def only_tokens(stream) -> None:
    """Reads to the end: an answer that is cut short is a failure, and never a finished answer."""
    async for item in stream:
        assert isinstance(item, Token)


async def test_a_full_queue_is_refused_at_once_and_drains(start_worker):
    worker = start_worker("--threads", "1", "--queue", "1")
    async with connected(worker.url) as client, AsyncExitStack() as stack:
        ref = await start_ref(client)
        first = await opened(stack, client, "/slow 20 " + "word " * 1000)
        second = asyncio.create_task(answer(client, ref, "second"))

        async def queued() -> bool:
            return bool((await client.health())["waiting"] == 1)

        await eventually(queued)
        assert (await client.health()) | {"active": 1, "limit": 2} == await client.health()
        started = time.monotonic()
        with pytest.raises(QueueFull) as caught:
            await answer(client, ref, "third")
        with pytest.raises(QueueFull):
            await client.advance(ref, "in", "out", "states/full")
        assert caught.value.retry_after_s == 1.0
        assert time.monotonic() - started < 10.0
        await first.aclose()
        assert (await second)[0] == "echo 0 [] second"
        assert (await answer(client, ref, "third"))[0] == "echo 0 [] third"


async def test_a_client_that_leaves_the_queue_is_not_computed_for(start_worker):
    worker = start_worker("--threads", "1", "--queue", "4")
    async with connected(worker.url) as client, AsyncExitStack() as stack:
        await opened(stack, client, "/slow 20 " + "word " * 1000)
        waiting = asyncio.create_task(answer(client, await start_ref(client), "never"))

        async def queued(count: int) -> bool:
            return bool((await client.health())["waiting"] == count)

        await eventually(lambda: queued(1))
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await eventually(lambda: queued(0), within_s=15.0)


async def test_sigterm_lets_an_answer_finish_and_exits_0(start_worker):
    worker = start_worker()
    async with connected(worker.url) as client, AsyncExitStack() as stack:
        stream = await opened(stack, client, "/slow 40 " + "word " * 20)
        worker.process.send_signal(signal.SIGTERM)
        items = [item async for item in stream]
        assert items[-1] == Finished("stop", 22, 25)
        assert await asyncio.to_thread(worker.process.wait, 20) == 0
        with pytest.raises(ModelUnavailable):
            await client.health()


async def test_draining_is_bounded(start_worker):
    worker = start_worker("--drain-s", "1")
    async with connected(worker.url) as client, AsyncExitStack() as stack:
        stream = await opened(stack, client, "/slow 50 " + "word " * 2000)
        worker.process.send_signal(signal.SIGTERM)
        with pytest.raises(ModelUnavailable):
            await only_tokens(stream)
        assert await asyncio.to_thread(worker.process.wait, 20) == 0


async def test_a_signal_during_start_up_stops_the_worker(start_worker):
    worker = start_worker()
    worker.process.send_signal(signal.SIGTERM)  # the port file is written before the loop runs
    assert await asyncio.to_thread(worker.process.wait, 20) == 0


async def test_kill_9_in_the_middle_of_an_answer_is_model_unavailable(start_worker):
    worker = start_worker()
    async with connected(worker.url) as client, AsyncExitStack() as stack:
        stream = await opened(stack, client, "/slow 50 " + "word " * 100)
        ref = await start_ref(client)
        worker.process.kill()
        with pytest.raises(ModelUnavailable):
            await only_tokens(stream)
        worker.process.wait()
        with pytest.raises(ModelUnavailable):
            await answer(client, ref, "hi")
        replacement = start_worker(port=worker.port)
        assert replacement.url == worker.url
        assert (await answer(client, ref, "hi"))[0] == "echo 0 [] hi"


async def test_a_dead_port_is_model_unavailable_quickly():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    async with connected(url) as client:
        request = GenerateRequest(StateRef(EchoEngine().fingerprint, "0" * 64), "hi")
        started = time.monotonic()
        with pytest.raises(ModelUnavailable, match="cannot be reached"):
            await client.identity()
        with pytest.raises(ModelUnavailable):
            await anext(client.generate(request))
        with pytest.raises(ModelUnavailable):
            await client.advance(request.state, "in", "out", "states/dead")
        assert time.monotonic() - started < 10.0


async def test_a_client_notices_that_another_model_answers(start_worker):
    old = start_worker()
    async with connected(old.url, identity_max_age_s=600.0) as client:
        before = await client.identity()
        ref = await told(client, "one")
        old.stop()
        start_worker(engine="echo-2", port=old.port)
        assert await client.identity() == before  # asked a moment ago
        with pytest.raises(ModelMismatch) as caught:
            await answer(client, ref, "hi")
        assert "model" in caught.value.details["fields"]
        after = await client.identity()
        assert after.fingerprint == EchoEngine(revision=2).fingerprint
        assert caught.value.details["model_fingerprint"] == after.fingerprint


async def test_an_identity_is_asked_again_after_its_time_and_outlives_the_worker(start_worker):
    old = start_worker()
    async with connected(old.url, identity_max_age_s=0.0) as client:
        before = await client.identity()
        old.stop()
        assert await client.identity() == before
        start_worker(engine="echo-2", port=old.port)
        assert (await client.identity()).fingerprint == EchoEngine(revision=2).fingerprint


async def test_refusals_are_problem_documents(worker):
    async with httpx2.AsyncClient(base_url=worker.url) as http:
        state = {"fingerprint": "x", "sha256": "0" * 64, "blob_key": None}
        other_model = await http.post("/generate", json={"state": state, "text": "hi"})
        assert other_model.status_code == 409
        assert other_model.headers["content-type"] == "application/problem+json"
        assert other_model.json()["code"] == "model_mismatch"
        assert other_model.json()["fields"] == ["fingerprint"]
        mine = state | {"fingerprint": EchoEngine().fingerprint, "blob_key": "states/none"}
        unreadable = await http.post("/advance", json={"parent": mine, "text": "", "output": "", "blob_key": "k"})
        assert (unreadable.status_code, unreadable.json()["code"]) == (503, "state_unreadable")
        assert unreadable.headers["retry-after"] == "1"
        wrong = [{}, {"state": state, "text": "x", "extra": 1}, {"state": state, "text": "x", "max_tokens": 0}]
        options: list[dict[str, object]] = [{"top_p": 0}, {"top_k": -1}, {"stop": [""]}]
        wrong += [{"state": mine, "text": "x", **option} for option in options]
        for body in [*wrong, {"state": mine | {"blob_key": "../../etc/passwd"}, "text": "x"}]:
            invalid = await http.post("/generate", json=body)
            assert (invalid.status_code, invalid.json()["code"]) == (422, "invalid"), body
        assert all(answered.headers[FINGERPRINT_HEADER] for answered in (other_model, unreadable, invalid))
        start = await http.get("/start-state")
        assert start.content == EchoEngine().dump_state(EchoEngine().start_state())


async def test_a_body_without_a_length_or_too_large_is_refused_unread(worker):
    for header in ("transfer-encoding: chunked", "content-length: 1000000000000", "content-length: many"):
        reader, writer = await asyncio.open_connection("127.0.0.1", worker.port)
        writer.write(f"POST /embed HTTP/1.1\r\nhost: x\r\n{header}\r\n\r\n".encode())
        status = await asyncio.wait_for(reader.readline(), 5.0)
        assert status.split()[1] in (b"413", b"400"), (header, status)
        writer.close()
        await writer.wait_closed()


async def test_cached_states_are_counted_and_bounded(start_worker):
    worker = start_worker("--cache-bytes", "1500")
    async with connected(worker.url) as client:
        one, two, three = [await told(client, f"turn of {n}") for n in range(3)]  # two fit
        for ref in (three, three, one, one, two):
            await answer(client, ref, "hi")
        cache = (await client.health())["cache"]
        assert cache["entries"] == 2
        assert 0 < cache["bytes"] <= cache["max_bytes"] == 1500
        assert (cache["hits"], cache["misses"]) == (3, 2)


async def test_the_real_encoder_knows_that_different_words_mean_the_same(client):
    texts = ["a small dog is asleep", "the puppy sleeps", "the invoice is overdue"]
    made = await client.embed(texts)
    dog, puppy, invoice = made.vectors
    assert dog @ puppy > 0.5 > dog @ invoice + 0.2
    assert made.model.startswith("all-MiniLM-L6-v2@")
    assert (await client.health())["embedder"]["model"] == made.model


async def test_an_echo_worker_does_not_load_torch(start_worker):
    worker = start_worker()
    async with connected(worker.url) as client:
        await answer(client, await told(client, "one"), "hi")
    maps = Path(f"/proc/{worker.process.pid}/maps")
    assert "torch" not in await asyncio.to_thread(maps.read_text)


@pytest.mark.parametrize(
    ("options", "environment", "said"),
    [
        (["--engine", "nonesuch"], {}, "echo, echo-2, rxt"),
        (["--engine", "echo", "--host", "192.0.2.1"], {}, "cannot listen"),
        (["--engine", "rxt", "--checkpoint", "/nowhere"], {}, "not a checkpoint"),
        (["--engine", "echo"], {"MEMOS_LOG_LEVEL": "loud"}, "log_level"),
    ],
)
def test_a_worker_that_cannot_start_says_why(tmp_path, options, environment, said):
    command = [sys.executable, "-m", "workers.model", "--blob-url", tmp_path.as_uri(), *options]
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
