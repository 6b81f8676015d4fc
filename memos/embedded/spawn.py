"""Starts child processes that cannot outlive this one, however it ends.

The kernel's "signal me when my parent dies" watches the *thread* that forked, not the process. So every fork happens in
one thread that lives as long as the process: a child started from a short-lived worker thread would be killed as
soon as that thread ended. Refuses nothing; who may run, and as whom, is the caller's decision.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

LAUNCHER = Path(__file__).with_name("launch.py")

_forks = ThreadPoolExecutor(max_workers=1, thread_name_prefix="memos-fork")


def spawn(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    output: int | IO[bytes],
    cwd: Path = Path("/"),
    account: tuple[int, int] | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
) -> "subprocess.Popen[bytes]":
    """Forks and returns at once. `account` is (uid, gid); stdout and stderr go to `output`."""
    command = [
        sys.executable,
        *("-I", "-S", "-B"),
        str(LAUNCHER),
        str(os.getpid()),
        str(int(death_signal)),
        "-" if account is None else f"{account[0]}:{account[1]}",
        *(str(part) for part in argv),
    ]

    def fork() -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            command, env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )

    return _forks.submit(fork).result()
