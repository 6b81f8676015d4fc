"""The model worker as a child: its address is fixed before it runs, so the API can start without it.

A worker that comes back after a crash must come back at the same address, because the API was told it once. The port
is therefore reserved here for the life of this process: bound, never listening. Linux lets the worker bind the same
port (both ends set SO_REUSEADDR and only one listens) and gives it to nobody else by chance.

Refuses to import anything of the worker: it knows it as a command and as `GET /health`.
"""

import http.client
import os
import socket
import subprocess
import sys
from pathlib import Path

from memos.embedded.logfile import ChildLog
from memos.embedded.spawn import spawn
from memos.embedded.supervisor import Child
from memos.kit.config import Settings

HOST = "127.0.0.1"
HEALTH_TIMEOUT_S = 2.0
READY_TIMEOUT_S = 300.0  # weights are read from disk, and the machine may be small


class ModelWorker:
    """One worker as the settings say, which stores states in `blob_url`."""

    def __init__(self, data_dir: Path, settings: Settings, blob_url: str) -> None:
        self._options = ["--engine", settings.generator, "--blob-url", blob_url]
        self._options += ["--device", settings.model_device, "--state-dtype", settings.state_dtype]
        self._options += ["--distil-dir", str(data_dir / "distil")]
        if settings.checkpoint is not None:
            self._options += ["--checkpoint", str(settings.checkpoint.absolute())]
        # How to log and where traces go: it may stand in a memos.toml that the worker does not see.
        self._told = {"MEMOS_LOG_LEVEL": settings.log_level, "MEMOS_LOG_TEXTS": str(settings.log_texts).lower()}
        self._told |= {"MEMOS_OTLP_URL": settings.otlp_url} if settings.otlp_url else {}
        self._port_file = data_dir / "model.port"
        self._log = ChildLog(data_dir / "model.log")
        self._reservation = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reservation.bind((HOST, 0))
        self._port: int = self._reservation.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._port}"

    def child(self) -> Child:
        return Child("model", self._spawn, self._ready, self._log, ready_timeout_s=READY_TIMEOUT_S)

    def _spawn(self) -> "subprocess.Popen[bytes]":
        self._port_file.unlink(missing_ok=True)
        module = [sys.executable, "-m", "workers.model", *self._options]
        where = ["--host", HOST, "--port", str(self._port), "--port-file", str(self._port_file)]
        with self._log.open() as log:
            return spawn([*module, *where], env=os.environ | self._told, output=log)

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=HEALTH_TIMEOUT_S)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False  # not listening yet, or just ending
        finally:
            connection.close()
