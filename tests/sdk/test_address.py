"""Where the client finds the service and its key, and where it must not send the key."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from memos.sdk import Memos, MemosError, NotConfiguredError
from memos.sdk._address import resolve


def embedded(folder: Path, **changes: Any) -> Path:
    """A data directory in which this very process seems to serve."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    service = {
        "url": "http://127.0.0.1:7077",
        "pid": os.getpid(),
        "started": f"{boot}:{fields[19]}",
        "version": "0.1.0",
    }
    (folder / "service.json").write_text(json.dumps(service | changes))
    (folder / "admin.key").write_text("mk_admin\n")
    return folder


def test_arguments_win_then_the_environment_then_the_data_directory(tmp_path: Path) -> None:
    folder = embedded(tmp_path)
    env = {"MEMOS_URL": "http://env:1/", "MEMOS_API_KEY": "mk_env", "MEMOS_DATA_DIR": str(folder)}
    found = resolve("http://arg:1", "mk_arg", None, env)
    assert (found.url, found.api_key, found.url_from, found.api_key_from) == (
        "http://arg:1", "mk_arg", "argument", "argument",
    )  # fmt: skip
    found = resolve(None, None, None, env)
    assert (found.url, found.api_key, found.url_from) == ("http://env:1", "mk_env", "MEMOS_URL")
    found = resolve(None, None, None, {"MEMOS_DATA_DIR": str(folder)})
    assert (found.url, found.api_key) == ("http://127.0.0.1:7077", "mk_admin")
    assert (found.url_from, found.api_key_from) == (str(folder / "service.json"), str(folder / "admin.key"))
    assert resolve(None, None, folder, {}).api_key == "mk_admin"


def test_the_embedded_key_goes_to_the_embedded_service_alone(tmp_path: Path) -> None:
    folder = embedded(tmp_path)
    assert resolve("http://elsewhere:1", None, folder, {}).api_key is None
    assert resolve(None, None, folder, {"MEMOS_URL": "https://elsewhere"}).api_key is None
    assert resolve("http://127.0.0.1:7077/", None, folder, {}).api_key == "mk_admin"


@pytest.mark.parametrize("changes", [{"pid": 2**22 + 1}, {"started": "boot:1"}, {"url": None}])
def test_what_a_killed_service_left_behind_is_not_a_service(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(NotConfiguredError, match="none runs on"):
        resolve(None, None, embedded(tmp_path, **changes), {})


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_damaged_service_file_is_not_a_service(tmp_path: Path, text: str) -> None:
    (tmp_path / "service.json").write_text(text)
    with pytest.raises(NotConfiguredError):
        resolve(None, None, tmp_path, {})


def test_nothing_found_says_how_to_start(tmp_path: Path) -> None:
    with pytest.raises(NotConfiguredError) as caught:
        Memos(data_dir=tmp_path)
    assert "make run" in str(caught.value)
    assert "memos serve" in str(caught.value)


@pytest.mark.parametrize("url", ["localhost:7077", "ftp://x", "http://", "http://[::1", "http://x:port"])
def test_what_is_not_an_address(url: str) -> None:
    with pytest.raises(NotConfiguredError, match="not an address"):
        resolve(url, None, None, {})


def test_no_key_is_said_before_anything_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEMOS_API_KEY", raising=False)
    with (
        Memos("http://127.0.0.1:9", data_dir=tmp_path) as client,
        pytest.raises(NotConfiguredError, match="no API key"),
    ):
        client.stats()


def test_a_key_that_no_header_takes() -> None:
    with pytest.raises(MemosError, match="characters that no key has"), Memos("http://127.0.0.1:9", "mk_ä") as client:
        client.stats()


def test_keys_do_not_show_in_a_client() -> None:
    with Memos("http://127.0.0.1:9", "mk_secret") as client:
        assert "mk_secret" not in repr(client)
        assert "mk_secret" not in repr(client.address)
