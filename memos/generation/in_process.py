"""The port over an engine in this process: of the fake in the API, and of the real model inside a model worker.

The event loop never blocks: computing happens on one bounded pool of threads, blob reads and writes on another, and
encoding on a third, so that a queue of generations delays neither. A state arrives by reference and its decoded form
is cached under its hash; nothing else is kept between calls.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Generic, TypeVar

import obstore.exceptions
import structlog

from memos.generation.encoder import Encoder
from memos.generation.engine import Difference, Engine, Folds, SlotRead, StateRejected, Step
from memos.generation.pool import Pool
from memos.generation.port import (
    Advanced,
    CannotFold,
    Finished,
    Forgotten,
    GenerateRequest,
    ModelIdentity,
    ModelMismatch,
    ModelUnavailable,
    StateRef,
    StateUnreadable,
    TensorsRef,
    Token,
)
from memos.generation.state_cache import StateCache
from memos.generation.tensors import NotTensors, tensor_changes
from memos.kit.blobs import BlobCorrupt, BlobMissing, Blobs, sha256_hex
from memos.kit.errors import Unavailable
from memos.kit.in_flight import InFlight
from memos.kit.transactions import assert_no_open_transaction

LOG = structlog.get_logger(__name__)
S = TypeVar("S")
IO_THREADS = 8
IO_WAITING = 1024
EMBED_WAITING = 64
DEFAULT_CACHE_BYTES = 64 * 1024 * 1024
DEFAULT_CACHE_AGE_S = 600.0
FORGET_TIMEOUT_S = 20.0  # within what a caller waits for any call


class InProcessGenerator(Generic[S]):
    """`threads` computations at once and `waiting` behind them; `prepare` runs once in every computing thread."""

    def __init__(
        self,
        engine: Engine[S],
        blobs: Blobs,
        encoder: Encoder,
        *,
        threads: int = 32,
        waiting: int = 1024,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
        cache_age_s: float = DEFAULT_CACHE_AGE_S,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._blobs = blobs
        self._encoder = encoder
        self._compute = Pool("compute", threads, waiting, prepare)
        self._io = Pool("blobs", IO_THREADS, IO_WAITING, prepare)
        self._embed = Pool("embed", 1, EMBED_WAITING, prepare)
        self._cache: StateCache[S] = StateCache(cache_bytes, cache_age_s)
        self._in_flight = InFlight()
        self._start = engine.start_state()
        self._start_payload = engine.dump_state(self._start)
        self._identity = ModelIdentity(
            engine.fingerprint, sha256_hex(self._start_payload), len(self._start_payload), engine.identity
        )

    @property
    def model(self) -> ModelIdentity:
        """What `identity` answers, for callers that hold this object itself."""
        return self._identity

    @property
    def encoder(self) -> Encoder:
        return self._encoder

    async def identity(self) -> ModelIdentity:
        return self._identity

    def generate(self, request: GenerateRequest) -> AsyncGenerator[Token | Finished, None]:
        assert_no_open_transaction()
        return self._generate(request)

    async def _generate(self, request: GenerateRequest) -> AsyncGenerator[Token | Finished, None]:
        with self._in_flight.one():
            async for item in self._answer(request):
                yield item

    async def _answer(self, request: GenerateRequest) -> AsyncGenerator[Token | Finished, None]:
        state = await self._resolve(request.state)
        stream = self._compute.stream(
            lambda cancelled: self._engine.generate(
                state,
                request.text,
                recalled=request.recalled,
                max_tokens=request.max_tokens,
                temperature=request.temperature,
                top_k=request.top_k,
                top_p=request.top_p,
                seed=request.seed,
                stop=request.stop,
                cancelled=cancelled,
            )
        )
        try:
            async for item in stream:
                yield item
        finally:
            await stream.aclose()

    async def advance(self, parent: StateRef, text: str, output: str, blob_key: str) -> Advanced:
        """The same parent, text and output give the same bytes, so doing it twice under one key is harmless."""
        assert_no_open_transaction()
        with self._in_flight.one():
            return await self._advance(parent, text, output, blob_key)

    async def _advance(self, parent: StateRef, text: str, output: str, blob_key: str) -> Advanced:
        before = await self._resolve(parent)
        return await self._made(lambda: self._engine.advance(before, text, output), blob_key)

    async def _made(self, make: Callable[[], Step[S]], blob_key: str) -> Advanced:
        """A step, once its state is durable."""

        def compute() -> tuple[Step[S], bytes]:
            step = make()
            return step, self._engine.dump_state(step.state)

        step, payload = await self._compute.run(compute)
        sha256 = await self._io.run(lambda: self._write(blob_key, payload))
        self._cache.put(sha256, step.state, len(payload))
        return Advanced(sha256, len(payload), step.health, tuple(step.written))

    async def reads(
        self, state: StateRef, text: str, output: str, recalled: Sequence[str] = ()
    ) -> tuple[SlotRead, ...]:
        assert_no_open_transaction()
        with self._in_flight.one():
            before = await self._resolve(state)
            return tuple(await self._compute.run(lambda: self._engine.reads(before, text, output, recalled)))

    async def diff(self, before: StateRef, after: StateRef) -> Difference:
        assert_no_open_transaction()
        one, other = await self._resolve(before), await self._resolve(after)
        return await self._compute.run(lambda: self._engine.diff(one, other))

    async def diff_tensors(self, before: TensorsRef, after: TensorsRef) -> Difference:
        assert_no_open_transaction()
        one = await self._io.run(lambda: self._bytes(before.blob_key, before.sha256))
        other = await self._io.run(lambda: self._bytes(after.blob_key, after.sha256))
        try:
            return await self._compute.run(lambda: Difference(tensor_changes(one, other)))
        except NotTensors as error:
            raise StateUnreadable(str(error)) from error

    async def merge(self, base: StateRef, ours: StateRef, theirs: StateRef, blob_key: str) -> Advanced:
        """The same states give the same bytes, so doing it twice under one key is harmless."""
        assert_no_open_transaction()
        states = [await self._resolve(ref) for ref in (base, ours, theirs)]
        return await self._made(lambda: self._engine.merge(*states), blob_key)

    async def start_payload(self) -> bytes:
        return self._start_payload

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        assert_no_open_transaction()
        return await self._embed.run(lambda: self._encoder.encode(texts))

    async def can_fold(self) -> bool:
        return isinstance(self._engine, Folds)

    async def fold(self, episodes: Sequence[str]) -> list[str]:
        assert_no_open_transaction()
        engine = self._engine
        if not isinstance(engine, Folds):
            raise CannotFold
        return await self._compute.run(lambda: engine.fold(episodes))

    async def forget(self, hashes: Sequence[str] | None) -> Forgotten:
        """Dropped at once, and once more when all that was being computed has ended. Raises ModelUnavailable if that
        takes too long."""
        states = self._cache.forget(hashes)
        if not await self._in_flight.drained(FORGET_TIMEOUT_S):
            raise ModelUnavailable("what was being computed with a forgotten state has not ended yet")
        return Forgotten(states + self._cache.forget(hashes), self._cache.max_age_s)

    async def health(self) -> dict[str, Any]:
        return {
            "status": "ok",
            "identity": self._identity.details,
            "fingerprint": self._identity.fingerprint,
            "start_sha256": self._identity.start_sha256,
            "start_bytes": self._identity.start_bytes,
            "active": self._compute.active,
            "waiting": self._compute.waiting,
            "limit": self._compute.limit,
            "cache": self._cache.stats(),
            "folds": isinstance(self._engine, Folds),
            "embedder": {"model": self._encoder.model, "dimensions": self._encoder.dimensions},
        }

    def forget_old_states(self) -> None:
        """Drops cached states past their age. A process that may idle calls it on a timer."""
        self._cache.expire()

    async def aclose(self) -> None:
        for pool in (self._compute, self._io, self._embed):
            pool.close()

    async def _resolve(self, ref: StateRef) -> S:
        self._cache.expire()
        key = ref.blob_key
        if ref.fingerprint != self._identity.fingerprint:
            raise await self._io.run(lambda: self._foreign(ref))
        if key is None:
            if ref.sha256 != self._identity.start_sha256:
                raise self._mismatch(["start_sha256"])
            return self._start
        cached = self._cache.get(ref.sha256)
        if cached is not None:
            return cached
        state, size_bytes = await self._io.run(lambda: self._read(key, ref.sha256))
        self._cache.put(ref.sha256, state, size_bytes)
        return state

    def _foreign(self, ref: StateRef) -> ModelMismatch:
        """The refusal of a state that says it is another model's; what differs is named if its payload can be read."""
        if ref.blob_key is not None:
            try:
                self._read(ref.blob_key, ref.sha256)
            except ModelMismatch as error:
                return error
            except (StateUnreadable, ModelUnavailable) as error:
                LOG.debug("generation.foreign_state_unreadable", blob_key=ref.blob_key, reason=error.message)
        return self._mismatch(["fingerprint"])

    def _read(self, key: str, sha256: str) -> tuple[S, int]:
        payload = self._bytes(key, sha256)
        try:
            return self._engine.load_state(payload), len(payload)
        except StateRejected as error:
            if error.fields:
                raise self._mismatch(error.fields) from error
            raise StateUnreadable(f"object {key} is not a state: {error}", blob_key=key) from error

    def _bytes(self, key: str, sha256: str) -> bytes:
        try:
            return self._blobs.get(key, sha256)
        except (BlobMissing, BlobCorrupt) as error:
            raise StateUnreadable(error.message, blob_key=key) from error
        except (OSError, Unavailable, obstore.exceptions.BaseError) as error:
            raise ModelUnavailable(f"the model cannot read the blob store: {_first_line(error)}") from error

    def _write(self, key: str, payload: bytes) -> str:
        try:
            return self._blobs.put(key, payload)
        except (OSError, Unavailable, obstore.exceptions.BaseError) as error:
            raise ModelUnavailable(f"the model cannot write to the blob store: {_first_line(error)}") from error

    def _mismatch(self, fields: Sequence[str]) -> ModelMismatch:
        return ModelMismatch(
            f"the state was made by another model; what differs: {', '.join(fields)}",
            fields=list(fields),
            model_fingerprint=self._identity.fingerprint,
        )


def _first_line(error: Exception) -> str:
    """The blob library's messages go on for pages."""
    return str(error).partition("\n")[0]
