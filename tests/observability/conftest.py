"""Every kind of process as a real one, watched in every way that can be configured: all of them log all they can, send
traces, and show their figures.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.generation.worker_process import WorkerProcess
from tests.observability.receiver import Receiver, receiver
from tests.support.live import Live, settings_for
from tests.support.postgres import Cluster
from tests.support.redis import RedisServer, redis_server
from tests.support.topology import free_port
from tests.workers.stack import Stack, stack


@dataclass
class Watched:
    stack: Stack
    model: WorkerProcess
    receiver: Receiver
    logs: dict[str, Path]
    metrics: dict[str, str]  # addresses, by the kind of the process

    @property
    def live(self) -> Live:
        """As helpers take it that know a service in this process."""
        folder = self.stack.folder
        return Live(
            self.stack.urls[0], self.stack.key, folder, settings_for(self.stack.database, folder),
            self.stack.database, None,
        )  # fmt: skip

    def lines(self, process: str) -> list[dict[str, Any]]:
        """The structured lines of a process."""
        found = self.logs[process].read_text(errors="replace").splitlines()
        return [json.loads(line) for line in found if line.startswith("{")]

    def exposed(self, process: str) -> str:
        return httpx2.get(self.metrics[process], timeout=10).text


@pytest.fixture(scope="session")
def redis_of_ours() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture(scope="session")
def watched(
    postgres_cluster: Cluster, redis_of_ours: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    blobs = (folder / "blobs").as_uri()
    with receiver() as collector:
        watching = {
            "MEMOS_LOG_LEVEL": "debug",
            "MEMOS_OTLP_URL": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "MEMOS_SCHEDULE_POLL_S": "0.5",
        }
        with pytest.MonkeyPatch.context() as patch:  # for the worker alone, which takes our environment
            for name, value in watching.items():
                patch.setenv(name, value)
            model = WorkerProcess(folder / "model", blobs)
        relay, consumer = free_port(), free_port()
        watching["MEMOS_MODEL_URL"] = model.url
        try:
            with stack(postgres_cluster.database(), redis_of_ours.url, folder, **watching) as running:
                running.api()
                running.relay(MEMOS_METRICS_PORT=str(relay))
                running.consumer(concurrency=2, MEMOS_METRICS_PORT=str(consumer))
                running.await_apis()
                running.await_consumers(1)
                logs = {name: folder / f"{name}.log" for name in ("api-0", "relay", "consumer")}
                logs |= {"model": folder / "model" / "log", "postgres": postgres_cluster.server.log.path}
                metrics = {"api": running.urls[0], "model": model.url}
                metrics |= {"relay": f"http://127.0.0.1:{relay}", "worker": f"http://127.0.0.1:{consumer}"}
                metrics = {name: f"{url}/metrics" for name, url in metrics.items()}
                yield Watched(running, model, collector, logs, metrics)
        finally:
            model.stop()
