"""Children come back when they end, end when their parent does, and are never mistaken for somebody else."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from memos.embedded.logfile import ChildLog
from memos.embedded.process import ProcessId, await_ready, halt
from memos.embedded.progress import Progress
from memos.embedded.spawn import LAUNCHER, spawn
from memos.embedded.supervisor import Backoff, Child, Supervisor, clear_survivors, read_children
from memos.kit.errors import StartupError
from tests.embedded.harness import Parent, eventually, living

FAST = Backoff(first_s=0.1, most_s=0.4, steady_s=60)


def python(code: str) -> "subprocess.Popen[bytes]":
    with tempfile.TemporaryFile() as output:
        return spawn([sys.executable, "-I", "-S", "-c", code], env={}, output=output)


def child(tmp_path: Path, code: str, ready: Callable[[], bool] = lambda: True, name: str = "one") -> Child:
    return Child(
        name, lambda: python(code), ready, ChildLog(tmp_path / f"{name}.log"), stop_signals=((signal.SIGTERM, 1),)
    )


SLEEP = "import time; time.sleep(600)"


async def wait_for(condition: Callable[[], bool], what: str) -> None:
    await asyncio.to_thread(eventually, condition, what)


@pytest.mark.anyio
async def test_a_killed_child_comes_back_and_its_state_is_told(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor(tmp_path, Progress(said.append), FAST)
    supervisor.start(child(tmp_path, SLEEP))
    await supervisor.up("one")
    first = supervisor.status()["one"]
    assert (first["state"], first["restarts"], first["last_exit"]) == ("running", 0, None)
    os.kill(first["pid"], signal.SIGKILL)
    await wait_for(lambda: supervisor.status()["one"]["restarts"] == 1, "the death is noticed")
    await wait_for(lambda: supervisor.status()["one"]["state"] == "running", "it is running again")
    second = supervisor.status()["one"]
    assert second["pid"] != first["pid"]
    assert second["last_exit"] == "killed by SIGKILL"
    assert read_children(tmp_path) == supervisor.status()
    # Said just after the state changes, by the supervisor's own task.
    await wait_for(lambda: len(said) == 2, "both are said")
    assert said == ["one: it ended (killed by SIGKILL); starting it again in 0.1 s", "one: running again"]
    process = living(second["pid"])
    await supervisor.stop()
    assert not process.alive()
    assert supervisor.status()["one"]["state"] == "stopped"


@pytest.mark.anyio
async def test_the_delay_grows_to_a_bound_while_a_child_keeps_ending(tmp_path: Path) -> None:
    spawned: list[float] = []

    def short_lived() -> "subprocess.Popen[bytes]":
        spawned.append(time.monotonic())
        return python("raise SystemExit(3)")

    never_ready = Child("one", short_lived, lambda: False, ChildLog(tmp_path / "one.log"))
    said: list[str] = []
    supervisor = Supervisor(tmp_path, Progress(said.append), FAST)
    supervisor.start(never_ready)
    with pytest.raises(StartupError, match=r"it ended while starting \(exit status 3\)"):
        await supervisor.up("one")
    await wait_for(lambda: len(spawned) >= 6, "it is tried again and again")
    await supervisor.stop()
    gaps = [later - earlier for earlier, later in pairwise(spawned)]
    assert all(gap >= delay for gap, delay in zip(gaps, (0.1, 0.2, 0.4, 0.4, 0.4), strict=False))
    assert [line.rpartition("again in ")[2] for line in said[:5]] == ["0.1 s", "0.2 s", "0.4 s", "0.4 s", "0.4 s"]


@pytest.mark.anyio
async def test_a_child_that_is_never_ready_is_given_up_and_tried_again(tmp_path: Path) -> None:
    pids: list[int] = []

    def deaf() -> "subprocess.Popen[bytes]":
        process = python("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)")
        pids.append(process.pid)
        return process

    stubborn = Child("one", deaf, lambda: False, ChildLog(tmp_path / "one.log"), 0.3, ((signal.SIGTERM, 0.2),))
    supervisor = Supervisor(tmp_path, Progress(lambda line: None), FAST)
    supervisor.start(stubborn)
    with pytest.raises(StartupError, match=r"not ready in 0.3 s"):
        await supervisor.up("one")
    await wait_for(lambda: len(pids) >= 2, "it is tried again")
    await supervisor.stop()
    assert not any(ProcessId.of(pid) for pid in pids)


@pytest.mark.anyio
async def test_stopping_does_not_wait_for_a_child_to_become_ready_and_goes_backwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = Supervisor(tmp_path, Progress(lambda line: None), FAST)
    order: list[str] = []
    monkeypatch.setattr(supervisor, "_set_state", lambda entry, state: order.append(f"{entry.child.name} {state}"))
    for name in ("first", "second"):
        supervisor.start(child(tmp_path, SLEEP, lambda: False, name))
    await wait_for(lambda: all(report["pid"] for report in supervisor.status().values()), "both were spawned")
    processes = {name: living(report["pid"]) for name, report in supervisor.status().items()}
    begun = time.monotonic()
    await supervisor.stop()
    assert time.monotonic() - begun < 3
    assert order == ["second stopped", "first stopped"]
    assert not any(process.alive() for process in processes.values())


@pytest.mark.anyio
async def test_a_record_that_cannot_be_written_is_told_and_ends_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor(tmp_path / "gone", Progress(said.append), FAST)
    supervisor.start(child(tmp_path, SLEEP))
    await supervisor.up("one")
    os.kill(supervisor.status()["one"]["pid"], signal.SIGKILL)
    await wait_for(lambda: supervisor.status()["one"]["restarts"] == 1, "the death is noticed")
    await wait_for(lambda: supervisor.status()["one"]["state"] == "running", "it is running again")
    await supervisor.stop()
    assert any("was not written: No such file or directory" in line for line in said)


@pytest.mark.anyio
async def test_an_error_of_the_supervision_itself_is_seen(tmp_path: Path) -> None:
    def broken() -> "subprocess.Popen[bytes]":
        raise ValueError("a mistake in the program")

    supervisor = Supervisor(tmp_path, Progress(lambda line: None), FAST)
    supervisor.start(Child("one", broken, lambda: True, ChildLog(tmp_path / "one.log")))
    with pytest.raises(ValueError, match="a mistake in the program"):
        await supervisor.up("one")
    with pytest.raises(ValueError, match="a mistake in the program"):
        await supervisor.stop()


def test_children_die_with_their_parent_and_not_with_the_thread_that_started_them(tmp_path: Path) -> None:
    with Parent("run_children", tmp_path) as parent:
        facts = parent.facts()
        time.sleep(0.3)
        children = [living(facts["web"]), living(facts["fork"])]
        parent.kill()
        eventually(lambda: not any(child.alive() for child in children), "the children follow", 5)


def test_survivors_are_ended_by_record_and_a_reused_pid_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memos.embedded.supervisor.SURVIVOR_PATIENCE_S", 0.2)
    survivor = python("import signal, time; signal.signal(signal.SIGQUIT, signal.SIG_IGN); time.sleep(600)")
    bystander = python(SLEEP)
    try:
        records = {
            "survivor": {"pid": survivor.pid, "started": living(survivor.pid).started},
            "bystander": {"pid": bystander.pid, "started": living(survivor.pid).started + "0"},
            "never": {"pid": None, "started": None},
        }
        (tmp_path / "children.json").write_text(json.dumps(records))
        clear_survivors(tmp_path)
        assert survivor.wait(5) < 0
        assert bystander.poll() is None
        assert read_children(tmp_path) == {}
    finally:
        for process in (survivor, bystander):
            halt(process, ())


def test_a_child_of_a_parent_that_is_already_gone_does_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(LAUNCHER), "1", "9", "-", "/bin/sh", "-c", f"touch {mark}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "is gone" in done.stderr
    assert not mark.exists()


def test_a_child_has_its_own_session_no_extra_files_and_ordinary_signals(tmp_path: Path) -> None:
    output = tmp_path / "output"
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with output.open("wb") as file, (tmp_path / "secret").open("w"):
            code = "import os,signal;print(os.getsid(0)==os.getpid(),os.listdir('/proc/self/fd'),signal.getsignal(15))"
            assert spawn([sys.executable, "-I", "-S", "-c", code], env={}, output=file).wait() == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    assert output.read_text().split("\n")[0] == "True ['0', '1', '2', '3'] 0"


def test_waiting_for_a_child_ends_when_it_ends() -> None:
    assert not await_ready(python("pass"), lambda: False, 10)


def test_a_process_that_ended_and_was_not_waited_for_is_not_alive() -> None:
    process = python("pass")
    identity = ProcessId.of(process.pid)
    eventually(lambda: ProcessId.of(process.pid) is None, "a zombie counts as dead")
    assert Path(f"/proc/{process.pid}").exists()
    assert identity is None or not identity.alive()
    assert process.wait() == 0
