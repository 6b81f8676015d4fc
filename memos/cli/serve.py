"""`memos serve`: starts the service in this process. The server's packages are imported here and nowhere else in the
command line.
"""

import importlib.util
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memos.cli.session import Session, reported
from memos.kit.errors import StartupError

if TYPE_CHECKING:
    from memos.kit.config import Settings

ANNOUNCE_POLL_S = 0.1
# One package of each kind: without them nothing can be served.
SERVER_PACKAGES = ("fastapi", "uvicorn", "sqlalchemy", "psycopg", "alembic", "obstore", "uuid_utils")


class ServerNotInstalled(StartupError):
    """The server's packages are not installed."""

    code = "server_not_installed"
    hint = "Install them: pip install 'memos[all]'."


class BadConfiguration(StartupError):
    """The configuration cannot be used."""

    code = "bad_configuration"
    hint = (
        "Correct the named settings in the arguments, in MEMOS_* or in memos.toml; `memos doctor` shows their source."
    )


def serve(
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="Folder that holds everything.")] = None,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on; loopback by default.")] = None,
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = None,
    generator: Annotated[
        str | None, typer.Option("--generator", help="rxt, openai (an upstream), echo, or another by name.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Once it serves, print {url, pid, data_dir} on stdout; all else on stderr.")
    ] = False,
) -> None:
    """Serves until SIGTERM or Ctrl-C: the API, and in the embedded placement Postgres and the model worker too."""
    session = Session(None, None, data_dir, as_json)
    given = {"data_dir": data_dir, "host": host, "port": port, "generator": generator}
    with reported(session):
        status = _serve({name: value for name, value in given.items() if value is not None}, as_json)
    raise typer.Exit(status)


def require_server() -> None:
    """Raises ServerNotInstalled."""
    missing = [name for name in SERVER_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ServerNotInstalled(f"these packages are not installed: {', '.join(missing)}")


def settings_from(**given: Any) -> "Settings":
    """The configuration with these arguments, where they are given. Raises BadConfiguration."""
    from pydantic import ValidationError

    from memos.kit.config import Settings

    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise BadConfiguration(wrong) from error


def _serve(given: dict[str, Any], as_json: bool) -> int:
    require_server()
    from memos.embedded.serve import serve as run_service

    settings = settings_from(**given)
    if settings.generator == "rxt" and settings.model_url is None and importlib.util.find_spec("torch") is None:
        raise ServerNotInstalled("the generator rxt needs torch, which is not installed")
    if as_json:
        out = _take_stdout()
        if settings.embedded:
            threading.Thread(target=_announce, args=(settings.data_dir, out), daemon=True).start()
    return run_service(settings)


def _take_stdout() -> int:
    """Keeps stdout for one line of JSON: whatever the service prints goes to stderr."""
    out = os.dup(1)
    sys.stdout.flush()
    os.dup2(2, 1)
    return out


def _announce(data_dir: Path, out: int) -> None:
    from memos.embedded.datadir import admin_key_path, read_service

    while True:
        service = read_service(data_dir)
        if service is not None and service.pid == os.getpid():
            line = {
                "url": service.url,
                "pid": service.pid,
                "data_dir": str(data_dir.absolute()),
                "admin_key_file": str(admin_key_path(data_dir).absolute()),
            }
            os.write(out, json.dumps(line).encode() + b"\n")
            os.close(out)
            return
        time.sleep(ANNOUNCE_POLL_S)
