"""Processes of this machine, named so that a reused pid is never mistaken for the process that had it before.

A process is a pid and the moment it started (boot id and kernel ticks). Refuses to guess: a zombie is dead, and a
signal is only sent to a process that is still the one that was recorded. Linux only (`/proc`).
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from memos.kit.errors import StartupError

PROC = Path("/proc")
POLL_S = 0.02


@dataclass(frozen=True)
class ProcessId:
    """One process, for ever: no later process equals it."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "ProcessId | None":
        """The living process that has this pid now, or None."""
        stat = _stat(pid)
        if stat is None or stat[0] in "ZX":
            return None
        return cls(pid, f"{_boot_id()}:{stat[1]}")

    @classmethod
    def me(cls) -> "ProcessId":
        own = cls.of(os.getpid())
        if own is None:
            raise StartupError(
                "memos cannot see its own process in /proc", hint="Embedded memos needs Linux and /proc."
            )
        return own

    def alive(self) -> bool:
        return ProcessId.of(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        if self.alive():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return  # it ended between the look and the signal, which is what the signal was for


def _stat(pid: int) -> tuple[str, str] | None:
    """(state, start tick) from /proc/PID/stat; the name in brackets may hold spaces and brackets of its own."""
    try:
        fields = (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0], fields[19]


def _boot_id() -> str:
    # Ticks count from boot: without the boot they would repeat after a restart of the machine.
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def processes_in(folder: Path, name: str) -> list[ProcessId]:
    """Living processes called `name` whose working directory is `folder`: how a Postgres backend, which has no mark
    of its own, is known to belong to a cluster."""
    try:
        wanted = folder.stat()
    except FileNotFoundError:
        return []
    found = []
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if (entry / "comm").read_text().strip() != name:
                continue
            here = (entry / "cwd").stat()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended meanwhile, or belongs to another user, whose processes are never ours to clear
        process = ProcessId.of(int(entry.name))
        if process is not None and (here.st_dev, here.st_ino) == (wanted.st_dev, wanted.st_ino):
            found.append(process)
    return found


def wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """True as soon as the condition holds, False after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def await_ready(process: "subprocess.Popen[bytes]", ready: Callable[[], bool], timeout_s: float) -> bool:
    """True once `ready` says so; False when the process ends first, or after `timeout_s`."""
    wait_until(lambda: process.poll() is not None or ready(), timeout_s)
    return process.poll() is None and ready()


def halt(process: "subprocess.Popen[bytes]", steps: Sequence[tuple[signal.Signals, float]]) -> int:
    """Ends our own child: each signal with its time in seconds, SIGKILL last. Returns the exit status."""
    for number, patience_s in steps:
        process.send_signal(number)
        try:
            return process.wait(patience_s)
        except subprocess.TimeoutExpired:
            continue  # the next, harder signal
    process.kill()
    return process.wait()
