"""Signs of life, from the processes of a Celery worker to the `workers.consumer` that started them.

Datagrams on a local socket without a file: a worker sends and forgets, a sign that nobody hears is dropped, and
nothing has to be cleaned up. Two signs are told apart: `alive`, which the worker's main process sends on a timer of its
own event loop, and `jobs`, sent whenever a job starts, goes on or ends. Linux only.
"""

import os
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress

VARIABLE = "MEMOS_CONSUMER_BEACON"
ALIVE, JOBS = b"a", b"j"


class Beacon:
    """The sending end; without an address it sends nothing."""

    def __init__(self, address: str | None) -> None:
        self._address = address

    @classmethod
    def from_environment(cls) -> "Beacon":
        return cls(os.environ.get(VARIABLE))

    def alive(self) -> None:
        self._send(ALIVE)

    def jobs(self) -> None:
        self._send(JOBS)

    def _send(self, sign: bytes) -> None:
        if self._address is None:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            # The consumer is gone or has not read for a while: its loss, and no reason to hold up a job.
            with suppress(OSError):
                sender.sendto(sign, f"\0{self._address}")


class Lookout:
    """The receiving end, for an event loop to read."""

    def __init__(self, on_sign: Callable[[bytes], None]) -> None:
        self.address = f"memos-consumer-{secrets.token_hex(8)}"
        self._on_sign = on_sign
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(f"\0{self.address}")

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> None:
        """Hands on every sign that has arrived."""
        with suppress(BlockingIOError):
            while True:
                self._on_sign(self._socket.recv(16))

    def close(self) -> None:
        self._socket.close()
