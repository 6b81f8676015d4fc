"""Writers: clients that take turns at the same time, retry like an SDK, and keep a log of every attempt.

A writer sends one logical call after the other. Each has its own Idempotency-Key and an input that nothing else says,
and is sent again with the same key until it is acknowledged or refused for good (a 4xx that no waiting mends).
"""

import contextlib
import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.support.rows import Attempt

ATTEMPT_TIMEOUT_S = 40.0
PATIENCE_S = 90.0  # one logical call that gets no answer in this time is a failure of the run
WORTH_WAITING = frozenset({"idempotency_in_flight", "too_many"})


@dataclass(frozen=True)
class Mix:
    """What writers ask for, as shares of all turns. `slow_ms` holds a slow turn's every token for so long."""

    eventual: float = 0.5
    streamed: float = 0.25
    slow: float = 0.2
    slow_ms: int = 15
    words: int = 3


@dataclass
class Log:
    """Every attempt of every writer. Safe to read while they write."""

    attempts: list[Attempt] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    in_flight: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextlib.contextmanager
    def sending(self) -> Iterator[None]:
        with self._lock:
            self.in_flight += 1
        try:
            yield
        finally:
            with self._lock:
                self.in_flight -= 1

    def add(self, attempt: Attempt) -> None:
        with self._lock:
            self.attempts.append(attempt)

    def acknowledged(self, *, begun_after_s: float = 0.0) -> list[Attempt]:
        with self._lock:
            return [a for a in self.attempts if a.acknowledged and a.began_s >= begun_after_s]


class Client:
    """One connection that is opened again when it breaks."""

    def __init__(self, urls: Sequence[str], api_key: str, chance: random.Random) -> None:
        self._urls = urls
        self._chance = chance
        self._headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
        self._connection: http.client.HTTPConnection | None = None

    def post(self, path: str, body: dict[str, Any], key: str | None = None) -> tuple[int, bytes]:
        """(status, body) of the answer; of a stream, those of the event that ended it. Raises if none came."""
        if self._connection is None:
            where = urlsplit(self._chance.choice(self._urls))
            self._connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=ATTEMPT_TIMEOUT_S)
        headers = self._headers | ({"Idempotency-Key": key} if key else {})
        try:
            self._connection.request("POST", path, json.dumps(body).encode(), headers)
            answer = self._connection.getresponse()
            if answer.headers.get_content_type() != "text/event-stream":
                return answer.status, answer.read()
            return _ending(answer.status, answer)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _ending(status: int, answer: http.client.HTTPResponse) -> tuple[int, bytes]:
    name = ""
    while line := answer.readline():
        if line.startswith(b"event: "):
            name = line[7:].strip().decode()
        elif line.startswith(b"data: ") and name in ("done", "error"):
            data = line[6:].rstrip(b"\n")
            answer.read()
            return (status, data) if name == "done" else (int(json.loads(data)["status"]), data)
    raise http.client.IncompleteRead(b"")


class Writers:
    """`count` writers over `conversations`; each stays with one conversation, or, by `spread`, visits them all."""

    def __init__(
        self, urls: Sequence[str], api_key: str, conversations: Sequence[str], *, count: int, seed: int,
        mix: Mix | None = None, spread: bool = False, turns_each: int | None = None, patience_s: float = PATIENCE_S,
    ) -> None:  # fmt: skip
        self.log = Log()
        self._urls = urls
        self._api_key = api_key
        self._conversations = conversations
        self._mix = mix or Mix()
        self._spread = spread
        self._turns_each = turns_each
        self._patience_s = patience_s
        self._stop = threading.Event()
        self._done = [0] * count
        self._run_id = f"{seed:x}-{random.SystemRandom().getrandbits(32):x}"
        self._threads = [
            threading.Thread(target=self._write, args=(index, random.Random(f"{seed}/{index}")), daemon=True)
            for index in range(count)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Every writer ends its present call, however long that takes, and begins no other."""
        self._stop.set()

    def join(self, timeout_s: float = PATIENCE_S + ATTEMPT_TIMEOUT_S) -> None:
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            assert not thread.is_alive(), "a writer did not end"

    def done_each(self) -> list[int]:
        """Logical calls that each writer has finished."""
        return list(self._done)

    def _write(self, index: int, chance: random.Random) -> None:
        client = Client(self._urls, self._api_key, chance)
        number = 0
        while not self._stop.is_set() and number != self._turns_each:
            number += 1
            place = chance.randrange(len(self._conversations)) if self._spread else index % len(self._conversations)
            self._call(client, self._conversations[place], f"{self._run_id}-{index}-{number}", chance)
            self._done[index] += 1
        client.close()

    def _call(self, client: Client, conversation_id: str, key: str, chance: random.Random) -> None:
        """One logical call, to its end."""
        body = self._body(key, chance)
        deadline = time.monotonic() + self._patience_s
        while True:
            began_s = time.monotonic()
            with self.log.sending():
                status, data, code = _send(client, f"/v1/conversations/{conversation_id}/turns", body, key)
            ended_s = time.monotonic()
            kept = data if status == 201 else None
            asked = (key, conversation_id, body["input"], body["consistency"])
            self.log.add(Attempt(*asked, status, kept, code, began_s, ended_s))
            if status == 201 or (status is not None and 400 <= status < 500 and code not in WORTH_WAITING):
                return
            if ended_s > deadline:
                self.log.given_up.append(f"{key}: {status} {code}")
                return
            time.sleep(chance.uniform(0.02, 0.15))

    def _body(self, key: str, chance: random.Random) -> dict[str, Any]:
        slow = f"/slow {self._mix.slow_ms} " if chance.random() < self._mix.slow else ""
        words = " ".join(f"w{chance.randrange(10_000)}" for _ in range(self._mix.words))
        return {
            "input": f"{slow}{key} {words}",
            "consistency": "eventual" if chance.random() < self._mix.eventual else "latest",
            "stream": chance.random() < self._mix.streamed,
        }


def _send(client: Client, path: str, body: dict[str, Any], key: str) -> tuple[int | None, bytes | None, str | None]:
    """(status, body, problem code); all None when no whole answer came."""
    try:
        status, data = client.post(path, body, key)
    except (OSError, http.client.HTTPException):
        return None, None, None
    return status, data, None if status == 201 else json.loads(data).get("code")


def conversations(client: Client, count: int) -> list[str]:
    """New conversations, by ids."""
    made = []
    for number in range(count):
        status, body = client.post("/v1/conversations", {"user_id": f"writer-{number}"})
        assert status == 201, body
        made.append(str(json.loads(body)["id"]))
    return made


def await_true(condition: Callable[[], bool], what: str, timeout_s: float, poll_s: float = 0.02) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(poll_s)
