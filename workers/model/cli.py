"""The command line of the model worker."""

import os
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import ValidationError

from memos.kit.config import Settings
from memos.kit.errors import MemosError, StartupError
from memos.kit.logs import configure_logs
from memos.kit.tracing import Tracing

DISTIL_DIR = Path(tempfile.gettempdir()) / "memos-distil"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def serve(
    engine: Annotated[str, typer.Option(help="Which model answers: rxt, or echo (a deterministic fake).")],
    blob_url: Annotated[str, typer.Option(help="Where states are kept: file:///folder or s3://bucket/prefix.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 0,
    port_file: Annotated[
        Path | None, typer.Option(help="Written with the port number once requests are taken.")
    ] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="A checkpoint folder; unset: the released one.")] = None,
    distil_dir: Annotated[
        Path, typer.Option(help="Where trainings of deltas keep their saves; it holds text of users while they run.")
    ] = DISTIL_DIR,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="What computes; auto is CUDA where there is one.")
    ] = "auto",
    state_dtype: Annotated[
        Literal["float32", "float16", "int8"],
        typer.Option(help="How states are kept; another type is another fingerprint, and conversations are rebuilt."),
    ] = "float32",
    precision: Annotated[
        Literal["float32", "bfloat16"], typer.Option(help="Of decoding; bfloat16 is for CUDA.")
    ] = "float32",
    threads: Annotated[
        int, typer.Option(min=1, help="Computations at once; answers among them are decoded together on one core.")
    ] = 8,
    queue: Annotated[int, typer.Option(min=0, help="Computations that may wait; beyond them callers get 503.")] = 64,
    cache_bytes: Annotated[int, typer.Option(min=0, help="Bound of the cache of decoded states.")] = 256 * 1024 * 1024,
    delta_cache_bytes: Annotated[int, typer.Option(min=0, help="Bound of the cache of deltas.")] = 64 * 1024 * 1024,
    cache_age_s: Annotated[float, typer.Option(min=1.0, help="Longest time a state stays in the cache.")] = 600.0,
    drain_s: Annotated[int, typer.Option(min=0, help="How long work in flight may go on after SIGTERM.")] = 20,
) -> None:
    """Serves one model until SIGTERM; then finishes what it is doing and exits 0."""
    # Before anything loads a numerics library: each computation uses one thread, which also fixes its results.
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TOKENIZERS_PARALLELISM"):
        os.environ[variable] = "false" if variable == "TOKENIZERS_PARALLELISM" else "1"
    from workers.model.server import Options, run

    try:
        settings = _settings()
        configure_logs(settings)
        run(
            Options(
                engine=engine,
                device=device,
                state_dtype=state_dtype,
                precision=precision,
                blob_url=blob_url,
                host=host,
                port=port,
                port_file=port_file,
                checkpoint=checkpoint,
                distil_dir=distil_dir,
                threads=threads,
                queue=queue,
                cache_bytes=cache_bytes,
                delta_cache_bytes=delta_cache_bytes,
                cache_age_s=cache_age_s,
                drain_s=drain_s,
                tracing=Tracing.configured(settings, "model-worker"),
            )
        )
    except MemosError as error:
        typer.echo(f"{error.message}\n{error.hint}", err=True)
        raise typer.Exit(1) from error


def _settings() -> Settings:
    """Only how to log and where traces go is taken from it: everything else that a worker needs is an option."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise StartupError(f"the configuration is wrong: {wrong}") from error
