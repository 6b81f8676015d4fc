"""The embedded Postgres: durable settings, private, and it starts again whatever was done to it."""

import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from memos.embedded import postgres as module
from memos.embedded.datadir import DataDirectoryBusy
from memos.embedded.place import SHARED, abandoned_homes
from memos.embedded.postgres import EmbeddedPostgres
from memos.embedded.process import processes_in
from memos.kit.errors import StartupError
from tests.embedded.harness import NOBODY, Parent, eventually, folder, living

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture(scope="module")
def running() -> Iterator[EmbeddedPostgres]:
    """One server for the tests that only look at it."""
    with folder() as path:
        server = EmbeddedPostgres(path / "postgres")
        server.start()
        yield server
        server.stop()


def run(url: str, *statements: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def write(server: EmbeddedPostgres) -> None:
    run(server.admin_url, "INSERT INTO kept VALUES (1)")


def kept(server: EmbeddedPostgres) -> int:
    return len(run(server.admin_url, "SELECT n FROM kept"))


def postmaster(server: EmbeddedPostgres) -> int:
    return int((server.cluster / "postmaster.pid").read_text().split()[0])


# -- what is in force ------------------------------------------------------------------------------------------------


def test_durability_and_encoding_are_in_force(running: EmbeddedPostgres) -> None:
    wanted = {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "listen_addresses": "",
        "shared_buffers": "128MB",
        "max_connections": "100",
        "wal_recycle": "off",
        "server_encoding": "UTF8",
    }
    assert {name: run(running.admin_url, f"SHOW {name}")[0][0] for name in wanted} == wanted
    assert run(running.admin_url, "SELECT upper('żółw'), current_database()") == [("ŻÓŁW", "memos")]
    assert str(run(running.admin_url, "SHOW server_version")[0][0]).startswith("18.")


def test_it_listens_on_a_private_socket_and_nowhere_else(running: EmbeddedPostgres) -> None:
    inodes = {
        os.readlink(link)
        for process in processes_in(running.cluster, "postgres")
        for link in Path(f"/proc/{process.pid}/fd").iterdir()
        if os.path.lexists(link)
    }
    tables = [Path(f"/proc/net/{name}") for name in ("tcp", "tcp6", "udp", "udp6")]
    listening = {f"socket:[{line.split()[9]}]" for table in tables for line in table.read_text().splitlines()[1:]}
    assert any(inode.startswith("socket:") for inode in inodes)
    assert not inodes & listening
    assert stat.S_IMODE(running.socket_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE((running.socket_dir / ".s.PGSQL.5432").stat().st_mode) == 0o700
    assert stat.S_IMODE(running.cluster.stat().st_mode) == 0o700
    assert stat.S_IMODE(running.log.path.stat().st_mode) == 0o600


def test_memory_text_does_not_reach_the_log(running: EmbeddedPostgres) -> None:
    run(running.admin_url, "CREATE TABLE notes (text text PRIMARY KEY)", "INSERT INTO notes VALUES ('hush-1')")
    for statement in (
        "INSERT INTO notes VALUES ('hush-1')",
        "SELECT 'hush-2'::int",
        "SELECT hush_3",
        "DO $$ BEGIN RAISE WARNING 'hush-4'; END $$",
        "SELECT 'hush-5' FROM pg_terminate_backend(pg_backend_pid())",
    ):
        try:
            run(running.admin_url, statement)
        except psycopg.Error:
            continue  # these are meant to fail
    log = running.log.path.read_text()
    assert "terminating connection" in log
    assert "hush" not in log


def test_the_environment_of_the_parent_changes_nothing(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "6543")
    monkeypatch.setenv("PGDATA", "/nonexistent")
    monkeypatch.setenv("LC_ALL", "xx_XX.UTF-8")
    server = EmbeddedPostgres(data / "postgres")
    server.start()
    try:
        assert run(server.admin_url, "SELECT 1") == [(1,)]
    finally:
        server.stop()


def test_a_setting_that_loses_commits_is_refused(copy: Path) -> None:
    server = EmbeddedPostgres(copy / "postgres")
    server.start()
    run(server.admin_url, "ALTER DATABASE memos SET synchronous_commit = off", "ALTER SYSTEM SET fsync = off")
    server.stop()
    with pytest.raises(StartupError, match="synchronous_commit = 'off'"):
        server.start()
    assert not server.alive()
    assert not processes_in(server.cluster, "postgres")


def test_the_log_is_bounded(running: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memos.embedded.logfile.BOUND_BYTES", 1)
    running.log.trim()
    assert running.log.path.stat().st_size == 0
    assert running.log.path.with_name("postgres.log.1").stat().st_size > 0
    with pytest.raises(psycopg.Error):
        run(running.admin_url, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert running.log.path.read_bytes().startswith(b"20"), "the server goes on at the new end of the file"


# -- what it survives ------------------------------------------------------------------------------------------------


def test_data_is_kept_when_it_is_stopped_and_when_the_postmaster_is_killed(data: Path) -> None:
    server = EmbeddedPostgres(data / "postgres")
    server.start()
    try:
        run(server.admin_url, "DROP TABLE IF EXISTS kept", "CREATE TABLE kept (n int)")
        write(server)
        server.stop()
        assert not server.alive()
        server.start()
        assert kept(server) == 1
        idle = psycopg.connect(server.admin_url.replace("+psycopg", ""))
        write(server)
        old = processes_in(server.cluster, "postgres")
        os.kill(postmaster(server), signal.SIGKILL)
        eventually(lambda: not server.alive(), "the death is noticed")
        server.start()
        assert kept(server) == 2
        assert not any(process.alive() for process in old)
        with pytest.raises(psycopg.OperationalError):
            idle.execute("SELECT 1")
        idle.close()
    finally:
        server.stop()


def test_a_stopped_backend_of_a_killed_postmaster_does_not_block_the_next(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ORPHAN_PATIENCE_S", 0.3)
    server = EmbeddedPostgres(data / "postgres")
    server.start()
    try:
        idle = psycopg.connect(server.admin_url.replace("+psycopg", ""))
        backend = living(idle.info.backend_pid)
        backend.send(signal.SIGSTOP)
        os.kill(postmaster(server), signal.SIGKILL)
        eventually(lambda: not server.alive(), "the death is noticed")
        server.start()
        assert not backend.alive()
        idle.close()
    finally:
        server.stop()


def test_a_killed_parent_takes_postgres_along_and_the_next_start_heals(data: Path) -> None:
    with Parent("run_postgres", data / "postgres") as first:
        facts = first.facts()
        run(facts["url"], "DROP TABLE IF EXISTS kept", "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (1)")
        old = processes_in(Path(facts["cluster"]), "postgres")
        assert len(old) > 3
        first.kill()
    eventually(lambda: not any(process.alive() for process in old), "Postgres follows its parent")
    server = EmbeddedPostgres(data / "postgres")
    server.start()
    try:
        assert kept(server) == 1
    finally:
        server.stop()


def test_a_pid_file_that_names_another_living_process_is_cleared(data: Path, running: EmbeddedPostgres) -> None:
    server = EmbeddedPostgres(data / "postgres")
    server.start()
    server.stop()
    for reused in (os.getpid(), postmaster(running)):  # some program; a postgres, but of another cluster
        for leftover in (server.cluster / "postmaster.pid", server.socket_dir / ".s.PGSQL.5432.lock"):
            leftover.write_text(f"{reused}\n{server.cluster}\n1\n5432\n\n\n0 0\nready\n")
        server.start()
        assert postmaster(server) != reused
        server.stop()
    assert running.alive()
    assert run(running.admin_url, "SELECT 1") == [(1,)]


def test_a_kill_at_any_moment_of_the_first_start_heals(empty: Path) -> None:
    seen = set()
    for delay_s in (0.05, 0.15, 0.25, 0.35):
        with Parent("run_postgres", empty / "postgres") as first:
            eventually(lambda: (empty / "postgres").exists(), "the start has begun")
            try:
                first.process.wait(delay_s)
            except subprocess.TimeoutExpired:
                first.kill()
        seen |= {entry.name.split("-")[0] for entry in (empty / "postgres").iterdir()}
        if "cluster" in seen:
            break
    assert "cluster.draft" in seen, "no kill hit initdb"
    server = EmbeddedPostgres(empty / "postgres")
    server.start()
    try:
        assert run(server.admin_url, "SELECT 1") == [(1,)]
        assert {entry.name for entry in (empty / "postgres").iterdir()} == {"cluster", "socket"}
    finally:
        server.stop()


def test_two_owners_of_one_cluster_are_refused(running: EmbeddedPostgres) -> None:
    with pytest.raises(DataDirectoryBusy, match=f"pid {os.getpid()}"):
        EmbeddedPostgres(running.root).start()
    assert run(running.admin_url, "SELECT 1") == [(1,)]


def test_erasing_leaves_nothing_anywhere(empty: Path) -> None:
    server = EmbeddedPostgres(empty / "postgres")
    server.start()
    home = server.cluster.parent.resolve()
    server.erase()
    assert not home.exists()
    assert not home.with_suffix(".origin").exists()
    assert list(empty.iterdir()) == []
    server.start()
    server.erase()


@as_root
def test_a_removed_data_directory_leaves_a_home_that_can_be_found(data: Path) -> None:
    home = (data / "postgres").resolve()
    assert home not in abandoned_homes()
    (data / "postgres").rename(data / "renamed")
    assert home in abandoned_homes()
    (data / "renamed").rename(data / "postgres")


# -- what it refuses -------------------------------------------------------------------------------------------------


def test_a_start_that_fails_says_why_and_leaves_nothing(data: Path) -> None:
    server = EmbeddedPostgres(data / "postgres")
    server.start()
    server.stop()
    (server.cluster / "global" / "pg_control").rename(data / "pg_control")
    with pytest.raises(StartupError, match="ended while starting") as caught:
        server.start()
    assert "could not find the database system" in caught.value.hint
    assert not server.alive()
    (data / "pg_control").rename(server.cluster / "global" / "pg_control")
    server.start()
    server.stop()


def test_a_cluster_of_another_major_version_is_refused(data: Path) -> None:
    server = EmbeddedPostgres(data / "postgres")
    server.start()
    server.stop()
    version = (server.cluster / "PG_VERSION").read_text()
    (server.cluster / "PG_VERSION").write_text("17\n")
    with pytest.raises(StartupError, match="made by Postgres 17"):
        server.start()
    server.stop()
    (server.cluster / "PG_VERSION").write_text(version)


def test_a_lost_cluster_is_refused_and_never_replaced_by_an_empty_one(copy: Path) -> None:
    server = EmbeddedPostgres(copy / "postgres")
    server.start()
    server.stop()
    shutil.rmtree(server.cluster)
    with pytest.raises(StartupError, match="is gone"):
        server.start()
    server.stop()
    shutil.rmtree((copy / "postgres").resolve())
    with pytest.raises(StartupError, match="gone"):
        server.start()
    server.stop()


# -- as root, and not ------------------------------------------------------------------------------------------------


@as_root
def test_as_root_it_runs_as_a_user_of_its_own_outside_the_data_directory(running: EmbeddedPostgres) -> None:
    home = running.root.resolve()
    assert running.root.is_symlink()
    assert home.parent == SHARED
    user = pwd.getpwnam("memos").pw_uid
    for process in processes_in(running.cluster, "postgres"):
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert f"Uid:\t{user}\t{user}\t{user}\t{user}\n" in status
        assert "Groups:\t \n" in status
    assert home.stat().st_uid == user
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    binaries = SHARED / "postgresql-18.4"
    assert running.binaries.is_relative_to(binaries)
    writable = [path for path in binaries.rglob("*") if path.lstat().st_uid != 0 or path.stat().st_mode & 0o022]
    assert writable == []


@as_root
def test_a_copied_data_directory_does_not_share_its_original_s_database(empty: Path) -> None:
    server = EmbeddedPostgres(empty / "one" / "postgres")
    server.start()
    server.stop()
    shutil.copytree(empty / "one", empty / "two", symlinks=True)
    copy = EmbeddedPostgres(empty / "two" / "postgres")
    with pytest.raises(StartupError, match="is a copy of"):
        copy.start()
    copy.stop()
    shutil.rmtree(empty / "one")
    moved = EmbeddedPostgres(empty / "two" / "postgres")
    moved.start()
    moved.stop()
    (empty / "alias").symlink_to(empty / "two")
    by_another_name = EmbeddedPostgres(empty / "alias" / "postgres")
    by_another_name.start()
    by_another_name.stop()


@as_root
def test_an_ordinary_user_runs_it_in_place_however_long_the_path() -> None:
    with folder(owner=NOBODY) as path:
        root = path / ("long-" * 20) / "postgres"
        with Parent("run_postgres", root, user=NOBODY) as parent:
            facts = parent.facts()
            assert facts["uid"] == NOBODY
            assert Path(facts["cluster"]) == root / "cluster"
            assert not root.is_symlink()
            socket_dir = Path(facts["socket_dir"])
            assert socket_dir.parent == Path("/tmp")
            assert socket_dir.stat().st_uid == NOBODY
            assert stat.S_IMODE(socket_dir.stat().st_mode) == 0o700
            assert run(facts["url"], "SELECT 1") == [(1,)]
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(socket_dir / ".s.PGSQL.5432"))
            run(facts["url"], "CREATE TABLE kept (n int)")
            assert parent.end() == 0
        with Parent("run_postgres", root, user=NOBODY) as parent:
            assert run(parent.facts()["url"], "SELECT n FROM kept") == []
            server = EmbeddedPostgres(root)
            with pytest.raises(DataDirectoryBusy):
                server.start()
            assert parent.end() == 0
        server = EmbeddedPostgres(root)
        with pytest.raises(StartupError, match=f"made by user {NOBODY}"):
            server.start()
        server.stop()
        shutil.rmtree(socket_dir)


@as_root
def test_a_socket_folder_that_somebody_else_made_is_refused() -> None:
    with folder(owner=NOBODY) as path:
        root = path / ("long-" * 20) / "postgres"
        with Parent("run_postgres", root, user=NOBODY) as parent:
            socket_dir = Path(parent.facts()["socket_dir"])
            assert parent.end() == 0
        os.chown(socket_dir, 0, 0)
        with Parent("run_postgres", root, user=NOBODY) as parent:
            assert parent.process.wait(20) == 1
            assert "is not a private folder" in parent.output()
        shutil.rmtree(socket_dir)
