"""The client that brings its service along."""

import asyncio
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from memos.sdk import APIConnectionError, AsyncMemos, Memos, NotConfiguredError
from tests.api.talk import eventually


def _alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _pid(folder: Path) -> int:
    import json

    return int(json.loads((folder / "service.json").read_text())["pid"])


def test_it_starts_serves_and_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMOS_API_KEY", "mk_of_another_service")
    folder = tmp_path / "data"
    with Memos.embedded(folder, generator="echo") as client:
        conversation = client.conversations.create("ada")
        assert client.turns.create(conversation.id, "hello").output == "echo 0 [] hello"
        pid = _pid(folder)
        with Memos.embedded(folder) as second:  # uses what runs there, and leaves it running
            assert second.url == client.url
        assert client.ready().ok
    assert not _alive(pid)
    with pytest.raises(APIConnectionError):
        Memos(client.url, "mk_x", max_retries=0).stats()

    async def again() -> list[str]:
        async with await AsyncMemos.embedded(folder, generator="echo") as kept:
            return [turn.input async for turn in kept.turns.list(conversation.id)]

    assert asyncio.run(again()) == ["hello"]


def test_what_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(NotConfiguredError, match="nobody"):
        Memos.embedded(tmp_path / "data", generator="nobody")


def test_it_ends_with_its_process(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    script = f"""
        import os
        from memos.sdk import Memos
        client = Memos.embedded({str(folder)!r}, generator="echo")
        os._exit(9)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], env=os.environ, timeout=100, check=False)
    assert ended.returncode == 9
    pid = _pid(folder) if (folder / "service.json").exists() else 0
    eventually(lambda: not pid or not _alive(pid), 30)
