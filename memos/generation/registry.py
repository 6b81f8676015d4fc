"""Which generator a configuration names."""

from collections.abc import Callable, Mapping

from memos.generation.echo import EchoEngine
from memos.generation.encoder import HashEncoder
from memos.generation.in_process import InProcessGenerator
from memos.generation.port import Generator
from memos.generation.worker_client import ModelWorkerClient
from memos.kit.blobs import Blobs
from memos.kit.config import Settings
from memos.kit.errors import StartupError

# Served by this process unless a worker's address is set. `echo-2` is what an upgrade of `echo` looks like.
IN_PROCESS: Mapping[str, Callable[[], EchoEngine]] = {"echo": EchoEngine, "echo-2": lambda: EchoEngine(revision=2)}
# Served by a model worker only: this process never loads a model.
BY_WORKER = frozenset({"rxt"})


def generator_names() -> list[str]:
    return sorted({*IN_PROCESS, *BY_WORKER})


def build_generator(settings: Settings, blobs: Blobs) -> Generator:
    """The generator that `settings` names. Does not connect: a worker may come up later than we do."""
    name = settings.generator
    if name not in generator_names():
        raise StartupError(
            f"there is no generator named {name!r}",
            hint=f"Set MEMOS_GENERATOR to one of: {', '.join(generator_names())}.",
        )
    if settings.model_url is not None:
        return ModelWorkerClient(settings.model_url, turn_timeout_s=settings.turn_timeout_s)
    if name in IN_PROCESS:
        engine = IN_PROCESS[name]()
        return InProcessGenerator(
            engine,
            blobs,
            HashEncoder(),
            waiting=max(1024, settings.max_concurrent_turns * 2),
            distiller=engine.distiller(),
        )
    raise StartupError(
        f"generator {name!r} needs a model worker, and no address of one is set",
        hint="Set MEMOS_MODEL_URL to the address of a running `python -m workers.model`.",
    )
