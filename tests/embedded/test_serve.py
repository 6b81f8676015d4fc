"""`serve` as a process: first start, second start, stop, and every kind of kill."""

import http.client
import json
import os
import signal
import socket
import stat
import threading
from pathlib import Path
from typing import Any

from memos.embedded.datadir import Service, read_service
from memos.embedded.process import ProcessId
from memos.embedded.supervisor import read_children
from tests.embedded.harness import REPOSITORY, Parent, eventually, living

WORKER = """
import argparse, http.server, pathlib
parser = argparse.ArgumentParser()
for name in ("engine", "blob-url", "host", "port", "port-file"):
    parser.add_argument("--" + name, required=True)
options, _ = parser.parse_known_args()  # what the model is told is tested in test_model_worker
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
server = http.server.HTTPServer((options.host, int(options.port)), Handler)
pathlib.Path(options.port_file).write_text(str(server.server_port))
server.serve_forever()
"""


def get(url: str, path: str) -> Any:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        return json.loads(body) if body else None
    finally:
        connection.close()


def service_of(parent: Parent, data: Path) -> Service:
    parent.wait_for("API ")
    service = read_service(data)
    assert service is not None
    return service


def worker_in(folder: Path, code: str) -> str:
    """A PYTHONPATH on which `workers.model` is this code."""
    package = folder / "path" / "workers" / "model"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(code)
    return f"{package.parents[1]}{os.pathsep}{REPOSITORY}"


def test_first_start_second_start_and_stop(empty: Path) -> None:
    data = empty / "data"
    with Parent("run_serve", data, "echo", "0") as first:
        service = service_of(first, data)
        assert service.pid == first.process.pid
        assert service.url in first.output()
        assert str(data / "admin.key") in first.output()
        facts = get(service.url, "/facts")
        assert facts["row"] == ["memos_app", 1]
        assert facts["secret"] == (data / "secret").read_text()
        assert facts["blob_url"] == (data / "blobs").as_uri()
        assert facts["model_url"] is None
        assert facts["children"]["postgres"]["state"] == "running"
        modes = {stat.S_IMODE(entry.stat().st_mode) for entry in data.iterdir() if entry.is_file()}
        assert modes == {0o600}
        assert stat.S_IMODE(data.stat().st_mode) == 0o700

        with Parent("run_serve", data, "echo", "0") as second:
            assert second.process.wait(20) == 1
            assert f"at {service.url} (pid {service.pid})" in second.output()
        postgres = living(facts["children"]["postgres"]["pid"])
        assert get(service.url, "/facts")["children"]["postgres"]["pid"] == postgres.pid, "the first goes on unharmed"

        slow: list[Any] = []
        request = threading.Thread(target=lambda: slow.append(get(service.url, "/slow")))
        request.start()
        eventually(lambda: _connected_to(service.url), "the slow request has arrived")
        assert first.end() == 0
        request.join()
        assert slow == [{"slow": "done"}], "what was in flight is finished"
        assert not postgres.alive()
        assert not (data / "service.json").exists()
        assert read_children(data)["postgres"]["state"] == "stopped"


def _connected_to(url: str) -> bool:
    port = int(url.rpartition(":")[2])
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(int(line[1].rpartition(":")[2], 16) == port and line[3] == "01" for line in lines)


def test_ctrl_c_reaches_the_service_and_not_its_children_first(data: Path) -> None:
    with Parent("run_serve", data, "echo", "0") as parent:
        service = service_of(parent, data)
        postgres = get(service.url, "/facts")["children"]["postgres"]["pid"]
        assert os.getsid(postgres) == postgres
        assert parent.end(signal.SIGINT) == 0


def test_kill_9_of_everything_heals_and_keeps_the_data(data: Path) -> None:
    with Parent("run_serve", data, "echo", "0") as first:
        service = service_of(first, data)
        postgres = living(get(service.url, "/facts")["children"]["postgres"]["pid"])
        before = get(service.url, "/facts")
        # Stopped, it cannot follow its parent: the next start has a true survivor to clear.
        postgres.send(signal.SIGSTOP)
        first.kill()
        assert postgres.alive()
        assert read_service(data) is None
    with Parent("run_serve", data, "echo", "0") as second:
        service = service_of(second, data)
        assert not postgres.alive()
        facts = get(service.url, "/facts")
        assert facts["row"] == ["memos_app", before["row"][1] + 1]
        assert facts["secret"] == before["secret"]
        assert second.end() == 0


def test_kill_9_of_the_postmaster_is_healed_while_serving(data: Path) -> None:
    with Parent("run_serve", data, "echo", "0") as parent:
        service = service_of(parent, data)
        before = get(service.url, "/facts")
        living(before["children"]["postgres"]["pid"]).send(signal.SIGKILL)
        parent.wait_for("postgres: running again")
        facts = get(service.url, "/facts")
        assert facts["row"] == before["row"]
        assert facts["children"]["postgres"]["restarts"] == 1
        assert facts["children"]["postgres"]["last_exit"] == "killed by SIGKILL"
        assert parent.end() == 0


def _listens(address: str) -> bool:
    """A worker runs a moment before it listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(address.rpartition(":")[2]))) == 0


def test_the_model_worker_comes_back_at_the_same_address(data: Path, tmp_path: Path) -> None:
    path = worker_in(tmp_path, WORKER)
    with Parent("run_serve", data, "rxt", "0", PYTHONPATH=path) as parent:
        service = service_of(parent, data)

        def model() -> Any:
            return get(service.url, "/facts")["children"]["model"]

        eventually(lambda: model()["state"] == "running", "the worker runs")
        address = get(service.url, "/facts")["model_url"]
        get(address, "/health")
        worker = living(model()["pid"])
        worker.send(signal.SIGKILL)
        eventually(lambda: (model()["state"], model()["restarts"]) == ("running", 1), "the worker is back")
        eventually(lambda: _listens(address), "it answers at its address")
        get(address, "/health")
        worker = living(model()["pid"])
        assert parent.end() == 0
        assert not worker.alive()


def test_the_api_serves_while_the_model_worker_cannot_start(data: Path, tmp_path: Path) -> None:
    path = worker_in(tmp_path, "raise SystemExit('no weights')")
    with Parent("run_serve", data, "rxt", "0", PYTHONPATH=path) as parent:
        service = service_of(parent, data)
        assert "Loading    model" in parent.output()
        eventually(lambda: get(service.url, "/facts")["children"]["model"]["restarts"] >= 1, "it was tried again")
        facts = get(service.url, "/facts")
        assert facts["children"]["model"]["state"] in ("restarting", "starting")
        assert "exit status 1" in facts["children"]["model"]["last_error"]
        assert "no weights" in (data / "model.log").read_text()
        assert parent.end() == 0


def test_a_taken_port_is_refused_but_the_default_one_is_replaced(data: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with Parent("run_serve", data, "echo", str(taken.getsockname()[1])) as parent:
            assert parent.process.wait(20) == 1
            assert "cannot be listened on: Address already in use" in parent.output()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 7077))
            taken.listen()
        except OSError:
            pass  # somebody else has it, which serves as well
        with Parent("run_serve", data, "echo", "7077", MEMOS_HOST="127.0.0.1") as parent:
            parent.wait_for("Port 7077 is taken")
            service = service_of(parent, data)
            assert not service.url.endswith(":7077")
            assert get(service.url, "/facts")["row"][0] == "memos_app"
            assert parent.end() == 0


def test_with_a_database_elsewhere_there_are_no_children_and_a_wide_address_is_warned_of(empty: Path) -> None:
    data = empty / "data"
    elsewhere = "postgresql+psycopg://elsewhere/memos"
    with Parent("run_serve", data, "echo", "0", MEMOS_DATABASE_URL=elsewhere, MEMOS_HOST="0.0.0.0") as parent:
        line = parent.wait_for("API ")
        assert "Warning: listening on 0.0.0.0" in parent.output()
        url = next(word for word in line.split() if word.startswith("http://127.0.0.1:"))
        assert get(url, "/slow") == {"slow": "done"}
        assert not data.exists()
        children = Path(f"/proc/{parent.process.pid}/task/{parent.process.pid}/children").read_text()
        assert children == ""
        assert parent.end() == 0


def test_the_real_service_is_ready_to_take_a_turn(empty: Path) -> None:
    data = empty / "data"
    with Parent("run_serve", data, "echo", "0", "real") as parent:
        service = service_of(parent, data)
        assert get(service.url, "/readyz")["status"] == "ready"
        assert stat.S_IMODE((data / "admin.key").stat().st_mode) == 0o600
        pid = service.pid
        assert parent.end() == 0
        assert ProcessId.of(pid) is None
