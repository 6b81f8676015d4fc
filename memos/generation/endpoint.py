"""Embeddings by an OpenAI-compatible endpoint: `openai:URL#model`, where URL is what `/embeddings` is appended to.

Notable choices
* Vectors are asked for as base64, which is float32 as it lies in memory; a service that answers with lists of numbers
  is understood as well. Every vector is brought to unit length here.
* The number of dimensions is learned from the first answer and is part of the model's id. An answer of another number,
  of too few vectors, or with a vector that is no direction is refused: nothing half-right is ever stored.
* What may pass (a lost connection, 408, 409, 429, 5xx) is tried again a few times with growing pauses, or after the
  pause that the service asks for; what will not pass (a wrong key, an unknown model) is not.
* One that did not answer is not asked again for `AWAY_S`: a search goes on by words at once instead of waiting anew.
* An endpoint cannot be asked for a digest of its weights: its address and the model's name stand for it.
"""

import asyncio
import base64
import binascii
import hashlib
import time
from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx2
import numpy as np
import stamina
from numpy.typing import NDArray
from pydantic import BaseModel, Field, SecretStr, ValidationError

from memos.generation.embedders import checked
from memos.generation.encoder import ENDPOINT, MAX_DIMENSIONS, MAX_SPEC_CHARS, model_id, parsed
from memos.generation.port import Embedded, EmbedderUnavailable, ModelUnavailable
from memos.kit.transactions import assert_no_open_transaction

BATCH = 128
AT_ONCE = 4  # requests to one process's endpoints
ATTEMPTS = 4
TIMEOUT_S = 60.0
MOST_WAIT_S = 5.0
AWAY_S = 5.0
MAX_CHARS = 20_000
_PASSING = frozenset({408, 409, 425, 429})


class _Passing(Exception):
    """Worth another try."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class _Vector(BaseModel):
    index: int = Field(ge=0)
    embedding: str | list[Annotated[float, Field(allow_inf_nan=False)]]


class _Answer(BaseModel):
    data: list[_Vector]


class EndpointEmbedder:
    """Holds a connection pool. `api_key` goes to whichever endpoint the configuration names."""

    def __init__(self, api_key: SecretStr | None = None, *, wait_s: float = 0.2) -> None:
        self._api_key = api_key
        self._http: httpx2.AsyncClient | None = None
        self._places = asyncio.Semaphore(AT_ONCE)
        self._dimensions: dict[str, int] = {}
        self._away: dict[str, tuple[float, str]] = {}
        self._clock = time.monotonic
        self._wait_s = wait_s

    async def embed(self, texts: Sequence[str], model: str | None = None, *, background: bool = False) -> Embedded:
        assert_no_open_transaction()
        if model is None:
            raise ValueError("an endpoint serves no model by default")
        wanted = parsed(model)
        url, name = _place(wanted.spec)
        if not texts and wanted.spec not in self._dimensions:
            await self._batch(wanted.spec, url, name, ["dimensions"])
        parts = [
            await self._batch(wanted.spec, url, name, texts[at : at + BATCH]) for at in range(0, len(texts), BATCH)
        ]
        dimensions = self._dimensions[wanted.spec]
        vectors = parts[0] if len(parts) == 1 else np.concatenate([*parts, np.empty((0, dimensions), np.float32)])
        digest = hashlib.sha256(wanted.spec.encode()).hexdigest()
        return checked(model, Embedded(model_id(wanted.spec, digest, dimensions), dimensions, vectors))

    def stats(self) -> dict[str, Any]:
        return {"endpoints": sorted(self._dimensions)}

    async def aclose(self) -> None:
        if self._http is not None:
            await self._http.aclose()

    async def _batch(self, spec: str, url: str, name: str, texts: Sequence[str]) -> NDArray[np.float32]:
        body = {"model": name, "encoding_format": "base64", "input": [_clean(text) for text in texts]}
        async with self._places:
            answer = await self._answer(url, body)
        vectors = _vectors(answer, len(texts), url)
        known = self._dimensions.setdefault(spec, vectors.shape[1])
        if known != vectors.shape[1]:
            raise EmbedderUnavailable(f"{url} answered with {vectors.shape[1]} dimensions, and had {known} before")
        return vectors

    async def _answer(self, url: str, body: dict[str, Any]) -> _Answer:
        until, reason = self._away.get(url, (0.0, ""))
        if self._clock() < until:
            raise ModelUnavailable(reason)
        try:
            async for attempt in stamina.retry_context(
                on=_pause,
                attempts=ATTEMPTS,
                timeout=TIMEOUT_S,
                wait_initial=self._wait_s,
                wait_max=MOST_WAIT_S,
                wait_jitter=self._wait_s,
            ):
                with attempt:
                    return _read(await self._post(url, body), url)
        except (_Passing, httpx2.TransportError) as error:
            reason = f"the embeddings endpoint {url} does not answer: {str(error) or type(error).__name__}"
            self._away[url] = (self._clock() + AWAY_S, reason)
            raise ModelUnavailable(reason) from error
        raise AssertionError("a retried call ends with an answer or an error")

    async def _post(self, url: str, body: dict[str, Any]) -> httpx2.Response:
        if self._http is None:
            self._http = httpx2.AsyncClient(timeout=httpx2.Timeout(TIMEOUT_S), trust_env=False)
        headers = {"authorization": f"Bearer {self._api_key.get_secret_value()}"} if self._api_key else {}
        response = await self._http.post(f"{url}/embeddings", json=body, headers=headers)
        if response.status_code in _PASSING or response.status_code >= 500:
            raise _Passing(f"HTTP {response.status_code}", _retry_after_s(response))
        return response


def _place(spec: str) -> tuple[str, str]:
    """Address and model of `openai:URL#model`."""
    url, _, name = spec.removeprefix(ENDPOINT).partition("#")
    if (
        urlsplit(url).scheme not in ("http", "https")
        or not urlsplit(url).netloc
        or not name
        or len(spec) > MAX_SPEC_CHARS
    ):
        raise EmbedderUnavailable(
            f"{spec[:MAX_SPEC_CHARS]} is not openai:URL#model, such as openai:http://127.0.0.1:8080/v1#bge-m3"
        )
    return url.rstrip("/"), name


def _clean(text: str) -> str:
    """As JSON can carry it, and never empty: most services refuse an empty text."""
    return text[:MAX_CHARS].encode("utf-8", "replace").decode() or " "


def _read(response: httpx2.Response, url: str) -> _Answer:
    if not response.is_success:
        raise EmbedderUnavailable(f"the embeddings endpoint {url} refuses: HTTP {response.status_code}")
    try:
        return _Answer.model_validate_json(response.content)
    except ValidationError as error:
        raise EmbedderUnavailable(f"{url} answered with what are no embeddings") from error


def _vectors(answer: _Answer, texts: int, url: str) -> NDArray[np.float32]:
    """Unit vectors in the order of the texts."""
    found = {item.index: _numbers(item.embedding) for item in answer.data}
    if sorted(found) != list(range(texts)) or len(answer.data) != texts:
        raise EmbedderUnavailable(f"{url} answered with {len(answer.data)} vectors for {texts} texts")
    sizes = {len(numbers) for numbers in found.values()}
    if len(sizes) != 1 or not 0 < max(sizes) <= MAX_DIMENSIONS:
        raise EmbedderUnavailable(f"{url} answered with vectors of {sorted(sizes)} dimensions")
    vectors = np.stack([found[index] for index in range(texts)])
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(norms).all() or not norms.all():
        raise EmbedderUnavailable(f"{url} answered with a vector that has no direction")
    unit: NDArray[np.float32] = (vectors / norms).astype(np.float32)
    return unit


def _numbers(embedding: str | list[float]) -> NDArray[np.float32]:
    if isinstance(embedding, list):
        return np.array(embedding, dtype=np.float32)
    try:
        raw = base64.b64decode(embedding, validate=True)
        return np.frombuffer(raw, dtype="<f4")
    except (binascii.Error, ValueError):
        return np.empty(0, dtype=np.float32)


def _pause(error: Exception) -> bool | float:
    """Whether to try again, and after how long if the service says so."""
    if isinstance(error, _Passing):
        return True if error.retry_after_s is None else min(error.retry_after_s, MOST_WAIT_S)
    return isinstance(error, httpx2.TransportError)


def _retry_after_s(response: httpx2.Response) -> float | None:
    try:
        return max(0.0, float(response.headers.get("retry-after", "")))
    except ValueError:
        return None
