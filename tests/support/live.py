"""The real API, served by uvicorn over loopback in a thread of the test process."""

import json
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from pydantic import SecretStr

from memos.http.app import create_app
from memos.keys.bootstrap import ensure_admin_key
from memos.kit.config import Settings
from tests.support.postgres import Addresses

SECRET = "a secret for tests, of more than 32 characters"


@dataclass
class Live:
    """A running service and how to talk to it."""

    url: str
    key: str
    data_dir: Path
    settings: Settings
    database: Addresses
    app: Any

    def client(self, key: str | None = None, **options: Any) -> httpx2.Client:
        headers = {"Authorization": f"Bearer {key or self.key}"}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=30, **options)

    def conversation(self, client: httpx2.Client, user_id: str = "ada") -> str:
        answer = client.post("/v1/conversations", json={"user_id": user_id})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def settled(self, client: httpx2.Client, conversation_id: str, timeout_s: float = 20.0) -> dict[str, Any]:
        """The conversation once every turn is in its memory."""
        deadline = time.monotonic() + timeout_s
        while True:
            view: dict[str, Any] = client.get(f"/v1/conversations/{conversation_id}").json()
            if view["pending_turns"] == 0:
                return view
            assert time.monotonic() < deadline, f"still pending: {view}"
            time.sleep(0.02)


def settings_for(database: Addresses, data_dir: Path, **changes: Any) -> Settings:
    # Nothing by itself: a test that wants a schedule to run says so.
    quick: dict[str, Any] = {"generator": "echo", "lease_s": 3.0, "relay_poll_s": 0.1, "schedule_poll_s": 0.0}
    return Settings(data_dir=data_dir, database_url=database.app, secret=SecretStr(SECRET), **(quick | changes))


@contextmanager
def serve(database: Addresses, **changes: Any) -> Iterator[Live]:
    with tempfile.TemporaryDirectory(prefix="memos-live-") as folder:
        data_dir = Path(folder)
        settings = settings_for(database, data_dir, **changes)
        key = ensure_admin_key(settings, data_dir / "admin.key")
        app = create_app(settings)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            server = uvicorn.Server(
                uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=5)
            )
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
            thread.start()
            _await_ready(url, thread)
            try:
                yield Live(url, key, data_dir, settings, database, app)
            finally:
                server.should_exit = True
                thread.join(20)
                assert not thread.is_alive(), "the API did not stop"


def _await_ready(url: str, thread: threading.Thread) -> None:
    deadline = time.monotonic() + 20
    while True:
        assert thread.is_alive(), "the API ended while starting"
        try:
            answer = httpx2.get(f"{url}/readyz", timeout=5)
            if answer.status_code == 200:
                return
            assert time.monotonic() < deadline, json.dumps(answer.json())
        except httpx2.TransportError:
            assert time.monotonic() < deadline, "the API does not answer"
        time.sleep(0.05)
