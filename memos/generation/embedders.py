"""Which embedder computes: encoders of this process by their specs, an endpoint, or whatever serves all else.

An encoder is loaded by its first use and kept; so a process that is asked for the old model while the new one is in
force holds both, and lets the one unused the longest go when it holds more than `MOST_LOADED`.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from memos.generation.batcher import Batcher
from memos.generation.encoder import MAX_SPEC_CHARS, CannotLoad, Encoder, HashEncoder, parsed
from memos.generation.pool import Pool
from memos.generation.port import Embedded, EmbedderUnavailable
from memos.kit.transactions import assert_no_open_transaction

MOST_LOADED = 3
POOL_WAITING = 4_096
AGAIN_S = 30.0  # how soon a model that could not be loaded is looked for again


class Embedder(Protocol):
    """As `memos.generation.port.Generator` has it."""

    async def embed(self, texts: Sequence[str], model: str | None = None, *, background: bool = False) -> Embedded: ...
    def stats(self) -> dict[str, Any]: ...  # for health; asks nobody and loads nothing
    async def aclose(self) -> None: ...


def checked(wanted: str, embedded: Embedded) -> Embedded:
    """Vectors of another model than the one asked for by id are worse than none."""
    if parsed(wanted).dimensions is not None and embedded.model != wanted:
        raise EmbedderUnavailable(f"{wanted} is wanted, and what is there under its name is now {embedded.model}")
    return embedded


def load_hash(spec: str) -> Encoder:
    """What a process without torch can load."""
    encoder = HashEncoder.of(spec)
    if encoder is None:
        raise CannotLoad(f"this process loads no model, and {spec} is one")
    return encoder


class Worker(Protocol):
    async def embed(self, texts: Sequence[str], model: str | None = None, *, background: bool = False) -> Embedded: ...
    async def aclose(self) -> None: ...


class WorkerEmbedder:
    """A model worker that only embeds, for a generator that answers by itself."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def embed(self, texts: Sequence[str], model: str | None = None, *, background: bool = False) -> Embedded:
        return await self._worker.embed(texts, model, background=background)

    def stats(self) -> dict[str, Any]:
        return {"embedder": "the model worker's"}

    async def aclose(self) -> None:
        await self._worker.aclose()


class LocalEmbedder:
    """Encoders in this process. `default` is the spec of who asks for none; `load` turns a spec into an encoder or
    raises CannotLoad; `prepare` runs once in each of the `threads` that encode."""

    def __init__(
        self,
        default: str,
        load: Callable[[str], Encoder] = load_hash,
        *,
        threads: int = 1,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self._default = default
        self._load = load
        self._pool = Pool("embed", threads, POOL_WAITING, prepare)
        self._loaded: OrderedDict[str, tuple[Encoder, Batcher]] = OrderedDict()
        self._refused: dict[str, tuple[float, str]] = {}
        self._loading = asyncio.Lock()

    async def embed(self, texts: Sequence[str], model: str | None = None, *, background: bool = False) -> Embedded:
        assert_no_open_transaction()
        wanted = model or self._default
        encoder, batcher = await self._of(parsed(wanted).spec)
        checked(wanted, Embedded(encoder.model, encoder.dimensions, np.empty((0, encoder.dimensions), np.float32)))
        vectors = await batcher.embed(texts, background=background)
        return Embedded(encoder.model, encoder.dimensions, vectors)

    def stats(self) -> dict[str, Any]:
        """Loads nothing: `model` is the id of the default once it was used, and its spec before."""
        held = self._loaded.get(self._default)
        return {
            "model": held[0].model if held else self._default,
            "loaded": [encoder.model for encoder, _ in self._loaded.values()],
            "waiting": sum(batcher.waiting for _, batcher in self._loaded.values()),
            "batches": sum(batcher.batches for _, batcher in self._loaded.values()),
            "texts": sum(batcher.texts for _, batcher in self._loaded.values()),
        }

    async def aclose(self) -> None:
        for _, batcher in list(self._loaded.values()):
            await batcher.aclose()
        self._pool.close()

    async def _of(self, spec: str) -> tuple[Encoder, Batcher]:
        held = self._loaded.get(spec)
        if held is None:
            async with self._loading:
                held = self._loaded.get(spec) or await self._make(spec)
        self._loaded.move_to_end(spec)
        return held

    async def _make(self, spec: str) -> tuple[Encoder, Batcher]:
        clock = asyncio.get_running_loop().time
        refused_at, reason = self._refused.get(spec, (-AGAIN_S, ""))
        if clock() - refused_at < AGAIN_S:
            raise EmbedderUnavailable(reason)
        if len(spec) > MAX_SPEC_CHARS:
            raise EmbedderUnavailable(f"the name of an embedding model has at most {MAX_SPEC_CHARS} characters")
        try:
            encoder = await self._pool.run(lambda: self._load(spec))
        except CannotLoad as error:
            reason = f"the embedding model {spec} cannot be loaded: {error}"
            self._refused[spec] = (clock(), reason)
            raise EmbedderUnavailable(reason) from error
        made = (encoder, Batcher(encoder.encode, encoder.dimensions, self._pool))
        self._loaded[spec] = made
        idle = [name for name, (_, batcher) in self._loaded.items() if not batcher.busy and name != spec]
        for name in idle[: max(0, len(self._loaded) - MOST_LOADED)]:
            del self._loaded[name]
        return made


class ChosenEmbedder:
    """By the spec: `elsewhere` for what an endpoint serves, `here` for all else."""

    def __init__(self, default: str, here: Embedder, elsewhere: Embedder) -> None:
        self._default = default
        self._here = here
        self._elsewhere = elsewhere

    async def embed(self, texts: Sequence[str], model: str | None = None, *, background: bool = False) -> Embedded:
        wanted = model or self._default
        chosen = self._elsewhere if parsed(wanted).served_elsewhere else self._here
        return await chosen.embed(texts, wanted, background=background)

    def stats(self) -> dict[str, Any]:
        return {"model": self._default}

    async def aclose(self) -> None:
        await self._here.aclose()
        await self._elsewhere.aclose()
