"""Embeddings from an OpenAI-compatible endpoint: a real service on loopback that answers well, late, or wrongly."""

import base64
import socket
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI, Request, Response
from pydantic import SecretStr

from memos.generation.encoder import HashEncoder
from memos.generation.endpoint import ATTEMPTS, BATCH, EndpointEmbedder
from memos.generation.port import EmbedderUnavailable, ModelUnavailable
from memos.generation.registry import build_generator
from memos.kit.config import Settings
from memos.kit.errors import StartupError

pytestmark = pytest.mark.anyio


@dataclass
class Service:
    """`calls` by model; a model's name says how it is answered."""

    url: str = ""
    calls: Counter[str] = field(default_factory=Counter)
    keys: list[str | None] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def spec(self, model: str) -> str:
        return f"openai:{self.url}/v1#{model}"

    def answer(self, model: str, texts: list[str], encoding: str) -> Response | dict[str, Any]:
        self.calls[model] += 1
        self.sizes.append(len(texts))
        size = 48 if model != "grows" or self.calls[model] == 1 else 49
        if model == "denied":
            return Response(status_code=401)
        if model == "down" or (model == "busy" and self.calls[model] < 3):
            return Response(status_code=503, headers={"retry-after": "0.01"})
        if model == "nonsense":
            return {"data": "none"}
        made = HashEncoder(size).encode(texts) * 3.0  # of no particular length
        if model == "zero":
            made[-1] = 0
        rows = [
            {
                "index": n,
                "embedding": base64.b64encode(row.tobytes()).decode() if encoding == "base64" else row.tolist(),
            }
            for n, row in enumerate(made)
        ]
        return {"data": rows[1:] if model == "short" else rows[::-1], "model": model, "object": "list"}


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    made, app = Service(), FastAPI()

    @app.post("/v1/embeddings")
    async def embeddings(request: Request) -> Any:
        body = await request.json()
        made.keys.append(request.headers.get("authorization"))
        encoding = "float" if body["model"] == "lists" else body["encoding_format"]
        return made.answer(body["model"], body["input"], encoding)

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        made.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield made
        server.should_exit = True
        thread.join(20)


@pytest.fixture
async def embedder() -> AsyncIterator[EndpointEmbedder]:
    made = EndpointEmbedder(SecretStr("sk-test"), wait_s=0.01)
    yield made
    await made.aclose()


@pytest.mark.parametrize("model", ["packed", "lists"])
async def test_vectors_are_of_unit_length_in_the_order_asked(
    service: Service, embedder: EndpointEmbedder, model: str
) -> None:
    texts = [f"text {n}" for n in range(BATCH + 5)]
    service.sizes.clear()
    made = await embedder.embed(texts, service.spec(model))
    assert service.sizes == [BATCH, 5]
    np.testing.assert_allclose(made.vectors, HashEncoder(48).encode(texts), atol=1e-6)
    assert made.model.startswith(service.spec(model) + "@")
    assert made.model.endswith(":48")
    again = await embedder.embed(["", "\ud800"], made.model)
    assert (again.model, again.vectors.shape) == (made.model, (2, 48))
    assert service.keys[-1] == "Bearer sk-test"


async def test_its_dimensions_are_known_before_a_text_is(service: Service, embedder: EndpointEmbedder) -> None:
    made = await embedder.embed([], service.spec("packed"))
    assert (made.dimensions, made.vectors.shape) == (48, (0, 48))


async def test_what_passes_is_tried_again(service: Service, embedder: EndpointEmbedder) -> None:
    assert (await embedder.embed(["x"], service.spec("busy"))).vectors.shape == (1, 48)
    assert service.calls["busy"] == 3


async def test_what_does_not_pass_ends_as_unavailable(service: Service, embedder: EndpointEmbedder) -> None:
    with pytest.raises(ModelUnavailable, match="HTTP 503"):
        await embedder.embed(["x"], service.spec("down"))
    assert service.calls["down"] == ATTEMPTS
    with pytest.raises(ModelUnavailable, match="HTTP 503"):  # and is left alone for a while
        await embedder.embed(["x"], service.spec("packed"))
    with pytest.raises(ModelUnavailable, match="does not answer"):
        await embedder.embed(["x"], "openai:http://127.0.0.1:9/v1#nobody")


@pytest.mark.parametrize("model", ["denied", "nonsense", "short", "zero"])
async def test_a_wrong_answer_is_refused_and_not_asked_for_again(
    service: Service, embedder: EndpointEmbedder, model: str
) -> None:
    with pytest.raises(EmbedderUnavailable):
        await embedder.embed(["x", "y"], service.spec(model))
    assert service.calls[model] == 1


async def test_other_dimensions_than_before_are_refused(service: Service, embedder: EndpointEmbedder) -> None:
    made = await embedder.embed(["x"], service.spec("grows"))
    with pytest.raises(EmbedderUnavailable, match="49 dimensions"):
        await embedder.embed(["x"], made.model)
    fresh = EndpointEmbedder(wait_s=0.01)
    with pytest.raises(EmbedderUnavailable, match="is now"):
        await fresh.embed(["x"], made.model)
    await fresh.aclose()


@pytest.mark.parametrize(
    "spec", ["openai:", "openai:ftp://x#m", "openai:http://x/v1", "openai:http://x/v1#" + "m" * 200]
)
async def test_a_spec_that_names_no_endpoint_is_refused(embedder: EndpointEmbedder, spec: str) -> None:
    with pytest.raises(EmbedderUnavailable, match="is not openai:URL#model"):
        await embedder.embed(["x"], spec)


async def test_the_configuration_names_it_and_the_api_process_asks_it(service: Service, blobs: Any) -> None:
    settings = Settings(generator="echo", embedder=service.spec("packed"), embedder_api_key=SecretStr("sk-mine"))
    generator = build_generator(settings, blobs)
    made = await generator.embed(["a dog"])
    assert made.dimensions == 48
    assert (await generator.embed(["a dog"], "hash-32")).dimensions == 32
    assert service.keys[-1] == "Bearer sk-mine"
    await generator.aclose()
    with_worker = build_generator(
        Settings(generator="rxt", model_url="http://127.0.0.1:9", embedder=service.spec("packed")), blobs
    )
    assert (await with_worker.embed(["a dog"])).model == made.model
    await with_worker.aclose()


def test_a_model_that_nobody_here_can_load_is_refused_at_the_start(blobs: Any) -> None:
    with pytest.raises(StartupError, match="model worker"):
        build_generator(Settings(generator="echo", embedder="/some/folder"), blobs)
