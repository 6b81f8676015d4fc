"""The port over HTTP, to a model worker or to a balancer in front of several.

Tokens arrive as server-sent events. What can be repeated without harm (identity, advance, embed) is tried a few times
when the connection fails; a generation is tried again only while no connection was made at all. A worker that refuses,
resets, is silent for too long, or is full is `ModelUnavailable`, and the answer's Retry-After is carried along.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import asdict
from typing import Any

import httpx2
import numpy as np
import stamina
import structlog
from pydantic import ValidationError

from memos.generation.embedders import Embedder
from memos.generation.encoder import parsed
from memos.generation.engine import Difference, SlotRead
from memos.generation.port import (
    Advanced,
    DeltaRef,
    Distilled,
    DistilProgress,
    DistilRequest,
    Embedded,
    Finished,
    Forgotten,
    GenerateRequest,
    ModelIdentity,
    ModelUnavailable,
    StateRef,
    TensorsRef,
    Token,
)
from memos.generation.wire import (
    FINGERPRINT_HEADER,
    MAX_FORGET,
    AdvancedAnswer,
    DifferenceAnswer,
    DistilledEvent,
    DoneEvent,
    ErrorEvent,
    FoldedAnswer,
    ForgottenAnswer,
    HealthAnswer,
    ProgressEvent,
    ReadsAnswer,
    TokenEvent,
    error_of,
    vectors_of,
)
from memos.kit import carried, tracing
from memos.kit.transactions import assert_no_open_transaction

LOG = structlog.get_logger(__name__)
CONNECT_TIMEOUT_S = 2.0
CALL_TIMEOUT_S = 30.0
HEALTH_TIMEOUT_S = 3.0
READS_TIMEOUT_S = 10.0  # an explanation is given without it rather than late
IDENTITY_MAX_AGE_S = 5.0
# Shorter than the worker keeps an idle connection, so that a request never meets one that is just being closed.
KEEP_ALIVE_S = 20.0
MAX_CONNECTIONS = 512
MAX_KEPT_CONNECTIONS = 64
END_TIMEOUT_S = 0.5
SILENCE_S = 60.0  # of a training that should tell how far it is
ATTEMPTS = 3
EMBED_BATCH = 128
JSON_HEADERS = {"content-type": "application/json"}


class ModelWorkerClient:
    """One per process; it holds a connection pool. `turn_timeout_s` bounds the waiting for one whole generation,
    `call_timeout_s` any other call with its retries. `embedder` is the spec in force; unset: the worker's own. What an
    endpoint serves goes to `endpoints`."""

    def __init__(
        self,
        url: str,
        *,
        turn_timeout_s: float = 120.0,
        call_timeout_s: float = CALL_TIMEOUT_S,
        identity_max_age_s: float = IDENTITY_MAX_AGE_S,
        embedder: str | None = None,
        endpoints: Embedder | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._embedder = embedder
        self._endpoints = endpoints
        self._turn_timeout_s = turn_timeout_s
        self._call_timeout_s = call_timeout_s
        self._identity_max_age_s = identity_max_age_s
        self._clock = time.monotonic
        self._identity: ModelIdentity | None = None
        self._asked_at = 0.0
        self._asking = False
        # Our deadlines are set per call; of httpx2's own only connecting and waiting for a place in the pool are used.
        self._http = httpx2.AsyncClient(
            base_url=self._url,
            timeout=httpx2.Timeout(None, connect=CONNECT_TIMEOUT_S, pool=CONNECT_TIMEOUT_S),
            limits=httpx2.Limits(
                max_connections=MAX_CONNECTIONS,
                max_keepalive_connections=MAX_KEPT_CONNECTIONS,
                keepalive_expiry=KEEP_ALIVE_S,
            ),
            trust_env=False,  # a proxy meant for the outside must not see memory text
        )
        self._retry = stamina.AsyncRetryingCaller(
            attempts=ATTEMPTS, timeout=None, wait_initial=0.05, wait_max=0.2, wait_jitter=0.05
        )

    async def identity(self) -> ModelIdentity:
        """Kept for `identity_max_age_s`, and until an answer comes from a model of another fingerprint. While the
        worker is away the last known identity serves: it names what is stored, and computing fails by itself."""
        known = self._identity
        if known is not None and (self._asking or self._clock() - self._asked_at < self._identity_max_age_s):
            return known
        self._asking = True
        try:
            body = HealthAnswer.model_validate(await self.health())
        except ModelUnavailable as error:
            if known is None:
                raise
            LOG.info("generation.identity_not_refreshed", reason=error.message)
            return known
        finally:
            self._asking = False
            self._asked_at = self._clock()
        self._identity = ModelIdentity(body.fingerprint, body.start_sha256, body.start_bytes, body.identity)
        return self._identity

    def generate(self, request: GenerateRequest) -> AsyncGenerator[Token | Finished, None]:
        assert_no_open_transaction()
        return self._generate(request)

    async def _generate(self, request: GenerateRequest) -> AsyncGenerator[Token | Finished, None]:
        remaining_s = self._turn_timeout_s
        clock = asyncio.get_running_loop().time
        wanted = asdict(request) | {"recalled": list(request.told)}
        del wanted["system"]
        del wanted["notes"]  # for those who lay memories out as text; the worker's model reads what was said alone
        body = _encoded(wanted)
        async with AsyncExitStack() as stack:
            started = clock()
            with self._translated():
                async with asyncio.timeout(remaining_s):
                    response = await self._open_stream(stack, "/generate", body)
            remaining_s -= clock() - started
            events = aiter(httpx2.EventSource(response))
            while True:
                # The time that the consumer holds a token for is its own.
                started = clock()
                with self._translated():
                    async with asyncio.timeout(max(remaining_s, 0.0)):
                        event = await anext(events, None)
                    item = None if event is None else _item(event)
                remaining_s -= clock() - started
                if item is None:
                    raise ModelUnavailable("the model worker ended an answer before it was done")
                if isinstance(item, Finished):
                    await _read_to_end(events)
                yield item
                if isinstance(item, Finished):
                    return

    async def advance(self, parent: StateRef, text: str, output: str, blob_key: str) -> Advanced:
        body = {"parent": asdict(parent), "text": text, "output": output, "blob_key": blob_key}
        return await self._advanced("/advance", body)

    async def _advanced(self, path: str, body: dict[str, Any]) -> Advanced:
        assert_no_open_transaction()
        response = await self._call("POST", path, body)
        with self._translated():
            answer = AdvancedAnswer.model_validate_json(response.content)
        return Advanced(answer.sha256, answer.size_bytes, answer.health, tuple(answer.written))

    async def reads(
        self,
        state: StateRef,
        text: str,
        output: str,
        recalled: Sequence[str] = (),
        deltas: Sequence[DeltaRef] = (),
    ) -> tuple[SlotRead, ...]:
        assert_no_open_transaction()
        body: dict[str, Any] = {"state": asdict(state), "text": text, "output": output, "recalled": list(recalled)}
        body["deltas"] = [asdict(delta) for delta in deltas]
        response = await self._call("POST", "/reads", body, timeout_s=READS_TIMEOUT_S)
        with self._translated():
            return tuple(ReadsAnswer.model_validate_json(response.content).slots)

    async def diff(self, before: StateRef, after: StateRef) -> Difference:
        return await self._difference("/diff", {"before": asdict(before), "after": asdict(after)})

    async def diff_tensors(self, before: TensorsRef, after: TensorsRef) -> Difference:
        return await self._difference("/diff-tensors", {"before": asdict(before), "after": asdict(after)})

    async def merge(self, base: StateRef, ours: StateRef, theirs: StateRef, blob_key: str) -> Advanced:
        body = {"base": asdict(base), "ours": asdict(ours), "theirs": asdict(theirs), "blob_key": blob_key}
        return await self._advanced("/merge", body)

    def distil(self, request: DistilRequest) -> AsyncGenerator[DistilProgress | Distilled, None]:
        assert_no_open_transaction()
        return self._distil(request)

    async def _distil(self, request: DistilRequest) -> AsyncGenerator[DistilProgress | Distilled, None]:
        """One connection for the whole training, so that all of it is at one worker; a silent one is given up."""
        body = _encoded(asdict(request))
        async with AsyncExitStack() as stack:
            with self._translated():
                async with asyncio.timeout(SILENCE_S):
                    response = await self._open_stream(stack, "/distil", body)
            events = aiter(httpx2.EventSource(response))
            while True:
                with self._translated():
                    async with asyncio.timeout(SILENCE_S):
                        event = await anext(events, None)
                    if event is None:
                        raise ModelUnavailable("the model worker ended a training before it was done")
                    item = _trained(event)
                yield item
                if isinstance(item, Distilled):
                    return

    async def start_payload(self) -> bytes:
        return (await self._call("GET", "/start-state")).content

    async def embed(self, texts: Sequence[str], model: str | None = None, *, background: bool = False) -> Embedded:
        """In batches, each a call of its own: none takes long, on either side."""
        assert_no_open_transaction()
        wanted = model or self._embedder
        if self._endpoints is not None and wanted is not None and parsed(wanted).served_elsewhere:
            return await self._endpoints.embed(texts, wanted, background=background)
        first = await self._embedded(texts[:EMBED_BATCH], wanted, background)
        if len(texts) <= EMBED_BATCH:
            return first
        vectors = np.empty((len(texts), first.dimensions), dtype=np.float32)
        vectors[:EMBED_BATCH] = first.vectors
        for at in range(EMBED_BATCH, len(texts), EMBED_BATCH):
            # By its id from here on: another worker behind the same address may hold another model.
            more = await self._embedded(texts[at : at + EMBED_BATCH], first.model, background)
            vectors[at : at + EMBED_BATCH] = more.vectors
        return Embedded(first.model, first.dimensions, vectors)

    async def _embedded(self, texts: Sequence[str], model: str | None, background: bool) -> Embedded:
        response = await self._call("POST", "/embed", {"texts": list(texts), "model": model, "background": background})
        with self._translated():
            return vectors_of(response.content, response.headers, len(texts))

    async def can_fold(self) -> bool:
        return bool((await self.health())["folds"])

    async def fold(self, episodes: Sequence[str]) -> list[str]:
        assert_no_open_transaction()
        response = await self._call("POST", "/fold", {"episodes": list(episodes)})
        with self._translated():
            return FoldedAnswer.model_validate_json(response.content).facts

    async def forget(self, hashes: Sequence[str] | None) -> Forgotten:
        """Of the worker that answers: any other behind the same address forgets by the age of what it holds."""
        places = range(0, max(1, len(hashes or ())), MAX_FORGET)
        states, max_age_s = 0, 0.0
        for at in places:
            body = {"hashes": None if hashes is None else list(hashes[at : at + MAX_FORGET])}
            response = await self._call("POST", "/forget", body)
            with self._translated():
                answer = ForgottenAnswer.model_validate_json(response.content)
            states, max_age_s = states + answer.states, answer.max_age_s
        return Forgotten(states, max_age_s)

    async def health(self) -> dict[str, Any]:
        response = await self._call("GET", "/health", timeout_s=HEALTH_TIMEOUT_S)
        with self._translated():
            return HealthAnswer.model_validate_json(response.content).model_dump()

    async def aclose(self) -> None:
        await self._http.aclose()
        if self._endpoints is not None:
            await self._endpoints.aclose()

    async def _difference(self, path: str, body: dict[str, Any]) -> Difference:
        assert_no_open_transaction()
        response = await self._call("POST", path, body, timeout_s=READS_TIMEOUT_S)
        with self._translated():
            answer = DifferenceAnswer.model_validate_json(response.content)
        return Difference(tuple(answer.tensors), tuple(answer.slots))

    async def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, timeout_s: float | None = None
    ) -> httpx2.Response:
        """One repeatable call; the whole of it, retries included, within the timeout."""
        content = None if body is None else _encoded(body)
        with self._translated(), tracing.span(f"model {path}", "client"):
            async with asyncio.timeout(min(timeout_s or self._call_timeout_s, self._call_timeout_s)):
                response = await self._retry(
                    httpx2.TransportError, self._http.request, method, path, content=content, headers=_headers()
                )
        self._check(response)
        return response

    async def _open_stream(self, stack: AsyncExitStack, path: str, content: bytes) -> httpx2.Response:
        # The answer is read by other hands, so its span is not the active one: it ends with the stack.
        span = tracing.begin(f"model {path}", "client")
        if span is not None:
            stack.push(lambda _, error, __: span.end(error))
        request = self._http.build_request("POST", path, content=content, headers=_headers(span))
        response = await self._retry(httpx2.ConnectError, self._http.send, request, stream=True)
        stack.push_async_callback(response.aclose)
        if not response.is_success:
            await response.aread()
        self._check(response)
        return response

    def _check(self, response: httpx2.Response) -> None:
        """Raises the error that an answer stands for; forgets the identity when another model answered."""
        if self._identity is not None and response.headers.get(FINGERPRINT_HEADER) != self._identity.fingerprint:
            self._identity = None
        if response.is_success:
            return
        try:
            problem = ErrorEvent.model_validate_json(response.content)
        except ValidationError:  # not the worker: a balancer, or another service
            raise ModelUnavailable(
                f"{self._url} answered HTTP {response.status_code}", retry_after_s=_retry_after_s(response)
            ) from None
        raise error_of(problem)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except httpx2.TransportError as error:
            reason = str(error) or type(error).__name__
            raise ModelUnavailable(f"the model worker at {self._url} cannot be reached: {reason}") from error
        except TimeoutError as error:
            raise ModelUnavailable(f"the model worker at {self._url} did not answer in time") from error
        except ValueError as error:  # a ValidationError too
            raise ModelUnavailable(f"the model worker at {self._url} answered with what is not an answer") from error


def _headers(span: tracing.Span | None = None) -> dict[str, str]:
    return JSON_HEADERS | carried.outgoing(span)


def _encoded(body: dict[str, Any]) -> bytes:
    # ASCII, so that a lone surrogate is the worker's 422 and not our UnicodeEncodeError.
    return json.dumps(body, separators=(",", ":")).encode()


async def _read_to_end(events: AsyncIterator[httpx2.ServerSentEvent]) -> None:
    """Nothing follows the last event, but only a connection that is read to its end is used again."""
    # The answer is whole: if its connection breaks now, that is for whoever connects next.
    with suppress(httpx2.TransportError, TimeoutError):
        async with asyncio.timeout(END_TIMEOUT_S):
            async for _ in events:
                return


def _item(event: httpx2.ServerSentEvent) -> Token | Finished:
    if event.event == "token":
        return Token(TokenEvent.model_validate_json(event.data).text)
    if event.event == "done":
        done = DoneEvent.model_validate_json(event.data)
        return Finished(done.reason, done.prompt_tokens, done.completion_tokens)
    if event.event == "error":
        raise error_of(ErrorEvent.model_validate_json(event.data))
    raise ModelUnavailable(f"the model worker sent an event of an unknown kind: {event.event!r}")


def _trained(event: httpx2.ServerSentEvent) -> DistilProgress | Distilled:
    if event.event == "progress":
        progress = ProgressEvent.model_validate_json(event.data)
        return DistilProgress(progress.step, progress.steps)
    if event.event == "done":
        done = DistilledEvent.model_validate_json(event.data)
        return Distilled(done.sha256, done.size_bytes, done.figures)
    if event.event == "error":
        raise error_of(ErrorEvent.model_validate_json(event.data))
    raise ModelUnavailable(f"the model worker sent an event of an unknown kind: {event.event!r}")


def _retry_after_s(response: httpx2.Response) -> float | None:
    try:
        return float(response.headers.get("retry-after", ""))
    except ValueError:  # absent, or a date: the error's own default serves
        return None
