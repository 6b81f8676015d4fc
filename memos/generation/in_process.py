"""The port over an engine in this process: of the fake in the API, and of the real model inside a model worker.

The event loop never blocks: computing happens on one bounded pool of threads, blob reads and writes on another, and
encoding on the embedder's own, so that a queue of generations delays neither. A state arrives by reference and its
decoded form is cached under its hash; nothing else is kept between calls.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from typing import Any, Generic, TypeVar

import obstore.exceptions
import structlog

from memos.generation.distiller import Distiller, Lesson, Trained
from memos.generation.embedders import Embedder
from memos.generation.engine import Difference, Engine, Folds, SlotRead, StateRejected, Step
from memos.generation.pool import Pool
from memos.generation.port import (
    Advanced,
    CannotFold,
    DeltaRef,
    DeltaUnreadable,
    Distilled,
    DistilProgress,
    DistilRequest,
    Embedded,
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
from memos.generation.readings import operations, show
from memos.generation.state_cache import StateCache
from memos.generation.tensors import NotTensors, tensor_changes
from memos.kit.blobs import BlobCorrupt, BlobMissing, Blobs, sha256_hex
from memos.kit.errors import Unavailable
from memos.kit.in_flight import InFlight
from memos.kit.metrics import Exposed
from memos.kit.transactions import assert_no_open_transaction

LOG = structlog.get_logger(__name__)
S = TypeVar("S")
IO_THREADS = 8
IO_WAITING = 1024
DEFAULT_CACHE_BYTES = 64 * 1024 * 1024
DEFAULT_CACHE_AGE_S = 600.0
DELTA_CACHE_BYTES = 64 * 1024 * 1024
DISTIL_WAITING = 64
QUEUED_TOLD_S = 2.0  # how often a training that waits for another says that it is still there
FORGET_TIMEOUT_S = 20.0  # within what a caller waits for any call


class InProcessGenerator(Generic[S]):
    """`threads` computations at once and `waiting` behind them; `prepare` runs once in every computing thread."""

    def __init__(
        self,
        engine: Engine[S],
        blobs: Blobs,
        embedder: Embedder,
        *,
        threads: int = 32,
        waiting: int = 1024,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
        cache_age_s: float = DEFAULT_CACHE_AGE_S,
        delta_cache_bytes: int = DELTA_CACHE_BYTES,
        distiller: Distiller | None = None,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._blobs = blobs
        self._embedder = embedder
        self._compute = Pool("compute", threads, waiting, prepare)
        self._io = Pool("blobs", IO_THREADS, IO_WAITING, prepare)
        self._cache: StateCache[S] = StateCache(cache_bytes, cache_age_s)
        self._deltas: StateCache[Any] = StateCache(delta_cache_bytes, cache_age_s)
        self._distiller = distiller
        self._distil = Pool("distil", 1, DISTIL_WAITING, prepare)
        self._training = asyncio.Lock()
        self._operations = operations()
        self._in_flight = InFlight(lambda name, took_s: self._operations.labels(name).observe(took_s))
        self._start = engine.start_state()
        self._start_payload = engine.dump_state(self._start)
        self._identity = ModelIdentity(
            engine.fingerprint, sha256_hex(self._start_payload), len(self._start_payload), engine.identity
        )

    @property
    def model(self) -> ModelIdentity:
        """What `identity` answers, for callers that hold this object itself."""
        return self._identity

    async def identity(self) -> ModelIdentity:
        return self._identity

    def generate(self, request: GenerateRequest) -> AsyncGenerator[Token | Finished, None]:
        assert_no_open_transaction()
        return self._generate(request)

    async def _generate(self, request: GenerateRequest) -> AsyncGenerator[Token | Finished, None]:
        with self._in_flight.one("generate"):
            async for item in self._answer(request):
                yield item

    async def _answer(self, request: GenerateRequest) -> AsyncGenerator[Token | Finished, None]:
        state = await self._resolve(request.state)
        deltas = [await self._delta(ref) for ref in request.deltas]
        stream = self._compute.stream(
            lambda cancelled: self._engine.generate(
                state,
                request.text,
                recalled=request.told,
                deltas=deltas,
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
        with self._in_flight.one("advance"):
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
        self,
        state: StateRef,
        text: str,
        output: str,
        recalled: Sequence[str] = (),
        deltas: Sequence[DeltaRef] = (),
    ) -> tuple[SlotRead, ...]:
        assert_no_open_transaction()
        with self._in_flight.one("reads"):
            before = await self._resolve(state)
            mounted = [await self._delta(ref) for ref in deltas]
            return tuple(await self._compute.run(lambda: self._engine.reads(before, text, output, recalled, mounted)))

    def distil(self, request: DistilRequest) -> AsyncGenerator[DistilProgress | Distilled, None]:
        assert_no_open_transaction()
        return self._trained(request)

    async def _trained(self, request: DistilRequest) -> AsyncGenerator[DistilProgress | Distilled, None]:
        """One at a time: a training must not be felt by those who ask."""
        if self._distiller is None:
            raise ModelUnavailable("this process serves a model that it cannot train deltas of")
        while not await _acquired(self._training, QUEUED_TOLD_S):
            yield DistilProgress(0, request.steps)
        try:
            training = self._distiller.train(await self._lesson(request))
            try:
                while not isinstance(item := await self._distil.run(lambda: _next(training)), Trained):
                    yield DistilProgress(item, request.steps)
            except StateRejected as error:
                raise self._mismatch(error.fields) from error
            finally:
                await self._distil.run(training.close)
            payload = item.payload
            sha256 = await self._io.run(lambda: self._write(request.blob_key, payload))
        finally:
            self._training.release()
        yield Distilled(sha256, len(payload), item.figures)

    async def _lesson(self, request: DistilRequest) -> Lesson:
        sources = [source if isinstance(source, str) else await self._payload(source) for source in request.sources]
        return Lesson(request.run_id, sources, request.rank, request.steps, request.seed)

    async def _payload(self, ref: StateRef) -> bytes:
        await self._resolve(ref)  # refuses another model's, and what is no state
        key = ref.blob_key
        return self._start_payload if key is None else await self._io.run(lambda: self._bytes(key, ref.sha256))

    async def diff(self, before: StateRef, after: StateRef) -> Difference:
        assert_no_open_transaction()
        with self._in_flight.one("diff"):
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
        with self._in_flight.one("merge"):
            states = [await self._resolve(ref) for ref in (base, ours, theirs)]
            return await self._made(lambda: self._engine.merge(*states), blob_key)

    async def start_payload(self) -> bytes:
        return self._start_payload

    async def embed(self, texts: Sequence[str], model: str | None = None, *, background: bool = False) -> Embedded:
        assert_no_open_transaction()
        with self._in_flight.one("embed"):
            return await self._embedder.embed(texts, model, background=background)

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
        states = self._cache.forget(hashes) + self._deltas.forget(hashes)
        if self._distiller is not None:
            await self._io.run(self._distiller.forget)
        if left := await self._in_flight.left(FORGET_TIMEOUT_S):
            raise ModelUnavailable(f"what was being computed with a forgotten state has not ended yet: {left}")
        late = self._cache.forget(hashes) + self._deltas.forget(hashes)
        return Forgotten(states + late, self._cache.max_age_s)

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
            "deltas": self._deltas.stats(),
            "folds": isinstance(self._engine, Folds),
            "embedder": self._embedder.stats(),
        }

    def show(self, metrics: Exposed) -> None:
        """Puts what this generator counts among what the process exposes."""
        show(metrics, self._operations, self._compute, {"states": self._cache, "deltas": self._deltas})

    def forget_old_states(self) -> None:
        """Drops cached states past their age. A process that may idle calls it on a timer."""
        self._cache.expire()
        self._deltas.expire()

    async def aclose(self) -> None:
        await self._embedder.aclose()
        for pool in (self._compute, self._io, self._distil):
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

    async def _delta(self, ref: DeltaRef) -> Any:
        self._deltas.expire()
        if ref.fingerprint != self._identity.fingerprint:
            raise self._mismatch(["fingerprint"])
        held = self._deltas.get(ref.sha256)
        if held is None:
            held, size_bytes = await self._io.run(lambda: self._read_delta(ref))
            self._deltas.put(ref.sha256, held, size_bytes)
        return held

    def _read_delta(self, ref: DeltaRef) -> tuple[Any, int]:
        try:
            payload = self._bytes(ref.blob_key, ref.sha256)
            return self._engine.load_delta(payload), 2 * len(payload)  # kept as float16, held as float32
        except StateUnreadable as error:
            raise DeltaUnreadable(error.message, blob_key=ref.blob_key) from error
        except StateRejected as error:
            if error.fields:
                raise self._mismatch(error.fields) from error
            raise DeltaUnreadable(f"object {ref.blob_key} is not a delta: {error}", blob_key=ref.blob_key) from error

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
            f"the memory was made by another model; what differs: {', '.join(fields)}",
            fields=list(fields),
            model_fingerprint=self._identity.fingerprint,
        )


async def _acquired(lock: asyncio.Lock, wait_s: float) -> bool:
    try:
        async with asyncio.timeout(wait_s):
            return await lock.acquire()
    except TimeoutError:
        return False


def _next(training: Generator[int, None, Trained]) -> int | Trained:
    try:
        return next(training)
    except StopIteration as end:
        trained: Trained = end.value
        return trained


def _first_line(error: Exception) -> str:
    """The blob library's messages go on for pages."""
    return str(error).partition("\n")[0]
