"""The data directory: private, held by one process, and never somebody else's folder."""

import json
import os
import signal
import stat
from pathlib import Path

import pytest

from memos.embedded.datadir import (
    DataDirectory,
    DataDirectoryBusy,
    FileLock,
    admin_key_path,
    read_service,
    write_private,
)
from memos.kit.errors import StartupError
from tests.embedded.harness import eventually


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_everything_in_it_is_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with DataDirectory(tmp_path / "data") as data:
            secret = data.secret()
            data.announce("http://127.0.0.1:1", "0")
            modes = {path.name: mode(path) for path in data.path.iterdir()}
            assert mode(data.path) == 0o700
            assert modes == {"lock": 0o600, "secret": 0o600, "service.json": 0o600}
            assert len(bytes.fromhex(secret)) == 32
            assert data.secret() == secret
    finally:
        os.umask(before)
    with DataDirectory(tmp_path / "data") as data:
        assert data.secret() == secret
    assert admin_key_path(data.path) == data.path / "admin.key"


def test_a_second_holder_is_told_where_the_first_serves(tmp_path: Path) -> None:
    with DataDirectory(tmp_path / "data") as data:
        with (
            pytest.raises(DataDirectoryBusy, match=f"pid {os.getpid()}.*starting or stopping"),
            DataDirectory(data.path),
        ):
            pass
        data.announce("http://127.0.0.1:4321", "0")
        with (
            pytest.raises(DataDirectoryBusy, match=rf"at http://127.0.0.1:4321 \(pid {os.getpid()}\)"),
            DataDirectory(data.path),
        ):
            pass
        service = read_service(data.path)
        assert service is not None
        assert (service.url, service.pid) == ("http://127.0.0.1:4321", os.getpid())
    assert read_service(data.path) is None
    with DataDirectory(data.path):
        pass


def test_a_killed_holder_leaves_no_lock_behind(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    child = os.fork()
    if child == 0:
        lock.acquire()
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(0)
    os.waitpid(child, os.WUNTRACED)
    try:
        assert not lock.acquire()
        assert lock.holder_pid() == child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    eventually(lock.acquire, "the lock is free")
    lock.release()


@pytest.mark.parametrize("change", [{"started": "another boot:1"}, {"pid": 2**22 + 1}])
def test_a_service_file_of_a_dead_process_names_no_service(tmp_path: Path, change: dict[str, object]) -> None:
    with DataDirectory(tmp_path / "data") as data:
        data.announce("http://127.0.0.1:1", "0")
        assert read_service(data.path) is not None
        path = data.path / "service.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
        assert read_service(data.path) is None
        path.write_text("")
        assert read_service(data.path) is None


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(StartupError, match="already holds files"), DataDirectory(tmp_path):
        pass
    assert mode(tmp_path) == 0o755
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_empty_folder_is_taken_and_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with DataDirectory(tmp_path):
        assert mode(tmp_path) == 0o700


def test_a_damaged_secret_is_refused_and_kept(tmp_path: Path) -> None:
    with DataDirectory(tmp_path / "data") as data:
        (data.path / "secret").write_text("short")
        with pytest.raises(StartupError, match="damaged"):
            data.secret()
        assert (data.path / "secret").read_text() == "short"


def test_a_private_file_is_replaced_as_a_whole_after_a_crash_in_the_middle(tmp_path: Path) -> None:
    (tmp_path / ".name.new").write_text("half")
    write_private(tmp_path / "name", "whole")
    assert (tmp_path / "name").read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["name"]
