"""Starts the embedded service as a child of this process, and stops it. It is started as anybody would from a shell, by
`memos serve --json`, so nothing of the service is imported here; a service that runs on the folder already is used and
left running.

The child ends with this process however that ends. The kernel watches the thread that started it, so one thread that
lives as long as the process starts all of them.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

from memos.sdk._address import _embedded_url
from memos.sdk.errors import NotConfiguredError

LAUNCHER = Path(__file__).parents[1] / "embedded" / "launch.py"
STOP_S = 60.0

READY_POLL_S = 0.1
SHOWN = 2_000  # characters of what a service said that did not start

_starting = ThreadPoolExecutor(max_workers=1, thread_name_prefix="memos-embedded")


class _User(Protocol):
    _service: Any


C = TypeVar("C", bound=_User)


class EmbeddedService:
    """A running child; `None` in `process` if the service was there before."""

    def __init__(self, data_dir: Path, url: str, process: "subprocess.Popen[bytes] | None") -> None:
        self.url = url
        self._data_dir = data_dir
        self._process = process

    @property
    def api_key(self) -> str:
        """The admin key that the service wrote: no variable of the environment names another one."""
        return (self._data_dir / "admin.key").read_text().strip()

    @classmethod
    def start(cls, data_dir: str | os.PathLike[str], generator: str | None, timeout_s: float) -> "EmbeddedService":
        """Returns once a turn can be taken. Raises NotConfiguredError with what it said if that does not come."""
        deadline = time.monotonic() + timeout_s
        folder = Path(data_dir).absolute()
        if (running := _embedded_url(folder)) is not None:
            return cls(folder, running, None)
        command = [sys.executable, "-m", "memos.cli.main", "serve", "--json", "--data-dir", str(folder), "--port", "0"]
        if generator is not None:
            command += ["--generator", generator]
        with tempfile.TemporaryFile() as said:
            process = _starting.submit(_spawn, command, said).result()
            url = _announced(process, timeout_s)
            while url is not None and not _is_ready(url):
                time.sleep(READY_POLL_S)
                url = url if time.monotonic() < deadline else None
            if url is None:
                _stop(process)
                said.seek(0)
                words = said.read()[-SHOWN:].decode(errors="replace").strip()
                raise NotConfiguredError(
                    f"the embedded service on {folder} did not start: {words or 'it said nothing'}",
                    hint="Run `memos doctor`; to serve, memos needs `pip install 'memos[all]'`.",
                )
        return cls(folder, url, process)

    def used_by(self, client: Callable[..., C], options: Mapping[str, Any]) -> C:
        """A client of it, which stops it."""
        try:
            made = client(self.url, self.api_key, **options)
        except BaseException:
            self.stop()
            raise
        made._service = self
        return made

    def stop(self) -> None:
        """Ends the child in order; one that was there before runs on."""
        if self._process is not None:
            _stop(self._process)
            self._process = None


def _spawn(command: list[str], said: IO[bytes]) -> "subprocess.Popen[bytes]":
    launched = [sys.executable, "-I", "-S", "-B", str(LAUNCHER), str(os.getpid()), str(int(signal.SIGTERM)), "-"]
    return subprocess.Popen([*launched, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said)


def _announced(process: "subprocess.Popen[bytes]", timeout_s: float) -> str | None:
    """Where it says, on its output, that it serves; None if it does not say so."""
    if process.stdout is None:
        raise ValueError("the child's output is read here")
    readable, _, _ = select.select([process.stdout], [], [], timeout_s)
    line = process.stdout.readline() if readable else b""
    return str(json.loads(line)["url"]) if line.strip() else None


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with contextlib.suppress(OSError):
        if process.stdout is not None:
            process.stdout.close()


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:  # refused, or a status that says: not yet
        return False
