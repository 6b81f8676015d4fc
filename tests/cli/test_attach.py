"""`memos serve` as a user starts it: the other commands find it, its key included, by its data directory."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memos.sdk import Memos
from tests.cli.test_terminal import MEMOS, environment, execute
from tests.embedded.harness import folder


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with folder() as made:
        yield made / "data"


def test_serve_then_everything_finds_it(data_dir: Path) -> None:
    env = environment(MEMOS_DATA_DIR=str(data_dir))
    command = [MEMOS, "serve", "--json", "--port", "0", "--generator", "echo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as service:
        try:
            assert service.stdout is not None
            said: dict[str, Any] = json.loads(service.stdout.readline())
            assert (said["pid"], said["data_dir"]) == (service.pid, str(data_dir))
            assert os.stat(said["admin_key_file"]).st_mode & 0o077 == 0

            assert execute("ask", "hello", env=env).stdout == "echo 0 [] hello\n"
            assert execute("ask", "hello", "--data-dir", str(data_dir), env=environment()).returncode == 0
            with Memos(data_dir=data_dir) as client:
                assert client.url == said["url"]
                assert len(list(client.conversations.list())) == 2

            found = json.loads(execute("doctor", "--json", env=env).stdout)
            assert found["ok"], [check for check in found["checks"] if check["status"] == "wrong"]
            seen = {check["component"]: check for check in found["checks"]}
            assert f"pid {service.pid}" in seen["data directory lock"]["detail"]
            assert (seen["postgres"]["status"], seen["schema"]["status"]) == ("ok", "ok")
            sources = {setting["name"]: setting["source"] for setting in found["configuration"]}
            assert sources["(client) api_key"] == str(data_dir / "admin.key")

            second = execute("serve", "--port", "0", "--generator", "echo", env=env)
            assert second.returncode == 1
            assert said["url"] in second.stdout.replace("\n", "")
        finally:
            service.send_signal(signal.SIGTERM)
            rest, _ = service.communicate(timeout=60)
    assert (service.returncode, rest) == (0, "")
    after = execute("ask", "hello", env=env)
    assert (after.returncode, "make run" in after.stderr) == (1, True)
