"""Answers by a real server over loopback that speaks OpenAI's protocol: what it is sent, what comes of its faults."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from memos.generation.embedders import LocalEmbedder
from memos.generation.port import Finished, GenerateRequest, ModelUnavailable, StateRef, Token
from memos.generation.transcript import MOST_CHARS, MOST_TURNS, TranscriptEngine
from memos.generation.upstream import UpstreamGenerator, UpstreamRefused
from memos.kit.blobs import Blobs
from memos.kit.config import Settings
from tests.api.talk import eventually, post, problem, say
from tests.generation.upstream_server import Upstream, upstream_server
from tests.support.live import Live, serve
from tests.support.postgres import Cluster

pytestmark = pytest.mark.anyio
KEY = "sk-a-key-of-the-vendor"


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    with upstream_server() as running:
        yield running


@pytest.fixture
def upstream(server: Upstream) -> Upstream:
    server.faults.clear()
    server.seen.clear()
    server.headers.clear()
    return server


@pytest.fixture
async def generator(upstream: Upstream, tmp_path: Path) -> AsyncIterator[UpstreamGenerator]:
    settings = Settings(
        data_dir=tmp_path, generator="openai", upstream_url=upstream.url, upstream_model="a-model",
        upstream_api_key=SecretStr(KEY), upstream_timeout_s=0.6, upstream_history_tokens=200,
    )  # fmt: skip
    made = UpstreamGenerator(settings, Blobs(tmp_path.as_uri()), LocalEmbedder("hash-384"))
    yield made
    await made.aclose()


def start(generator: UpstreamGenerator) -> StateRef:
    return StateRef(generator.model.fingerprint, generator.model.start_sha256)


async def told(
    generator: UpstreamGenerator, text: str, state: StateRef | None = None, **more: Any
) -> tuple[str, Finished]:
    said, ended = "", None
    async with aclosing(generator.generate(GenerateRequest(state or start(generator), text, **more))) as pieces:
        async for piece in pieces:
            if isinstance(piece, Token):
                said += piece.text
            else:
                ended = piece
    assert ended is not None
    return said, ended


async def remembered(generator: UpstreamGenerator, *turns: tuple[str, str]) -> StateRef:
    state = start(generator)
    for number, (text, output) in enumerate(turns):
        made = await generator.advance(state, text, output, f"state-{number}")
        state = StateRef(state.fingerprint, made.sha256, f"state-{number}")
    return state


async def test_memory_goes_in_and_the_answer_comes_out(generator: UpstreamGenerator, upstream: Upstream) -> None:
    state = await remembered(generator, ("I am Ada.", "Hello Ada."), ("I have a dog.", "How nice."))
    said, ended = await told(
        generator, "what do you know?", state, recalled=["The dog is Rex."], notes=["2026-01-01 10:00, user"],
        system="Be brief.", temperature=0.3, top_p=0.9, seed=4, stop=("!",), max_tokens=40,
    )  # fmt: skip
    assert said == "you said: what do you know?"
    assert ended == Finished("stop", 7, 3)
    system, *rest = upstream.messages()
    assert system["role"] == "system"
    assert system["content"].startswith("Be brief.")
    assert "Rex" in system["content"]
    assert [message["content"] for message in rest] == [
        "I am Ada.", "Hello Ada.", "I have a dog.", "How nice.", "what do you know?",
    ]  # fmt: skip
    sent = upstream.seen[-1]
    assert (sent["model"], sent["temperature"], sent["top_p"], sent["seed"], sent["stop"], sent["max_tokens"]) == (
        "a-model", 0.3, 0.9, 4, ["!"], 40,
    )  # fmt: skip
    assert upstream.headers[-1]["authorization"] == f"Bearer {KEY}"
    assert KEY not in str(await generator.health())


async def test_old_turns_leave_the_budget_and_the_state(generator: UpstreamGenerator, upstream: Upstream) -> None:
    state = await remembered(generator, *((f"turn {number} " + "word " * 20, "ok") for number in range(MOST_TURNS + 4)))
    await told(generator, "and?", state)
    spoken = [message["content"] for message in upstream.messages() if message["role"] == "user"]
    assert 2 <= len(spoken) <= 6  # 200 tokens of the last turns, and the question
    assert spoken[-2].startswith(f"turn {MOST_TURNS + 3} ")
    engine = TranscriptEngine("a-model")
    whole = engine.start_state()
    for number in range(MOST_TURNS + 4):
        whole = engine.advance(whole, f"{number}" * 2 * MOST_CHARS, "").state
    assert len(whole.turns) == MOST_TURNS
    assert len(engine.dump_state(whole)) < MOST_TURNS * MOST_CHARS * 1.1
    assert engine.load_state(engine.dump_state(whole)) == whole


@pytest.mark.parametrize("faults", [["429"], ["500", "500"], ["hang"], ["429", "500", "hang"]], ids=str)
async def test_what_passes_is_tried_again(generator: UpstreamGenerator, upstream: Upstream, faults: list[str]) -> None:
    upstream.faults = list(faults)
    said, _ = await told(generator, "hello")
    assert said == "you said: hello"
    assert len(upstream.seen) == len(faults) + 1


async def test_retry_after_is_waited_for_and_given_up(generator: UpstreamGenerator, upstream: Upstream) -> None:
    upstream.faults = ["429"] * 9
    began = time.monotonic()
    with pytest.raises(ModelUnavailable, match="slow down") as refused:
        await told(generator, "hello")
    assert time.monotonic() - began >= 0.6  # three pauses, as the server asked
    assert len(upstream.seen) == 4
    assert refused.value.retry_after_s is not None


@pytest.mark.parametrize("fault", ["400", "401"])
async def test_what_will_not_pass_is_told_at_once(generator: UpstreamGenerator, upstream: Upstream, fault: str) -> None:
    upstream.faults = [fault]
    with pytest.raises(UpstreamRefused, match=f"it is {fault}"):
        await told(generator, "hello")
    assert len(upstream.seen) == 1


async def test_a_cut_answer_is_no_answer_and_is_not_begun_twice(
    generator: UpstreamGenerator, upstream: Upstream
) -> None:
    upstream.faults = ["cut"]
    with pytest.raises(ModelUnavailable, match="broke off"):
        await told(generator, "hello")
    assert len(upstream.seen) == 1


async def test_an_answer_that_is_no_stream(generator: UpstreamGenerator, upstream: Upstream) -> None:
    upstream.faults = ["whole"]
    said, ended = await told(generator, "hello")
    assert said == "all at once"
    assert ended.prompt_tokens > 0  # an estimate


async def test_leaving_stops_the_upstream(generator: UpstreamGenerator, upstream: Upstream) -> None:
    upstream.faults = ["slow"]
    before = upstream.stopped
    pieces = generator.generate(GenerateRequest(start(generator), "one two three four five six seven eight"))
    async with aclosing(pieces):
        await anext(pieces)
    await asyncio.to_thread(eventually, lambda: upstream.stopped > before)


async def test_the_state_is_the_turns_and_nothing_else(generator: UpstreamGenerator) -> None:
    one = await remembered(generator, ("a", "b"), ("c", "d"))
    assert one == await remembered(generator, ("a", "b"), ("c", "d"))
    assert one.sha256 != (await remembered(generator, ("a", "b"), ("c", "e"))).sha256


@pytest.fixture(scope="module")
def live_upstream(postgres_cluster: Cluster, server: Upstream) -> Iterator[Live]:
    more = {"upstream_url": server.url, "upstream_model": "a-model", "generator": "openai"}
    with serve(postgres_cluster.database(), **more) as service:
        yield service


def test_a_conversation_with_an_upstream(live_upstream: Live, upstream: Upstream) -> None:
    with live_upstream.client() as client:
        conversation = live_upstream.conversation(client)
        first = say(client, conversation, "My dog is Rex.")
        assert first["output"] == "you said: My dog is Rex."
        upstream.faults = ["cut"]
        problem(client.post(f"/v1/conversations/{conversation}/turns", json={"input": "hm"}), 503, "model_unavailable")
        say(client, conversation, "What is my dog called?")
        assert [message["content"] for message in upstream.messages() if message["role"] != "system"] == [
            "My dog is Rex.", "you said: My dog is Rex.", "What is my dog called?",
        ]  # fmt: skip
        live_upstream.settled(client, conversation)
        post(client, f"/v1/conversations/{conversation}/rollback", {"to_turn": 1})
        say(client, conversation, "And now?")
        assert "What is my dog called?" not in str(upstream.messages())


def test_an_erased_turn_is_sent_no_more(live_upstream: Live, upstream: Upstream) -> None:
    with live_upstream.client() as client:
        conversation = live_upstream.conversation(client, "grace")
        secret = say(client, conversation, "The code is 4711.")
        say(client, conversation, "Thanks.")
        live_upstream.settled(client, conversation)
        erasure = post(client, "/v1/erasures", {"turn_id": secret["id"]}).json()["id"]
        eventually(lambda: client.get(f"/v1/erasures/{erasure}").json()["status"] == "done", 30)
        say(client, conversation, "What is the code?")
        assert "4711" not in str(upstream.messages())
        assert "Thanks." in str(upstream.messages())
