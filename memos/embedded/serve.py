"""`memos serve`: one process that holds the data directory, runs Postgres and the model worker as children, brings the
schema up to date and serves the API. With a database address set it serves the API and nothing else.

Refuses a data directory that another memos holds. Does not refuse to serve without a model worker: the API then says
so in `/readyz`, and everything that needs no generation works.
"""

import asyncio
import importlib.metadata
import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
import uvloop
from fastapi import FastAPI
from pydantic import SecretStr
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from memos.embedded.datadir import DataDirectory, admin_key_path
from memos.embedded.model_worker import ModelWorker
from memos.embedded.postgres import START_TIMEOUT_S, EmbeddedPostgres
from memos.embedded.progress import Progress
from memos.embedded.supervisor import Child, Supervisor
from memos.kit.config import Settings
from memos.kit.errors import StartupError
from memos.kit.logs import configure_logs

if TYPE_CHECKING:
    from memos.runtime import Runtime

FINISH_TURNS_S = 20  # how long a stopping service lets turns in flight finish
BACKLOG = 2048
LOG_WIDTH = 160
APP_ROLE = "memos_app"
MODEL_ENGINES = frozenset({"rxt"})  # generators that the model worker brings; the others live in the API process


def serve(settings: Settings) -> int:
    """Serves until SIGTERM or SIGINT; then 0. A refusal to start is printed, and 1."""
    # A log file has no width that a path would have to be broken for, and a path is no markup.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else LOG_WIDTH)
    progress = Progress(lambda line: console.print(Text(line), soft_wrap=True))
    configure_logs(settings)
    try:
        if not settings.embedded:
            return _run(_serve_api(settings, console, progress))
        os.umask(0o077)  # whatever this process writes, blobs included, is for its own user
        with DataDirectory(settings.data_dir) as data:
            return _run(_serve_embedded(settings, data, console, progress))
    except StartupError as error:
        console.print(Panel(Text(f"{error.message}\n\n{error.hint}"), title="memos did not start", border_style="red"))
        return 1


async def _serve_api(settings: Settings, console: Console, progress: Progress) -> int:
    """The distributed placement: everything else runs elsewhere."""
    stop = _stop_on_signals()
    with _listen(settings, progress) as listener:
        app = _make_app(settings, None)
        return await _serve_app(app, listener, stop, lambda url: console.print(_panel(settings, url)))


async def _serve_embedded(settings: Settings, data: DataDirectory, console: Console, progress: Progress) -> int:
    stop = _stop_on_signals()
    listener = _listen(settings, progress)
    postgres = EmbeddedPostgres(data.path / "postgres", progress)
    supervisor = Supervisor(data.path, progress)
    try:
        filled = await _start_parts(settings, data, postgres, supervisor, progress)

        app = _make_app(filled, supervisor.status, progress)

        def on_up(url: str) -> None:
            data.announce(url, _version())
            loading = [name for name, report in supervisor.status().items() if report["state"] != "running"]
            own = (
                *(f"Loading    {name}" for name in loading),
                f"Admin key  {admin_key_path(data.path)}",
                f"Data       {data.path}",
            )
            console.print(_panel(filled, url, *own))

        return await _serve_app(app, listener, stop, on_up)
    finally:
        data.withdraw()
        listener.close()
        await supervisor.stop()
        postgres.stop()


async def _start_parts(
    settings: Settings, data: DataDirectory, postgres: EmbeddedPostgres, supervisor: Supervisor, progress: Progress
) -> Settings:
    """Starts everything below the API, in order. Returns the settings with every address filled in."""
    supervisor.start(_postgres_child(postgres))
    await supervisor.up("postgres")
    filled = settings.model_copy(
        update={
            "data_dir": data.path,
            "database_url": postgres.url_for(APP_ROLE, None),
            "database_admin_url": postgres.admin_url,  # for the physical stage of erasures, and for nothing that serves
            "blob_url": settings.effective_blob_url,
            "secret": settings.secret or SecretStr(data.secret()),
        }
    )
    if settings.generator in MODEL_ENGINES and settings.model_url is None:
        # Loads its weights while the schema is brought up to date; nobody here waits for it.
        worker = ModelWorker(data.path, settings, filled.effective_blob_url)
        supervisor.start(worker.child())
        filled = filled.model_copy(update={"model_url": worker.url})
    with progress.step("updating the database schema"):
        await asyncio.to_thread(_migrate, postgres.admin_url)
    await asyncio.to_thread(_ensure_admin_key, filled, admin_key_path(data.path))
    return filled


def _postgres_child(postgres: EmbeddedPostgres) -> Child:
    return Child(
        "postgres",
        postgres.spawn,
        postgres.ready,
        postgres.log,
        ready_timeout_s=START_TIMEOUT_S,
        stop_signals=postgres.stop_signals,
    )


# Imported here: whoever reads a data directory, or serves with a database elsewhere, needs neither of them.


def _migrate(admin_url: str) -> None:
    from migrations.runner import upgrade

    upgrade(admin_url)


def _ensure_admin_key(settings: Settings, path: Path) -> None:
    from memos.keys.bootstrap import ensure_admin_key

    ensure_admin_key(settings, path)


def _make_app(
    settings: Settings, children: Callable[[], dict[str, Any]] | None, progress: Progress | None = None
) -> FastAPI:
    """With `progress`: of a data directory, which may have been restored from a backup."""
    from memos.backup.ledger import catch_up
    from memos.http.app import create_app

    async def before_serving(runtime: "Runtime") -> None:
        await catch_up(runtime.database, settings.data_dir, progress.say if progress else lambda line: None)

    return create_app(settings, children=children, before_serving=before_serving if progress else None)


# -- the API in this process ---------------------------------------------------------------------------------------


class _Server(uvicorn.Server):
    """uvicorn, with signals left to us (they also stop the children) and an event that says it accepts requests."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve_app(app: FastAPI, listener: socket.socket, stop: asyncio.Event, on_up: Callable[[str], None]) -> int:
    """Serves until `stop`, then lets requests in flight finish within a bound."""
    config = uvicorn.Config(
        app, lifespan="on", access_log=False, log_config=None, timeout_graceful_shutdown=FINISH_TURNS_S
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await _first(serving, server.up)
    if not server.up.is_set():
        serving.result()
        raise StartupError("The API did not start", hint="The lines above say why.")
    on_up(_address(listener))
    await _first(serving, stop)
    server.should_exit = True
    await serving
    return 0


async def _first(task: "asyncio.Task[None]", event: asyncio.Event) -> None:
    """Returns when the task has ended or the event is set, whichever is first."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


def _run(main: Coroutine[None, None, int]) -> int:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def _stop_on_signals() -> asyncio.Event:
    """The first signal stops in order. A second Ctrl-C ends the process at once: its children follow it, and what was
    acknowledged is safe by then as ever."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def first_signal() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, first_signal)
    return stop


# -- address and greeting ------------------------------------------------------------------------------------------


def _listen(settings: Settings, progress: Progress) -> socket.socket:
    """Takes the port before anything slow happens, so that a taken one is known at once."""
    if not _is_loopback(settings.host):
        progress.say(
            f"Warning: listening on {settings.host}, so other machines can reach this service, without TLS. "
            "Put a TLS proxy before it, or use --host 127.0.0.1."
        )
    try:
        return _bind(settings.host, settings.port)
    except OSError as error:
        if settings.port != Settings.model_fields["port"].default:
            raise StartupError(
                f"{settings.host}:{settings.port} cannot be listened on: {error.strerror}",
                hint="Pass another --port; 0 takes a free one.",
            ) from error
    listener = _bind(settings.host, 0)
    progress.say(f"Port {settings.port} is taken; using {listener.getsockname()[1]}")
    return listener


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"  # any other name may mean any address


def _address(listener: socket.socket) -> str:
    """As this machine reaches it."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _panel(settings: Settings, url: str, *own: str) -> Panel:
    lines = [f"API        {url}", *own, f"Answers    {settings.generator}"]
    return Panel(Text("\n".join(lines)), title=f"memos {_version()}", border_style="green", expand=False)


def _version() -> str:
    return importlib.metadata.version("memos")
