"""Writers that keep a log: keyed turns from several threads, each sent again with its key until it is answered."""

import itertools
import threading
import time
from collections.abc import Sequence

import httpx2

from tests.support.evidence import read_history
from tests.support.history import check
from tests.support.rows import Attempt
from tests.workers.stack import Stack, conversation

GIVE_UP_S = 30.0


class Load:
    """`with Load(stack) as load:` writes until the block ends. `verify` holds the log against the database."""

    def __init__(
        self,
        stack: Stack,
        *,
        conversations: int = 4,
        writers: int = 3,
        pause_s: float = 0.02,
        give_up_s: float = GIVE_UP_S,
    ) -> None:
        self._stack = stack
        with stack.client() as client:
            self.conversations: Sequence[str] = [conversation(client) for _ in range(conversations)]
        self._writers = writers
        self._pause_s = pause_s
        self._give_up_s = give_up_s
        self._stop = threading.Event()
        self._numbers = itertools.count()
        self.attempts: list[Attempt] = []
        self.errors: list[str] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> "Load":
        self._threads = [threading.Thread(target=self._write, args=(n,), daemon=True) for n in range(self._writers)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(self._give_up_s + 10)
            assert not thread.is_alive(), "a writer hangs"

    def say(self, client: httpx2.Client, conversation_id: str) -> None:
        """One turn, acknowledged or given up."""
        number = next(self._numbers)
        key, text = f"key-{conversation_id}-{number}", f"word {conversation_id} {number}"
        deadline = time.monotonic() + self._give_up_s
        while time.monotonic() < deadline:
            began_s = time.monotonic()
            try:
                answer = client.post(
                    f"/v1/conversations/{conversation_id}/turns",
                    json={"input": text, "consistency": "eventual"},
                    headers={"Idempotency-Key": key},
                )
                status, body = answer.status_code, answer.content
            except httpx2.TransportError:
                status, body = None, None
            self.attempts.append(
                Attempt(key, conversation_id, text, "eventual", status, body, None, began_s, time.monotonic())
            )
            if status == 201:
                return
            if status is not None and status not in (409, 429, 503):
                self.errors.append(f"{status}: {body!r}")
            self._stop.wait(0.2)
        self.errors.append(f"gave up on {key}")

    def verify(self) -> int:
        """How many turns were acknowledged; all of them are in the memory, once, in one unbroken line."""
        assert not self.errors, self.errors[:3]
        history = read_history(self._stack.database.admin, self._stack.blobs, self.attempts, self.conversations)
        violations = check(history)
        assert not violations, "\n".join(str(violation) for violation in violations[:10])
        return sum(attempt.acknowledged for attempt in self.attempts)

    def _write(self, number: int) -> None:
        with self._stack.client(number % len(self._stack.urls)) as client:
            for turn in itertools.count(number):
                if self._stop.is_set():
                    return
                self.say(client, self.conversations[turn % len(self.conversations)])
                self._stop.wait(self._pause_s)
