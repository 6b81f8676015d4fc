"""Answers by any server that speaks OpenAI's protocol (vLLM, Ollama, a vendor): recalled memory goes in, the answer
comes out. The state is a transcript of the last turns, made in this process (`memos.generation.transcript`).

Notable choices:

* A request is tried again only until its first token is there: what was said cannot be taken back, and a second answer
  beside it would be another one. What may pass (a lost connection, silence, 408, 409, 429, 5xx) is tried again after a
  growing pause, or after the one that the server asks for; what will not pass is told at once.
* An answer that ends without its end is no answer: the turn fails, and a retry begins it anew.
* As many of the last turns are sent as fit `MEMOS_UPSTREAM_HISTORY_TOKENS`, newest first; all else is recall's to find.
* Closing the stream early closes the connection, on which servers stop computing.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx2

from memos.generation.embedders import Embedder
from memos.generation.in_process import InProcessGenerator
from memos.generation.port import Finished, FinishReason, GenerateRequest, ModelUnavailable, Token
from memos.generation.prompting import system_message, tokens_of
from memos.generation.transcript import Transcript, TranscriptEngine
from memos.kit.blobs import Blobs
from memos.kit.config import Settings
from memos.kit.errors import MemosError, StartupError

ATTEMPTS = 4
PAUSE_S = 0.5
MOST_PAUSE_S = 20.0
CONNECT_S = 10.0
MOST_SHOWN = 300  # characters of what an upstream says of an error
PASSING = frozenset({408, 409, 425, 429})


class UpstreamRefused(MemosError):
    """The upstream model refused the request."""

    code = "upstream_refused"
    status = 502
    hint = "Mend MEMOS_UPSTREAM_MODEL, MEMOS_UPSTREAM_API_KEY or the request, as the detail says."


class _Passing(Exception):
    """Worth another try."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UpstreamGenerator(InProcessGenerator[Transcript]):
    """The port over a transcript here and a model elsewhere. Raises StartupError if it is not told which."""

    def __init__(self, settings: Settings, blobs: Blobs, embedder: Embedder) -> None:
        if settings.upstream_url is None or settings.upstream_model is None:
            raise StartupError(
                "the generator openai needs an upstream",
                hint="Set MEMOS_UPSTREAM_URL, such as http://127.0.0.1:8000/v1, and MEMOS_UPSTREAM_MODEL.",
            )
        super().__init__(TranscriptEngine(settings.upstream_model), blobs, embedder)
        self._url = settings.upstream_url.rstrip("/")
        self._model = settings.upstream_model
        self._history_tokens = settings.upstream_history_tokens
        key = settings.upstream_api_key
        self._http = httpx2.AsyncClient(
            headers={"authorization": f"Bearer {key.get_secret_value()}"} if key else {},
            timeout=httpx2.Timeout(settings.upstream_timeout_s, connect=CONNECT_S),
            limits=httpx2.Limits(max_connections=settings.max_concurrent_turns),
            trust_env=False,
        )

    async def health(self) -> dict[str, Any]:
        return await super().health() | {"upstream": self._url}

    async def aclose(self) -> None:
        await self._http.aclose()
        await super().aclose()

    async def _answer(self, request: GenerateRequest) -> AsyncGenerator[Token | Finished, None]:
        state = await self._resolve(request.state)
        body = self._body(request, state)
        said = ""
        pause_s = PAUSE_S
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with aclosing(self._stream(body)) as pieces:
                    async for piece in pieces:
                        if isinstance(piece, Token):
                            said += piece.text
                        yield _counted(piece, body, said)
                return
            except _Passing as error:
                if said:
                    raise ModelUnavailable(f"the upstream's answer broke off: {error}") from error
                if attempt == ATTEMPTS:
                    raise ModelUnavailable(
                        f"the upstream does not answer: {error}", retry_after_s=error.retry_after_s or MOST_PAUSE_S
                    ) from error
                await asyncio.sleep(min(error.retry_after_s or pause_s, MOST_PAUSE_S))
                pause_s *= 2

    def _body(self, request: GenerateRequest, state: Transcript) -> dict[str, Any]:
        told = "\n\n".join(part for part in (request.system, system_message(request.recalled, request.notes)) if part)
        messages = [{"role": "system", "content": told}] if told else []
        for said, answered in _fitting(state, self._history_tokens):
            spoken = (("user", said), ("assistant", answered))
            messages += [{"role": role, "content": text} for role, text in spoken if text]
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [*messages, {"role": "user", "content": request.text}],
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if request.top_p < 1:
            body["top_p"] = request.top_p
        if request.top_k:
            body["top_k"] = request.top_k  # not OpenAI's; vLLM and others know it
        if request.seed is not None:
            body["seed"] = request.seed
        if request.stop:
            body["stop"] = list(request.stop)
        return body

    async def _stream(self, body: dict[str, Any]) -> AsyncGenerator[Token | Finished, None]:
        """Tokens, then one Finished. Raises _Passing or UpstreamRefused."""
        reason: str | None = None
        usage: dict[str, Any] = {}
        async with self._opened(body) as response:
            async for event in _events(response):
                if event.get("error"):
                    raise _Passing(_shown(event["error"]))
                usage = event.get("usage") or usage
                for choice in event.get("choices") or ():
                    text = (choice.get("delta") or choice.get("message") or {}).get("content")
                    if text:
                        yield Token(text)
                    reason = choice.get("finish_reason") or reason
        if reason is None:
            raise _Passing("it ended without saying so")
        how: FinishReason = "length" if reason == "length" else "stop"
        yield Finished(how, int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0))

    @asynccontextmanager
    async def _opened(self, body: dict[str, Any]) -> AsyncIterator[httpx2.Response]:
        try:
            async with self._http.stream("POST", f"{self._url}/chat/completions", json=body) as response:
                if not response.is_success:
                    await response.aread()
                    raise _refusal(response)
                yield response
        except httpx2.TransportError as error:
            raise _Passing(str(error) or type(error).__name__) from error


def _fitting(state: Transcript, tokens: int) -> list[tuple[str, str]]:
    """The last turns that fit, oldest first."""
    kept: list[tuple[str, str]] = []
    for said, answered in reversed(state.turns):
        tokens -= tokens_of(said) + tokens_of(answered)
        if tokens < 0:
            break
        kept.append((said, answered))
    return kept[::-1]


def _counted(piece: Token | Finished, body: dict[str, Any], said: str) -> Token | Finished:
    """A server that does not say what an answer cost leaves it to an estimate."""
    if isinstance(piece, Token) or piece.prompt_tokens or piece.completion_tokens:
        return piece
    prompt = sum(tokens_of(message["content"]) for message in body["messages"])
    return Finished(piece.reason, prompt, tokens_of(said) if said else 0)


async def _events(response: httpx2.Response) -> AsyncIterator[dict[str, Any]]:
    """The JSON of each event; of an answer that is no stream, itself. Raises _Passing for what is neither."""
    try:
        if "event-stream" not in response.headers.get("content-type", ""):
            yield json.loads(await response.aread())
            return
        async for line in response.aiter_lines():
            data = line.removeprefix("data:").strip()
            if not line.startswith("data:") or not data:
                continue
            if data == "[DONE]":
                return
            event = json.loads(data)
            if isinstance(event, dict):
                yield event
    except ValueError as error:
        raise _Passing("it sent what is not JSON") from error


def _refusal(response: httpx2.Response) -> Exception:
    said = f"HTTP {response.status_code}: {response.text[:MOST_SHOWN]}"
    if response.status_code in PASSING or response.status_code >= 500:
        given = response.headers.get("retry-after", "")
        return _Passing(said, float(given) if given.replace(".", "", 1).isdecimal() else None)
    return UpstreamRefused(said)


def _shown(error: Any) -> str:
    return str(error.get("message") if isinstance(error, dict) else error)[:MOST_SHOWN]
