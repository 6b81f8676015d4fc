"""The processes of docker-compose.yml, started by hand: its own commands and settings, with this machine's addresses in
place of the containers' names, two APIs and two workers. (There is no Docker engine where these tests run; the image is
checked by a parser in tests/deploy.) The model worker serves the echo engine, whose answers tell what was remembered.
"""

import re
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import yaml
from sqlalchemy import make_url

from tests.support.live import SECRET
from tests.support.postgres import Cluster
from tests.support.redis import redis_server, wait_for
from tests.workers.stack import BIN, Process, conversation, turn

COMPOSE: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "docker-compose.yml").read_text())
START_TIMEOUT_S = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Hands:
    """Starts services of the compose file here."""

    def __init__(self, folder: Path, database: str, admin: str, redis_url: str) -> None:
        self.folder = folder
        self.model_port = free_port()
        self.processes: list[Process] = []
        self._here = {
            r"postgresql://memos_app:[^@]*@postgres:5432/memos": database,
            r"postgresql://postgres:[^@]*@postgres:5432/memos": admin,
            r"redis://redis:6379/\d+": redis_url,
            r"http://model-worker:8100": f"http://127.0.0.1:{self.model_port}",
            r"\$\{MEMOS_SECRET[^}]*\}": SECRET,
            r"\$\{MEMOS_APP_PASSWORD[^}]*\}": "unused: this cluster trusts its own machine",
            r"/var/lib/memos": str(folder),
            r"0\.0\.0\.0": "127.0.0.1",
            r"--port=8100": f"--port={self.model_port}",
            r"--engine=rxt": "--engine=echo",
        }

    def command(self, service: str) -> list[str]:
        words = [self._local(word) for word in COMPOSE["services"][service]["command"]]
        program = {"python": sys.executable}.get(words[0], str(BIN / words[0]))
        return [program, *words[1:]]

    def environment(self, service: str) -> dict[str, str]:
        named = {key: self._local(value) for key, value in COMPOSE["services"][service].get("environment", {}).items()}
        if "MEMOS_METRICS_PORT" in named:  # each has a container of its own there, and one machine here
            named["MEMOS_METRICS_PORT"] = str(free_port())
        return {"PATH": str(BIN), "HOME": str(self.folder), "PYTHONPATH": str(Path(__file__).parents[2])} | named

    def run(self, service: str) -> None:
        """A service that runs once."""
        done = subprocess.run(
            self.command(service), env=self.environment(service), capture_output=True, text=True, timeout=60,
            cwd=self.folder,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def start(self, service: str, number: int = 0, **replaced: str) -> Process:
        command = [replaced.get(word, word) for word in self.command(service)]
        process = Process(f"{service}-{number}", command, self.environment(service), self.folder)
        self.processes.append(process)
        return process

    def check_health(self, service: str) -> None:
        """The service's own check, as the engine would run it in the container."""
        kind, line = COMPOSE["services"][service]["healthcheck"]["test"]
        assert kind == "CMD-SHELL"
        environment = self.environment(service) | {"HOSTNAME": socket.gethostname(), "PATH": f"{BIN}:/usr/bin:/bin"}
        done = subprocess.run(
            ["/bin/sh", "-c", line.replace("$$", "$")], env=environment, capture_output=True, text=True, timeout=60,
            cwd=self.folder,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def await_ready(self, url: str) -> None:
        def ready() -> bool:
            dead = [process for process in self.processes if process.popen.poll() is not None]
            assert not dead, f"{dead[0].name} ended: {dead[0].log[-3000:]}"
            try:
                return httpx2.get(url, timeout=5).status_code == 200
            except httpx2.TransportError:
                return False

        wait_for(ready, START_TIMEOUT_S, url)

    def _local(self, value: str) -> str:
        for pattern, here in self._here.items():
            value = re.sub(pattern, here.replace("\\", r"\\"), value)
        return value


@contextmanager
def hands(cluster: Cluster, redis_url: str, folder: Path) -> Iterator[Hands]:
    name = f"hand_{uuid.uuid4().hex[:12]}"
    with cluster.admin() as connection:
        connection.execute(f"CREATE DATABASE {name}")
    admin = make_url(cluster.server.admin_url).set(database=name)
    database = make_url(cluster.server.url_for("memos_app", None)).set(database=name)
    made = Hands(folder, str(database), admin.render_as_string(hide_password=False), redis_url)
    try:
        yield made
    finally:
        for process in reversed(made.processes):
            process.kill_tree()


def test_the_processes_of_the_compose_file_hold_a_conversation(postgres_cluster: Cluster, tmp_path: Path) -> None:
    with redis_server() as redis, hands(postgres_cluster, redis.url, tmp_path) as by_hand:
        by_hand.run("migrate")
        by_hand.run("first-key")
        ports = [free_port(), free_port()]
        by_hand.start("model-worker")
        by_hand.start("relay")
        for number, port in enumerate(ports):
            by_hand.start("worker", number)
            by_hand.start("api", number, **{"7077": str(port)})
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        for url in urls:
            by_hand.await_ready(f"{url}/readyz")
        key = (tmp_path / "admin.key").read_text().strip()
        headers = {"Authorization": f"Bearer {key}"}
        first, second = (httpx2.Client(headers=headers, timeout=60, base_url=url) for url in urls)
        with first as one, second as two:
            conversation_id = conversation(one)
            for number in range(6):
                answer = turn((one, two)[number % 2], conversation_id, f"fact {number}")
                assert answer["output"].startswith(f"echo {number} ["), "it remembers every earlier turn"
            listed = one.get(f"/v1/conversations/{conversation_id}/turns").json()["items"]
            assert [item["seq"] for item in listed] == list(range(1, 7))
            outlive_the_model_worker(by_hand, one, conversation_id)
        by_hand.check_health("worker")
        ended = {process.name: process.terminate() for process in reversed(by_hand.processes)}
        assert set(ended.values()) == {0}, ended


def outlive_the_model_worker(by_hand: Hands, client: httpx2.Client, conversation_id: str) -> None:
    """An answered turn whose model worker is gone is taken in when there is one again, and nobody lends a hand."""
    relay, model = (next(p for p in by_hand.processes if p.name == f"{name}-0") for name in ("relay", "model-worker"))

    def idle() -> bool:
        jobs = client.get("/v1/stats").json()["jobs"]
        return bool(jobs["queued"] == jobs["running"] == 0)

    wait_for(idle, 20, "the earlier turns to be taken in")  # else their run takes the next one along
    relay.popen.send_signal(signal.SIGSTOP)
    turn(client, conversation_id, "the last word", consistency="eventual")
    model.kill_tree()
    by_hand.processes.remove(model)
    relay.popen.send_signal(signal.SIGCONT)

    def tries() -> int:
        [job] = client.get("/v1/jobs", params={"limit": 1}).json()["items"]
        assert job["status"] != "failed"
        assert job["failures"] == 0
        error = job["error"] or {"tries": 0, "code": "model_unavailable", "transient": True}
        assert error["code"] == "model_unavailable"
        assert error["transient"]
        return int(error["tries"])

    wait_for(lambda: tries() >= 2, 30, "a second try without a model")
    by_hand.start("model-worker", 1)

    def pending() -> int:
        return int(client.get(f"/v1/conversations/{conversation_id}").json()["pending_turns"])

    spent_s = wait_for(lambda: pending() == 0, 40, "the turn to be taken in")
    print(f"a model worker is back: its backlog was taken in {spent_s:.1f} s after its start")
    assert client.get("/v1/jobs", params={"status": "failed"}).json()["items"] == []


def test_every_service_of_the_compose_file_is_covered() -> None:
    """Whoever adds a service adds it here."""
    own = {name for name, service in COMPOSE["services"].items() if str(service["image"]).startswith("memos:")}
    assert own == {"migrate", "first-key", "api", "relay", "worker", "model-worker"}
