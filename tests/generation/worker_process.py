"""A real model worker in a process of its own."""

import subprocess
import sys
import time
from pathlib import Path

START_TIMEOUT_S = 30.0


class WorkerProcess:
    def __init__(self, folder: Path, blob_url: str, *options: str, engine: str = "echo", port: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port_file = folder / "port"
        port_file.unlink(missing_ok=True)
        self._log = (folder / "log").open("wb")
        command = [sys.executable, "-m", "workers.model", "--engine", engine, "--blob-url", blob_url]
        command += ["--port", str(port), "--port-file", str(port_file), *options]
        self.process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not port_file.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"the worker did not start: {(folder / 'log').read_text()}")
            time.sleep(0.02)
        self.port = int(port_file.read_text())
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._log.close()
