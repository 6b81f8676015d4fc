"""The command as its own process: exit codes, what stands on stdout, a terminal, Ctrl-C, and the time to start."""

import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.sdk.stub import CONVERSATION, TURN, Answer, events, ok, stub
from tests.support.live import Live

MEMOS = str(Path(sys.executable).with_name("memos"))
MOST_IMPORT_MS = 120
PATIENCE_S = 30.0


def execute(*arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([MEMOS, *arguments], capture_output=True, text=True, timeout=60, **options)


def environment(**more: str) -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("MEMOS_")} | more


class Terminal:
    """A command at a terminal of its own."""

    def __init__(self, *arguments: str, **env: str) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [MEMOS, *arguments], stdin=slave, stdout=slave, stderr=slave, env=environment(TERM="xterm", **env),
            start_new_session=True, preexec_fn=_take_terminal,
        )  # fmt: skip
        os.close(slave)
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def until(self, text: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self._master], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self._master, 65536).decode(errors="replace")
                except OSError:  # how Linux says that the other end is closed
                    break
        assert text in self.seen
        self.seen = self.seen.partition(text)[2]

    def close(self) -> int:
        code = self.process.wait(PATIENCE_S)
        os.close(self._master)
        return code


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_at_a_terminal_an_error_does_not_end_the_chat(live: Live) -> None:
    terminal = Terminal("chat", MEMOS_URL=live.url, MEMOS_API_KEY=live.key)
    terminal.until("you> ")
    terminal.type("my dog is called Biscuit\n")
    terminal.until("echo 0 [] my dog is called Biscuit")
    terminal.type("/bogus\n")
    terminal.until("no_such_command")
    terminal.until("you> ")
    terminal.type("/quit\n")
    assert terminal.close() == 0


def test_ctrl_c_stops_the_turn_and_not_only_the_printing() -> None:
    accepted = TURN | {"status": "accepted", "input": "hello", "output": None}
    slow = events(("token", {"text": "hi"}))
    slow.hold_s = PATIENCE_S
    with stub() as server:
        server.will(
            ok(CONVERSATION, 201), slow, ok({"items": [accepted], "next_cursor": None}), ok(accepted), ok(CONVERSATION)
        )
        terminal = Terminal("chat", MEMOS_URL=server.url, MEMOS_API_KEY="mk_test")
        terminal.until("you> ")
        terminal.type("hello\n")
        terminal.until("hi")
        terminal.type("\x03")
        terminal.until("(stopped)")
        terminal.until("you> ")
        terminal.type("/quit\n")
        assert terminal.close() == 0
        assert [(r.method, r.path) for r in server.received[2:4]] == [
            ("GET", f"/v1/conversations/{CONVERSATION['id']}/turns"),
            ("POST", f"/v1/turns/{TURN['id']}/cancel"),
        ]


def test_a_wait_of_over_a_second_is_shown() -> None:
    slow = Answer(200, json.dumps({"items": [], "next_cursor": None}).encode(), delay_s=1.8)
    with stub() as server:
        server.will(slow)
        terminal = Terminal("conversations", MEMOS_URL=server.url, MEMOS_API_KEY="mk_test")
        terminal.until("reading the list ...")
        terminal.until("(none)")
        assert terminal.close() == 0


def test_json_is_all_that_stands_on_stdout_even_over_a_retry() -> None:
    with stub() as server:
        busy = Answer(503, b"{}", {"Retry-After": "0"})
        server.will(busy, busy, ok({"items": [], "next_cursor": None}))
        done = execute("conversations", "--json", env=environment(MEMOS_URL=server.url, MEMOS_API_KEY="k"))
        assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, {"items": []}, "")
        assert len(server.received) == 3


def test_exit_codes(tmp_path: Path) -> None:
    failed = execute("conversations", env=environment(), cwd=tmp_path)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.startswith("error: not_configured: ")
    assert execute("bogus").returncode == 2
    assert execute("--version").stdout.startswith("memos ")


def test_serve_without_the_servers_packages_says_what_to_install(tmp_path: Path) -> None:
    code = """
import importlib.util, sys
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "fastapi" else real(name, package)
from memos.cli.main import app
sys.argv = ["memos", "serve"]
app()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment(), timeout=60
    )
    assert done.returncode == 1
    assert "error: server_not_installed: " in done.stderr
    assert "pip install 'memos[all]'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_serve_refuses_a_configuration_that_cannot_be(tmp_path: Path) -> None:
    done = execute("serve", env=environment(MEMOS_LEASE_S="-1"), cwd=tmp_path)
    assert done.returncode == 1
    assert "error: bad_configuration: lease_s" in done.stderr
    assert list(tmp_path.iterdir()) == []


MEASURE = """
import json, sys, time
began = time.process_time()
import memos.cli.main
print(json.dumps([(time.process_time() - began) * 1000, [name for name in sys.modules if "." not in name]]))
"""


def test_the_command_starts_fast() -> None:
    """CPU time, the least of three: the machine may be busy."""
    found = [
        json.loads(subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(ms for ms, _ in found) < MOST_IMPORT_MS
    heavy = {"pydantic", "pydantic_settings", "httpx2", "stamina", "fastapi", "sqlalchemy", "psycopg", "numpy", "torch"}
    assert not heavy & set(found[0][1])


@pytest.mark.parametrize("command", [["--help"], ["chat", "--help"], ["jobs", "--help"], ["keys"]])
def test_help_is_there(command: list[str]) -> None:
    done = execute(*command)
    assert "Usage" in done.stdout + done.stderr
