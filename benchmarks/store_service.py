"""The store over REST: what adding, searching and starting cost, in CPU of every process of the service, and in memory.

The bare endpoint (`benchmarks.store_bare`) writes into the same Postgres, in turns with the service, so that both meet
the same load of the machine.
"""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from sqlalchemy import make_url

from benchmarks.report import spread
from benchmarks.store_bare import TABLE
from benchmarks.store_data import Made
from memos.embedded.datadir import read_service
from memos.embedded.process import processes_in
from tests.support.evidence import connect
from tests.support.topology import Topology, free_port

CLIENTS = 8
BATCH = 1_000
Send = Callable[[int, bytes], None]


@dataclass(frozen=True)
class Spent:
    """Of one run of requests: by all processes of a service, and by the clock."""

    cpu_s: float
    wall_s: float


class Service:
    """A running service, looked at from outside."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.data_dir = topology.blobs.parent
        self.where = urlsplit(topology.urls[0]).netloc
        self.headers = {"Authorization": f"Bearer {topology.api_key}", "Content-Type": "application/json"}

    @property
    def pid(self) -> int:
        found = read_service(self.data_dir)
        assert found is not None
        return found.pid

    def postgres(self) -> list[int]:
        return [one.pid for one in processes_in(self.data_dir / "postgres" / "cluster", "postgres")]

    def post(self, connection: http.client.HTTPConnection, path: str, body: bytes, *, keyed: bool = False) -> Any:
        connection.request("POST", path, body, self.headers | ({"Idempotency-Key": uuid4().hex} if keyed else {}))
        answer = connection.getresponse()
        said = answer.read()
        assert answer.status in (200, 201), (answer.status, said[:500])
        return json.loads(said)

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.where, timeout=300)

    def rss_mb(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


def cpu_s(pids: Sequence[int]) -> float:
    """On-CPU time of all threads of these processes, of the clock that counts in nanoseconds."""
    total = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def spending(pids: Callable[[], Sequence[int]], run: Callable[[], None]) -> Spent:
    before, began = cpu_s(pids()), time.perf_counter()
    run()
    wall = time.perf_counter() - began
    return Spent(cpu_s(pids()) - before, wall)


def adds(service: Service, made: Made, *, count: int, rounds: int) -> dict[str, Any]:
    """Single memories with their vectors, by eight clients, in turns with the bare endpoint; `keyed`: with an
    Idempotency-Key each, which the bare endpoint knows nothing of."""
    bodies = [
        json.dumps({"text": text, "user_id": f"client-{number % CLIENTS}", "embedding": vector.tolist()}).encode()
        for number, (text, vector) in enumerate(zip(made.texts[: count * rounds], made.vectors, strict=False))
    ]
    ours, keyed, theirs = [], [], []
    with _bare(service) as (bare, pid):
        for number in range(-1, rounds):
            some = bodies[:count] if number < 0 else bodies[number * count : (number + 1) * count]
            if number < 0:  # to warm up, other texts than those that are measured
                some = _otherwise(some[: count // 4], b"First ")
            one = spending(lambda: [service.pid, *service.postgres()], lambda some=some: _by_clients(service, some))  # type: ignore[misc]
            other = spending(lambda: [pid, *service.postgres()], lambda some=some: _by_clients(bare, some))  # type: ignore[misc]
            some = _otherwise(some, b"Again ")
            third = spending(
                lambda: [service.pid, *service.postgres()],
                lambda some=some: _by_clients(service, some, keyed=True),  # type: ignore[misc]
            )
            if number >= 0:
                ours.append(one)
                theirs.append(other)
                keyed.append(third)
    return {
        "clients": CLIENTS,
        "adds": count * rounds,
        "memos": _rates(ours, count),
        "memos_keyed": _rates(keyed, count),
        "bare_endpoint": _rates(theirs, count),
        "ratio_per_cpu_s": round(sum(one.cpu_s for one in theirs) / sum(one.cpu_s for one in ours), 3),
        "ratio_per_cpu_s_keyed": round(sum(one.cpu_s for one in theirs) / sum(one.cpu_s for one in keyed), 3),
        "ratio_per_wall_s": round(sum(one.wall_s for one in theirs) / sum(one.wall_s for one in ours), 3),
        "goal": 0.7,
    }


def _rates(runs: Sequence[Spent], count: int) -> dict[str, Any]:
    return {
        "per_cpu_s": spread([count / run.cpu_s for run in runs], 1),
        "per_wall_s": spread([count / run.wall_s for run in runs], 1),
    }


class _Bare(Service):
    def __init__(self, service: Service, where: str) -> None:
        super().__init__(service.topology)
        self.where = where

    def post(self, connection: http.client.HTTPConnection, path: str, body: bytes, *, keyed: bool = False) -> Any:
        return super().post(connection, "/memories", body)


@contextlib.contextmanager
def _bare(service: Service) -> Iterator[tuple[_Bare, int]]:
    url = make_url(service.topology.admin_url).set(drivername="postgresql")
    address = url.render_as_string(hide_password=False)
    with connect(service.topology.admin_url) as connection:
        connection.execute(TABLE)
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "benchmarks.store_bare:app",
        "--port",
        str(port),
        "--log-level",
        "warning",
    ]
    process = subprocess.Popen(command, env=os.environ | {"BARE_DATABASE": address})
    try:
        for _ in range(300):
            with contextlib.suppress(OSError):
                http.client.HTTPConnection("127.0.0.1", port, timeout=1).connect()
                break
            time.sleep(0.1)
        yield _Bare(service, f"127.0.0.1:{port}"), process.pid
    finally:
        process.terminate()
        process.wait()


def _otherwise(bodies: Sequence[bytes], word: bytes) -> list[bytes]:
    """What was remembered already is not stored again: each text begins with another word."""
    return [body.replace(b'{"text": "', b'{"text": "' + word, 1) for body in bodies]


def _by_clients(service: Service, bodies: Sequence[bytes], *, keyed: bool = False) -> None:
    failed: list[BaseException] = []

    def client(number: int) -> None:
        connection = service.connection()
        try:
            for body in bodies[number::CLIENTS]:
                service.post(connection, "/v1/memories", body, keyed=keyed)
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def fill(service: Service, made: Made, user_id: str, count: int) -> Spent:
    """That many memories of one user, a thousand at a time."""
    connection = service.connection()
    total = Spent(0.0, 0.0)
    for at in range(0, count, BATCH):
        items = [
            {"text": made.texts[n], "user_id": user_id, "embedding": made.vectors[n].tolist()}
            for n in range(at, min(count, at + BATCH))
        ]
        body = json.dumps({"items": items}).encode()
        one = spending(
            lambda: [service.pid, *service.postgres()],
            lambda body=body: service.post(connection, "/v1/memories", body),  # type: ignore[misc]
        )
        total = Spent(total.cpu_s + one.cpu_s, total.wall_s + one.wall_s)
    connection.close()
    return total


def searches(service: Service, made: Made, user_id: str, count: int) -> dict[str, Any]:
    """One client; CPU of the API and of Postgres for each search, and whether the memory that was meant is found."""
    connection = service.connection()
    spent_ms, wall_ms, found = [], [], 0
    for number in range(count):
        body = _question(made, number, user_id)
        answers: list[Any] = []
        one = spending(
            lambda: [service.pid, *service.postgres()],
            lambda body=body, answers=answers: answers.append(service.post(connection, "/v1/memories/search", body)),  # type: ignore[misc]
        )
        spent_ms.append(one.cpu_s * 1000)
        wall_ms.append(one.wall_s * 1000)
        meant = made.texts[made.about[number]]
        found += any(hit["text"] == meant for hit in answers[0]["results"])
    connection.close()
    return {"cpu_ms": spread(spent_ms), "wall_ms": spread(wall_ms), "found": round(found / count, 3)}


def first_search(service: Service, made: Made, user_id: str) -> Spent:
    connection = service.connection()
    body = _question(made, 0, user_id)
    try:
        return spending(
            lambda: [service.pid, *service.postgres()],
            lambda: service.post(connection, "/v1/memories/search", body) and None,
        )
    finally:
        connection.close()


def settled(service: Service, patience_s: float = 600.0) -> float:
    """Waits until the API works at nothing by itself any more (a graph that is made behind the searches), and says how
    much CPU that took."""
    began, before = time.perf_counter(), cpu_s([service.pid])
    last = before
    while time.perf_counter() < began + patience_s:
        time.sleep(2)
        now = cpu_s([service.pid])
        if now - last < 0.1:
            break
        last = now
    return round(last - before, 2)


def cold_start(service: Service, made: Made, user_id: str) -> dict[str, float]:
    """Killed with -9, started again: until it is ready, and from there to the first answer."""
    victim = service.topology.victims["service"]
    victim.kill()
    began = time.perf_counter()
    victim.restore()
    ready_s = time.perf_counter() - began
    first = first_search(service, made, user_id)
    return {
        "ready_wall_s": round(ready_s, 2),
        "first_search_wall_s": round(first.wall_s, 2),
        "first_search_cpu_s": round(first.cpu_s, 2),
    }


def _question(made: Made, number: int, user_id: str) -> bytes:
    body = {
        "query": made.questions[number],
        "user_id": user_id,
        "embedding": made.asked[number].tolist(),
        "top_k": 10,
    }
    return json.dumps(body).encode()
