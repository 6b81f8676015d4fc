"""The service as separate processes that can be killed with -9 one by one and started again.

`Split`: Postgres, model worker, API and, with Redis, relay and consumer, each a process of its own; without Redis the
API runs the relay. `Embedded`: one `memos serve` with everything below it. Both name their victims: who can be killed,
and what it takes to have it back.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from pydantic import SecretStr

from memos.embedded.postgres import EmbeddedPostgres
from memos.embedded.process import ProcessId, await_ready, processes_in, wait_until
from memos.embedded.spawn import spawn
from memos.keys.bootstrap import ensure_admin_key
from memos.kit.config import Settings
from migrations.runner import upgrade
from tests.embedded.harness import folder

REPOSITORY = Path(__file__).parents[2]
SECRET = "a secret for tests, of more than 32 characters"
READY_TIMEOUT_S = 60.0
GONE_TIMEOUT_S = 10.0


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class Program:
    """One real process. `ready` is asked until it says so."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    ready: "Ready"
    process: "subprocess.Popen[bytes] | None" = None
    began_at: int = 0

    def start(self) -> None:
        """Forks and returns; `await_ready` waits."""
        with self.log.open("ab") as log:
            self.began_at = log.seek(0, os.SEEK_END)
            self.process = spawn(
                [sys.executable, "-m", *self.argv], env=os.environ | self.env, output=log, cwd=REPOSITORY
            )

    def await_ready(self) -> None:
        process = self.process
        assert process is not None
        up = await_ready(process, lambda: self.ready(self), READY_TIMEOUT_S)
        assert up, f"{self.name} did not start:\n{self.said()[-3000:]}"

    def said(self) -> str:
        """What the present process has written."""
        with self.log.open("rb") as log:
            log.seek(self.began_at)
            return log.read().decode(errors="replace")

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def restart(self) -> None:
        self.kill()
        self.start()
        self.await_ready()


@dataclass
class Victim:
    """Something to kill. `kill` returns when it is dead, `restore` when it serves again; `alive` looks once.
    `database`: the database dies with it."""

    name: str
    kill: Callable[[], None]
    restore: Callable[[], None]
    alive: Callable[[], bool]
    database: bool = False


@dataclass
class Topology:
    """A running service: where it is, how to look inside, and whom to kill."""

    urls: list[str]
    api_key: str
    admin_url: str
    blobs: Path
    victims: dict[str, Victim]
    crash_file: Path


Ready = Callable[[Program], bool]


def says(text: str) -> Ready:
    return lambda program: text in program.said()


def answers(url: str, path: str) -> Ready:
    def look(program: Program) -> bool:
        try:
            with urlopen(f"{url}{path}", timeout=5) as answer:
                return int(answer.status) == 200
        except (URLError, OSError):
            return False

    return look


@contextmanager
def split(settings: Mapping[str, str], *, apis: int = 1, redis_url: str | None = None) -> Iterator[Topology]:
    """Every process on its own. `settings` are MEMOS_ variables by their names without the prefix, in lower case."""
    with folder() as data_dir:
        postgres = EmbeddedPostgres(data_dir / "postgres")
        postgres.start()
        upgrade(postgres.admin_url)
        crash_file, blobs = data_dir / "crash", data_dir / "blobs"
        model_port, api_ports = free_port(), [free_port() for _ in range(apis)]
        env = {
            "MEMOS_DATA_DIR": str(data_dir),
            "MEMOS_DATABASE_URL": postgres.url_for("memos_app", None),
            "MEMOS_MODEL_URL": f"http://127.0.0.1:{model_port}",
            "MEMOS_BLOB_URL": blobs.as_uri(),
            "MEMOS_SECRET": SECRET,
            "MEMOS_GENERATOR": "echo",
            **({"MEMOS_REDIS_URL": redis_url} if redis_url else {}),
            "MEMOS_TEST_CRASH": str(crash_file),
            **{f"MEMOS_{name.upper()}": value for name, value in settings.items()},
        }
        key = ensure_admin_key(
            Settings(database_url=env["MEMOS_DATABASE_URL"], secret=SecretStr(SECRET)), data_dir / "admin.key"
        )
        programs = _programs(env, data_dir, model_port, api_ports, redis_url is not None)
        try:
            for program in programs:
                program.start()
            for program in programs:
                program.await_ready()
            victims = {program.name: _victim(program) for program in programs}
            victims |= {"postmaster": _postmaster(postgres), "backend": _backend(postgres)}
            yield Topology(
                [f"http://127.0.0.1:{port}" for port in api_ports], key, postgres.admin_url, blobs, victims,
                crash_file,
            )  # fmt: skip
        finally:
            for program in reversed(programs):
                program.kill()
            postgres.stop()


def _programs(env: dict[str, str], data_dir: Path, model_port: int, api_ports: list[int], redis: bool) -> list[Program]:
    """Each behind the wrapper that can make it die at a crash point; without one armed it is the program itself."""

    def program(name: str, processes: str, module: str, *arguments: str, ready: Ready) -> Program:
        argv = ["tests.faults.process", processes, module, *arguments]
        return Program(name, argv, env, data_dir / f"{name}.log", ready)

    model_url = env["MEMOS_MODEL_URL"]
    model = ("--engine", "echo", "--blob-url", env["MEMOS_BLOB_URL"], "--port", str(model_port))
    made = [program("model", "model", "workers.model", *model, ready=answers(model_url, "/health"))]
    for number, port in enumerate(api_ports, 1):
        name = "api" if len(api_ports) == 1 else f"api-{number}"
        passes = "api" if redis else "api,worker"
        ready = answers(f"http://127.0.0.1:{port}", "/readyz")
        made.append(program(name, passes, "memos.cli.main", "serve", "--port", str(port), ready=ready))
    if redis:
        made.append(program("relay", "worker", "workers.relay", ready=says("relay.started")))
        # Its Celery worker is another program, which passes no points; it dies with the consumer.
        made.append(program("consumer", "", "workers.consumer", "--concurrency", "2", ready=says(" ready.")))
    return made


def _victim(program: Program) -> Victim:
    return Victim(program.name, program.kill, program.restart, program.alive)


def _postmaster(postgres: EmbeddedPostgres) -> Victim:
    def kill() -> None:
        process = ProcessId.of(int((postgres.cluster / "postmaster.pid").read_text().split()[0]))
        assert process is not None
        process.send(signal.SIGKILL)
        assert wait_until(lambda: not process.alive(), GONE_TIMEOUT_S)

    def restore() -> None:
        postgres.stop()
        postgres.start()

    return Victim("postmaster", kill, restore, postgres.alive, database=True)


def _backend(postgres: EmbeddedPostgres) -> Victim:
    """One connection's process: Postgres then throws out every other one and recovers by itself."""

    def kill() -> None:
        pid = int((postgres.cluster / "postmaster.pid").read_text().split()[0])
        serving = [p for p in processes_in(postgres.cluster, "postgres") if p.pid != pid and _serves(p.pid)]
        serving[0].send(signal.SIGKILL)
        assert wait_until(lambda: not serving[0].alive(), GONE_TIMEOUT_S)

    return Victim("backend", kill, lambda: time.sleep(0.0), postgres.ready)


def _serves(pid: int) -> bool:
    """A backend of the service, by the title that Postgres gives it."""
    try:
        return "memos_app" in Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def embedded(settings: Mapping[str, str]) -> Iterator[Topology]:
    """`memos serve` on a data directory of its own; killing it takes its Postgres along."""
    with folder() as data_dir:
        url = f"http://127.0.0.1:{(port := free_port())}"
        serving = ("memos.cli.main", "serve", "--data-dir", str(data_dir), "--port", str(port), "--generator", "echo")
        crash_file = data_dir.with_suffix(".crash")
        env = {"MEMOS_TEST_CRASH": str(crash_file)} | {f"MEMOS_{name.upper()}": v for name, v in settings.items()}
        argv = ("tests.faults.process", "api,worker,model", *serving)
        service = Program("service", argv, env, data_dir.with_suffix(".log"), answers(url, "/readyz"))
        cluster = data_dir / "postgres" / "cluster"

        def postmaster() -> ProcessId | None:
            try:
                return ProcessId.of(int((cluster / "postmaster.pid").read_text().split()[0]))
            except FileNotFoundError:
                return None

        def kill_postmaster() -> None:
            process = postmaster()
            assert process is not None
            process.send(signal.SIGKILL)
            assert wait_until(lambda: not process.alive(), GONE_TIMEOUT_S)

        def await_postmaster() -> None:
            assert wait_until(lambda: postmaster() is not None and service.ready(service), READY_TIMEOUT_S)

        try:
            service.start()
            service.await_ready()
            host = (cluster / "postmaster.pid").read_text().splitlines()[4]
            admin_url = f"postgresql+psycopg://postgres@/memos?host={host}&port=5432"
            database = Victim("postmaster", kill_postmaster, await_postmaster, lambda: postmaster() is not None, True)
            victims = {"service": replace(_victim(service), database=True), "postmaster": database}
            key = (data_dir / "admin.key").read_text().strip()
            yield Topology([url], key, admin_url, data_dir / "blobs", victims, crash_file)
        finally:
            service.kill()
            service.log.unlink(missing_ok=True)
