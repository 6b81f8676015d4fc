"""The data directory: one folder that holds everything of an embedded service, and one process that holds the folder.

Refuses a second holder, a folder in which somebody else keeps files, and a secret that is damaged. Imports nothing
beyond the base install: the command line reads `service.json` through this module to find a running service.
"""

import fcntl
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from memos.embedded.process import ProcessId
from memos.kit.errors import StartupError

LOCK = "lock"
SERVICE = "service.json"
SECRET = "secret"
ADMIN_KEY = "admin.key"
SECRET_CHARS = 64
NOT_SOMEBODYS = frozenset({"lost+found"})  # a freshly made file system has this in its root


class DataDirectoryBusy(StartupError):
    """Another memos serves this data directory."""

    code = "data_directory_busy"
    hint = "Use the service that runs there, stop it first, or pass another --data-dir."


@dataclass(frozen=True)
class Service:
    """A running embedded service, as written in `service.json`."""

    url: str
    pid: int
    started: str
    version: str


def admin_key_path(data_dir: Path) -> Path:
    """Where the embedded service's admin key lies (0600)."""
    return data_dir / ADMIN_KEY


def read_service(data_dir: Path) -> Service | None:
    """The service that runs on this data directory now, or None. A file left by a killed process does not count,
    even when another process has its pid today."""
    try:
        service = Service(**json.loads((data_dir / SERVICE).read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        return None  # a power cut may leave the file empty; then no process that wrote it is alive either
    return service if ProcessId(service.pid, service.started).alive() else None


def write_private(path: Path, text: str) -> None:
    """Replaces a 0600 file as a whole: a reader, or a crash, sees the old or the new content and nothing between."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable: a rename survives a power cut only after this."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class FileLock:
    """An flock that dies with the process, whatever kills it. The file names its holder, for the message only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """True when the lock is ours now; False when another process has it."""
        if self._descriptor is not None:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor
        return True

    def holder_pid(self) -> int | None:
        text = self._path.read_text()
        return int(text) if text.isdigit() else None

    def release(self) -> None:
        # The file stays: to unlink it would let two processes lock two files of one name.
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class DataDirectory:
    """The data directory while we hold it. Use as a context manager: entering locks, leaving releases."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock = FileLock(self.path / LOCK)

    def __enter__(self) -> "DataDirectory":
        ProcessId.me()  # where we cannot name ourselves, nobody could tell later whether we are alive
        self._make()
        if not self._lock.acquire():
            raise self._busy()
        (self.path / SERVICE).unlink(missing_ok=True)
        return self

    def __exit__(self, *_: Any) -> None:
        self.withdraw()
        self._lock.release()

    def announce(self, url: str, version: str) -> None:
        """Writes `service.json`: from now on the command line finds this service."""
        own = ProcessId.me()
        service = Service(url=url, pid=own.pid, started=own.started, version=version)
        write_private(self.path / SERVICE, json.dumps(asdict(service)))

    def withdraw(self) -> None:
        (self.path / SERVICE).unlink(missing_ok=True)

    def secret(self) -> str:
        """The key of all key digests; made once. To lose it is to lose every API key."""
        path = self.path / SECRET
        if not path.exists():
            write_private(path, secrets.token_hex(SECRET_CHARS // 2))
        text = path.read_text().strip()
        if len(text) != SECRET_CHARS:
            raise StartupError(
                f"{path} is damaged", hint="Restore the file from a backup; every API key depends on it."
            )
        return text

    def _make(self) -> None:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            names = {entry.name for entry in self.path.iterdir()} - NOT_SOMEBODYS
            if names and LOCK not in names:
                raise StartupError(
                    f"{self.path} already holds files that are not a memos data directory",
                    hint="Pass an empty or new folder as --data-dir.",
                )
            # Ours or empty, so closing it takes nothing away from anybody.
            self.path.chmod(0o700)
        except OSError as error:
            raise StartupError(
                f"The data directory {self.path} cannot be used: {error.strerror}",
                hint="Pass a --data-dir that this user may write.",
            ) from error

    def _busy(self) -> DataDirectoryBusy:
        service = read_service(self.path)
        if service is not None:
            return DataDirectoryBusy(
                f"memos already serves {self.path} at {service.url} (pid {service.pid})",
                hint=f"Use {service.url}, stop that process with `kill {service.pid}`, or pass another --data-dir.",
            )
        return DataDirectoryBusy(
            f"Another memos (pid {self._lock.holder_pid()}) is starting or stopping on {self.path}"
        )
