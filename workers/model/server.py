"""Running the worker: load the model, listen, serve until a signal, drain."""

import os
import signal
import socket
from dataclasses import dataclass, field
from pathlib import Path

import structlog
import uvicorn

from memos.generation.embedders import LocalEmbedder
from memos.generation.encoder import DEFAULT_SPEC
from memos.generation.in_process import InProcessGenerator
from memos.kit.blobs import Blobs
from memos.kit.errors import StartupError
from memos.kit.tracing import Tracing
from workers.model.app import build_app
from workers.model.embedder import load_encoder, one_torch_thread
from workers.model.engines import EngineOptions, load_engine

LOG = structlog.get_logger(__name__)
BACKLOG = 1024
# Longer than any client keeps an idle connection (see memos.generation.worker_client.KEEP_ALIVE_S).
KEEP_ALIVE_S = 75


@dataclass(frozen=True, slots=True)
class Options:
    engine: str
    device: str
    state_dtype: str
    precision: str
    blob_url: str
    host: str
    port: int
    port_file: Path | None
    checkpoint: Path | None
    distil_dir: Path
    threads: int
    queue: int
    cache_bytes: int
    delta_cache_bytes: int
    cache_age_s: float
    drain_s: int
    tracing: Tracing = field(default_factory=lambda: Tracing(None))


def run(options: Options) -> None:
    """Blocks until SIGTERM or SIGINT, then lets work in flight end within `drain_s` and returns."""
    loaded = load_engine(
        options.engine,
        EngineOptions(options.checkpoint, options.device, options.state_dtype, options.precision, options.distil_dir),
    )
    generator = InProcessGenerator(
        loaded.engine,
        Blobs(options.blob_url),
        LocalEmbedder(DEFAULT_SPEC, load_encoder, prepare=one_torch_thread),
        threads=options.threads,
        waiting=options.queue,
        cache_bytes=options.cache_bytes,
        cache_age_s=options.cache_age_s,
        prepare=loaded.prepare_thread,
        distiller=loaded.distiller,
        delta_cache_bytes=options.delta_cache_bytes,
    )
    app = build_app(generator, forget_every_s=max(1.0, options.cache_age_s / 10), tracing=options.tracing)
    listener = _listen(options.host, options.port)
    port = listener.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            lifespan="on",
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=options.drain_s,
        )
    )
    # Set before uvicorn sets the same: a signal that comes early is not lost, and the one that uvicorn sends itself
    # after it has drained ends nothing, since having been asked to stop is not a failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.handle_exit)
    LOG.info("model_worker.listening", host=options.host, port=port, engine=options.engine)
    if options.port_file is not None:
        _write_whole(options.port_file, str(port))
    server.run(sockets=[listener])
    LOG.info("model_worker.stopped")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise StartupError(
            f"cannot listen on {host}:{port}: {error.strerror}", hint="Choose another --port."
        ) from error
    # Connections wait in the backlog until the loop takes them, so whoever reads the port file is never refused.
    listener.listen(BACKLOG)
    return listener


def _write_whole(path: Path, text: str) -> None:
    """A reader sees the whole text or no file."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text)
    partial.replace(path)
