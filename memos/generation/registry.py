"""Which generator a configuration names."""

from collections.abc import Callable, Mapping

from memos.generation.echo import EchoEngine
from memos.generation.embedders import ChosenEmbedder, LocalEmbedder, WorkerEmbedder
from memos.generation.encoder import HashEncoder, parsed
from memos.generation.endpoint import EndpointEmbedder
from memos.generation.in_process import InProcessGenerator
from memos.generation.port import Generator
from memos.generation.upstream import UpstreamGenerator
from memos.generation.worker_client import ModelWorkerClient
from memos.kit.blobs import Blobs
from memos.kit.config import Settings
from memos.kit.errors import StartupError

# Served by this process unless a worker's address is set. `echo-2` is what an upgrade of `echo` looks like.
IN_PROCESS: Mapping[str, Callable[[], EchoEngine]] = {"echo": EchoEngine, "echo-2": lambda: EchoEngine(revision=2)}
# Served by a model worker only: this process never loads a model.
BY_WORKER = frozenset({"rxt"})
# Answered by a server elsewhere; states are made by this process, and a worker, if there is one, only embeds.
UPSTREAM = "openai"


HASHED = "hash-384"  # where nothing is configured and no model is loaded


def build_embedder(spec: str, endpoints: EndpointEmbedder) -> ChosenEmbedder:
    """For a process without a model worker. Raises StartupError for a model that only a worker can load."""
    if HashEncoder.of(spec) is None and not parsed(spec).served_elsewhere:
        raise StartupError(
            f"the embedding model {spec} needs a model worker, and no address of one is set",
            hint="Set MEMOS_MODEL_URL, or MEMOS_EMBEDDER to hash-384 or openai:URL#model.",
        )
    return ChosenEmbedder(spec, LocalEmbedder(spec), endpoints)


def generator_names() -> list[str]:
    return sorted({*IN_PROCESS, *BY_WORKER, UPSTREAM})


def build_generator(settings: Settings, blobs: Blobs) -> Generator:
    """The generator that `settings` names. Does not connect: a worker may come up later than we do."""
    name = settings.generator
    if name not in generator_names():
        raise StartupError(
            f"there is no generator named {name!r}",
            hint=f"Set MEMOS_GENERATOR to one of: {', '.join(generator_names())}.",
        )
    endpoints = EndpointEmbedder(settings.embedder_api_key)
    worker = None
    if settings.model_url is not None:
        worker = ModelWorkerClient(
            settings.model_url,
            turn_timeout_s=settings.turn_timeout_s,
            embedder=settings.embedder,
            endpoints=endpoints,
        )
    if name == UPSTREAM:
        embedder = WorkerEmbedder(worker) if worker else build_embedder(settings.embedder or HASHED, endpoints)
        return UpstreamGenerator(settings, blobs, embedder)
    if worker is not None:
        return worker
    if name in IN_PROCESS:
        engine = IN_PROCESS[name]()
        return InProcessGenerator(
            engine,
            blobs,
            build_embedder(settings.embedder or HASHED, endpoints),
            waiting=max(1024, settings.max_concurrent_turns * 2),
            distiller=engine.distiller(),
        )
    raise StartupError(
        f"generator {name!r} needs a model worker, and no address of one is set",
        hint="Set MEMOS_MODEL_URL to the address of a running `python -m workers.model`.",
    )
