"""A small real HTTP server that answers as a test tells it to, and remembers what it was asked."""

import contextlib
import json
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

NOW = "2026-01-02T03:04:05Z"


@dataclass
class Received:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """`hang_up`: close the connection after the body so far, or, with status 0, without a word. `delay_s`: wait before
    the answer; `hold_s`: wait, at most, for the client to leave after the body so far."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False
    delay_s: float = 0.0
    hold_s: float = 0.0


def ok(value: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def problem(status: int, code: str, **headers: str) -> Answer:
    body = {
        "type": f"https://memos.dev/problems/{code}", "title": code, "status": status, "code": code,
        "detail": f"detail of {code}", "hint": f"hint of {code}", "context": {"most": 3},
    }  # fmt: skip
    return Answer(
        status,
        json.dumps(body).encode(),
        {"Content-Type": "application/problem+json", "X-Request-Id": "req-1"}
        | {name.replace("_", "-"): value for name, value in headers.items()},
    )


def events(*pairs: tuple[str, Any], hang_up: bool = False) -> Answer:
    text = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in pairs)
    return Answer(201, text.encode(), {"Content-Type": "text/event-stream"}, hang_up=hang_up)


SILENCE = Answer(0, hang_up=True)


class Stub:
    """Gives its answers one after the other; the last one for ever."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self._answers: deque[Answer] = deque()
        self._lock = threading.Lock()
        self.url = ""

    def will(self, *answers: Answer) -> None:
        self._answers = deque(answers)

    def take(self, received: Received) -> Answer:
        with self._lock:
            self.received.append(received)
            return self._answers.popleft() if len(self._answers) > 1 else self._answers[0]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, stub: Stub) -> None:
        self.stub = stub
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.stub.take(Received(self.command, parts.path, parse_qs(parts.query), headers, body))
        time.sleep(answer.delay_s)
        if answer.status:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            # A connection that is cut short promises more than it sends.
            self.send_header("Content-Length", str(len(answer.body) + (1000 if answer.hang_up or answer.hold_s else 0)))
            self.end_headers()
            self.wfile.write(answer.body)
            self.wfile.flush()
        if answer.hold_s:
            self.connection.settimeout(answer.hold_s)
            self.connection.recv(1)
        if answer.hang_up or answer.hold_s:
            self.close_connection = True
            with contextlib.suppress(OSError):  # the client may have left first
                self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_POST = do_DELETE = _answer

    def log_message(self, format: str, *args: Any) -> None:
        """Tests read `received` instead."""


@contextmanager
def stub() -> Iterator[Stub]:
    made = Stub()
    with _Server(made) as server:
        made.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join(5)


CONVERSATION: dict[str, Any] = {
    "id": "conv_" + "1" * 32, "user_id": "ada", "agent_id": None, "title": None, "metadata": {}, "created_at": NOW,
    "epoch": 0, "turn_count": 1, "pending_turns": 0, "state_cube_id": "cube_" + "1" * 32, "state_version": 1,
    "fingerprint": "echo-1", "forked_from": None,
}  # fmt: skip
TURN: dict[str, Any] = {
    "id": "turn_" + "1" * 32, "conversation_id": CONVERSATION["id"], "seq": 1, "status": "answered", "input": "hello",
    "output": "hi there", "finish_reason": "stop", "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    "memory": {"read": [], "state_version": 0, "lag": 0, "written_version": None}, "timings_ms": {"generate": 1.0},
    "created_at": NOW, "error": None,
}  # fmt: skip
KEY = {
    "id": "key_" + "1" * 32, "name": "a", "prefix": "mk_abc", "scopes": ["app"], "created_at": NOW, "revoked_at": None,
}  # fmt: skip
