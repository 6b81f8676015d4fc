"""The real model through the worker: what the echo engine promises of conversations holds of it."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from memos.generation.echo import EchoEngine
from memos.generation.port import ModelMismatch, StateRef, StateUnreadable
from memos.generation.worker_client import ModelWorkerClient
from memos.kit.blobs import sha256_hex
from tests.generation.talk import answer, start_ref, told
from tests.generation.worker_process import WorkerProcess

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def rxt_worker(tmp_path_factory: pytest.TempPathFactory, blob_url: str) -> Iterator[WorkerProcess]:
    running = WorkerProcess(tmp_path_factory.mktemp("rxt"), blob_url, "--threads", "4", engine="rxt")
    yield running
    running.stop()


@pytest.fixture
async def rxt(rxt_worker: WorkerProcess) -> AsyncIterator[ModelWorkerClient]:
    made = ModelWorkerClient(rxt_worker.url)
    yield made
    await made.aclose()


async def test_it_says_what_it_is(rxt):
    identity = await rxt.identity()
    payload = await rxt.start_payload()
    assert (identity.start_sha256, identity.start_bytes) == (sha256_hex(payload), len(payload))
    assert {"model", "weights_sha256", "tokenizer_sha256", "dtype", "state_shape", "numerics"} <= set(identity.details)


async def test_conversations_at_once_never_mix(rxt, blobs):
    """Byte for byte and word for word what the same turns give one by one, with four threads at work."""
    names = ["Biscuit", "Pepper", "Juno", "Otto", "Mika", "Basil", "Cleo", "Figaro"] * 2
    parents = [await told(rxt, f"My dog is called {name}.", *["hello"] * (n % 3)) for n, name in enumerate(names)]

    async def turn(parent: StateRef, n: int, round_name: str) -> tuple[str, bytes]:
        question = f"What is my dog called? {n}"
        text, _ = await answer(rxt, parent, question)
        key = f"states/rxt-{round_name}-{n}"
        made = await rxt.advance(parent, question, text, key)
        return text, blobs.get(key, made.sha256)

    apart = [await turn(parent, n, "apart") for n, parent in enumerate(parents)]
    together = await asyncio.gather(*(turn(parent, n, "together") for n, parent in enumerate(parents)))
    assert together == apart
    assert len({payload for _, payload in apart}) == 16


async def test_a_draw_is_repeatable_by_its_seed(rxt):
    ref = await told(rxt, "I live in Lisbon.")
    one, again = [await answer(rxt, ref, "Where do I live?", temperature=1.0, seed=7) for _ in range(2)]
    assert one == again


async def test_states_it_did_not_make_are_refused(rxt, blobs):
    start = await start_ref(rxt)
    payload = await rxt.start_payload()
    cut = payload[:-1]
    damaged = StateRef(start.fingerprint, blobs.put("states/rxt-cut", cut), "states/rxt-cut")
    with pytest.raises(StateUnreadable):
        await answer(rxt, damaged, "hi")
    echo = EchoEngine()
    foreign = echo.dump_state(echo.start_state())
    with pytest.raises(ModelMismatch):
        await answer(rxt, StateRef(echo.fingerprint, blobs.put("states/rxt-echo", foreign), "states/rxt-echo"), "hi")


async def test_a_client_that_leaves_frees_the_model(rxt):
    waiting = [asyncio.create_task(answer(rxt, await start_ref(rxt), "Tell me about it. " * 200)) for _ in range(4)]
    await asyncio.sleep(0.02)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert (await answer(rxt, await start_ref(rxt), "Hello"))[1].reason == "stop"
