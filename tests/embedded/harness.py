"""Real processes for these tests: a parent that can be killed, and folders that are cleaned up wherever they are."""

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, Self

import pytest

from memos.embedded.place import SHARED
from memos.embedded.process import ProcessId, processes_in, wait_until

REPOSITORY = Path(__file__).parents[2]
NOBODY = 65534
BOUND_S = 20.0


def remove_with_home(data_dir: Path) -> None:
    """Removes a data directory and, when it was made as root, its database folder outside it."""
    for record in data_dir.rglob("postgres.json"):
        home = SHARED / str(json.loads(record.read_text()).get("id"))
        eventually(partial(_unused, record.with_suffix("") / "cluster"), "Postgres of a killed parent has ended")
        if home.exists():
            shutil.rmtree(home)
        home.with_suffix(".origin").unlink(missing_ok=True)
    shutil.rmtree(data_dir)


def _unused(cluster: Path) -> bool:
    return not processes_in(cluster, "postgres")


@contextmanager
def folder(*, owner: int | None = None) -> Iterator[Path]:
    """A private folder right below /tmp: pytest's own have ancestors that another user may not enter."""
    path = Path(tempfile.mkdtemp(prefix="memos-test-", dir="/tmp"))
    if owner is not None:
        os.chown(path, owner, owner)
    try:
        yield path
    finally:
        remove_with_home(path)


def eventually(condition: Callable[[], bool], what: str, timeout_s: float = BOUND_S) -> None:
    assert wait_until(condition, timeout_s), f"not within {timeout_s} s: {what}"


def living(pid: int) -> ProcessId:
    process = ProcessId.of(pid)
    assert process is not None, f"process {pid} is not alive"
    return process


@cache
def interpreter_for(user: int | None) -> str | None:
    """A Python that can run memos as that user, or None. Ours may lie below a folder that is private to root; then the
    system's own of the same version does, with our packages."""
    if user is None:
        return sys.executable
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/python{minor}", f"/usr/local/bin/python{minor}"):
        try:
            subprocess.run(
                [candidate, "-c", "import memos.embedded.postgres"],
                env=_environment(),
                cwd="/",
                user=user,
                group=user,
                extra_groups=[],
                check=True,
                capture_output=True,
            )
        except (OSError, subprocess.CalledProcessError):
            continue  # the next candidate; the caller skips when none is left
        return candidate
    return None


def _environment() -> dict[str, str]:
    paths = os.pathsep.join([str(REPOSITORY), sysconfig.get_path("purelib")])
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200", "PYTHONPATH": paths}


class Parent:
    """A Python process of its own that runs one of the scripts in this folder; its lines are kept as they come."""

    def __init__(self, script: str, *arguments: str | Path, user: int | None = None, **environment: str) -> None:
        python = interpreter_for(user)
        if python is None:
            pytest.skip(f"no Python on this machine that user {user} may run")
        self._output = os.memfd_create("output")
        self.process = subprocess.Popen(
            [python, "-m", f"tests.embedded.{script}", *(str(argument) for argument in arguments)],
            stdout=self._output,
            stderr=subprocess.STDOUT,
            cwd=REPOSITORY,
            env=_environment() | environment,
            user=user,
            group=user,
            extra_groups=[] if user is not None else None,
        )

    def output(self) -> str:
        return os.pread(self._output, 1_000_000, 0).decode()

    def wait_for(self, text: str, timeout_s: float = BOUND_S) -> str:
        """The first line with `text`."""
        deadline = time.monotonic() + timeout_s
        while True:
            for line in self.output().splitlines():
                if text in line:
                    return line
            assert self.process.poll() is None, (
                f"ended with {self.process.returncode} before {text!r}:\n{self.output()}"
            )
            assert time.monotonic() < deadline, f"no {text!r} within {timeout_s} s:\n{self.output()}"
            time.sleep(0.02)

    def facts(self) -> dict[str, Any]:
        """What the script said as JSON."""
        return dict(json.loads(self.wait_for("{")))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(BOUND_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
        os.close(self._output)
