"""Keeps child processes running while this process runs, and tells what state they are in.

A child that ends is started again after a delay that grows while it keeps ending and has a bound, so a broken child
costs little and a mended one comes back. Each start is recorded with pid and start time in `children.json`; what a
killed parent left behind is ended by that record at the next start, and a reused pid is left alone.

Refuses to give up on a child, and to decide whether the service can do without one: it reports, others judge.
"""

import asyncio
import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from memos.embedded.datadir import write_private
from memos.embedded.logfile import ChildLog
from memos.embedded.process import ProcessId, await_ready, halt, wait_until
from memos.embedded.progress import Progress
from memos.kit.errors import MemosError, StartupError

CHILDREN = "children.json"
LOOK_S = 0.1  # how soon a death is noticed; a wait in a thread per child would save nothing
TRIM_EVERY_S = 60.0
SURVIVOR_PATIENCE_S = 1.0

State = Literal["starting", "running", "restarting", "stopped"]
Popen = subprocess.Popen[bytes]


@dataclass(frozen=True)
class Child:
    """What to run. `spawn` forks (and may prepare first), `ready` looks once; both block and run in a thread. Stop
    signals come with the seconds each is given; SIGKILL follows."""

    name: str
    spawn: Callable[[], Popen]
    ready: Callable[[], bool]
    log: ChildLog
    ready_timeout_s: float = 300.0
    stop_signals: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 5.0),)


@dataclass(frozen=True)
class Backoff:
    """The delay before a restart doubles from `first_s` to `most_s`; a run of `steady_s` starts it over."""

    first_s: float = 0.1
    most_s: float = 30.0
    steady_s: float = 60.0


@dataclass
class _Entry:
    child: Child
    state: State = "starting"
    restarts: int = 0
    last_exit: str | None = None
    last_error: str | None = None
    process: Popen | None = None
    identity: ProcessId | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    first_outcome: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    task: "asyncio.Task[None]" = field(init=False)

    def report(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "pid": self.identity.pid if self.identity else None,
            "started": self.identity.started if self.identity else None,
            "restarts": self.restarts,
            "last_exit": self.last_exit,
            "last_error": self.last_error,
        }


class Supervisor:
    """All children of one service. One event loop; `status` may be read from any thread."""

    def __init__(self, data_dir: Path, progress: Progress, backoff: Backoff | None = None) -> None:
        self._record_path = data_dir / CHILDREN
        self._record_lock = threading.Lock()
        self._progress = progress
        self._backoff = backoff or Backoff()
        self._entries: dict[str, _Entry] = {}
        clear_survivors(data_dir)

    def start(self, child: Child) -> None:
        """Begins to keep the child running, in the background."""
        entry = self._entries[child.name] = _Entry(child)
        entry.task = asyncio.get_running_loop().create_task(self._keep(entry), name=f"supervise-{child.name}")

    async def up(self, name: str) -> None:
        """Waits for the first start. Raises StartupError when that one failed (the child is tried again all the same,
        until `stop`)."""
        entry = self._entries[name]
        await asyncio.wait({entry.first_outcome, entry.task}, return_when=asyncio.FIRST_COMPLETED)
        if entry.first_outcome.done():
            return entry.first_outcome.result()
        return entry.task.result()  # supervision itself failed: let its error be seen

    def status(self) -> dict[str, dict[str, Any]]:
        return {name: entry.report() for name, entry in list(self._entries.items())}

    async def stop(self) -> None:
        """Ends the children one by one, the last started first."""
        entries = list(reversed(self._entries.values()))
        for entry in entries:
            entry.stopping.set()
            await asyncio.wait({entry.task})
        for entry in entries:
            entry.task.result()

    # -- one child -----------------------------------------------------------------------------------------------

    async def _keep(self, entry: _Entry) -> None:
        delay_s = self._backoff.first_s
        while not entry.stopping.is_set():
            begun = time.monotonic()
            if await asyncio.to_thread(self._bring_up, entry):
                self._settle(entry, None)
                await self._watch(entry)
            await asyncio.to_thread(self._take_down, entry)
            if entry.stopping.is_set():
                break
            if time.monotonic() - begun >= self._backoff.steady_s:
                delay_s = self._backoff.first_s
            self._settle(entry, StartupError(f"{entry.child.name}: {entry.last_error}", hint=entry.child.log.tail()))
            entry.restarts += 1
            self._set_state(entry, "restarting")
            self._progress.say(f"{entry.child.name}: {entry.last_error}; starting it again in {delay_s:g} s")
            await _sleep_unless(entry.stopping, delay_s)
            delay_s = min(2 * delay_s, self._backoff.most_s)
        self._settle(entry, StartupError(f"{entry.child.name} was stopped"))
        self._set_state(entry, "stopped")

    def _bring_up(self, entry: _Entry) -> bool:
        child = entry.child
        try:
            with self._progress.step(f"starting {child.name}"):
                entry.process = child.spawn()
                entry.identity = ProcessId.of(entry.process.pid)
                self._save()
                up = await_ready(entry.process, lambda: entry.stopping.is_set() or child.ready(), child.ready_timeout_s)
        except (MemosError, OSError) as error:
            entry.last_error = str(error)
            return False
        if entry.stopping.is_set():
            return False
        if not up:
            ended = entry.process.poll() is not None
            entry.last_error = "it ended while starting" if ended else f"not ready in {child.ready_timeout_s:g} s"
            return False
        self._set_state(entry, "running")
        if entry.restarts:
            self._progress.say(f"{child.name}: running again")
        return True

    async def _watch(self, entry: _Entry) -> None:
        trimmed = time.monotonic()
        while entry.process is not None and entry.process.poll() is None and not entry.stopping.is_set():
            await _sleep_unless(entry.stopping, LOOK_S)
            if time.monotonic() - trimmed >= TRIM_EVERY_S:
                await asyncio.to_thread(self._diagnostic, entry.child.log.trim)
                trimmed = time.monotonic()
        if not entry.stopping.is_set():
            entry.last_error = "it ended"

    def _take_down(self, entry: _Entry) -> None:
        if entry.process is not None:
            entry.last_exit = _exit_text(halt(entry.process, entry.child.stop_signals))
            if entry.last_error is not None and entry.last_exit not in entry.last_error:
                entry.last_error += f" ({entry.last_exit})"
        entry.process = entry.identity = None

    def _settle(self, entry: _Entry, failure: StartupError | None) -> None:
        if entry.first_outcome.done():
            return
        if failure is None:
            entry.first_outcome.set_result(None)
        else:
            entry.first_outcome.set_exception(failure)
            entry.first_outcome.exception()  # nobody needs to wait for it: the state tells the same

    def _set_state(self, entry: _Entry, state: State) -> None:
        entry.state = state
        self._save()

    def _save(self) -> None:
        with self._record_lock:
            self._diagnostic(lambda: write_private(self._record_path, json.dumps(self.status(), indent=1)))

    def _diagnostic(self, write: Callable[[], None]) -> None:
        """For files that only help to understand: a full disk is told, and does not end the supervision."""
        try:
            write()
        except OSError as error:
            self._progress.say(f"{error.filename or self._record_path} was not written: {error.strerror}")


def read_children(data_dir: Path) -> dict[str, dict[str, Any]]:
    """The last recorded state of each child, for whoever is not the service itself."""
    try:
        return dict(json.loads((data_dir / CHILDREN).read_text()))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise StartupError(
            f"{data_dir / CHILDREN} is damaged", hint="Remove it: it only describes processes."
        ) from error


def clear_survivors(data_dir: Path) -> None:
    """Ends the children of an earlier, killed service. Call it holding the data directory."""
    for report in read_children(data_dir).values():
        if report["pid"] is None:
            continue
        _end(ProcessId(report["pid"], report["started"]))
    (data_dir / CHILDREN).unlink(missing_ok=True)


def _end(process: ProcessId) -> None:
    # They are told by the kernel when their parent dies, so they are mostly gone or going. SIGQUIT ends a Postgres at
    # once and in order, and any program that does not know it.
    for number in (signal.SIGQUIT, signal.SIGKILL):
        if wait_until(lambda: not process.alive(), SURVIVOR_PATIENCE_S):
            return
        process.send(number)
    wait_until(lambda: not process.alive(), SURVIVOR_PATIENCE_S)


async def _sleep_unless(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return  # the ordinary case: nothing happened


def _exit_text(status: int) -> str:
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
