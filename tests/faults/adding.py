"""Clients that add memories at the same time, one, several at once, and by taking turns, through kills; and what must
be true afterwards: whatever was acknowledged is found by a search, and was stored once.

Each text has a word that nothing else says, and is sent again with the same Idempotency-Key until it is acknowledged.
"""

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.support.evidence import connect
from tests.support.topology import Topology, Victim
from tests.support.writers import Client, await_true

ADDERS = 4
AT_ONCE = 5
PATIENCE_S = 90.0
SHARES = (("one", 0.5), ("several", 0.2), ("turn", 0.3))


@dataclass
class Added:
    """What was acknowledged: words by user, and by how it was added."""

    words: list[tuple[str, str]] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)
    in_flight: int = 0
    given_up: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    going: threading.Event = field(default_factory=threading.Event)  # cleared: nothing new is begun

    def acknowledge(self, kind: str, user: str, words: list[str]) -> None:
        with self.lock:
            self.words += [(user, word) for word in words]
            self.kinds[kind] = self.kinds.get(kind, 0) + len(words)


@dataclass(frozen=True)
class Cycle:
    """One kill. `interrupted`: adds that had no answer when it came. `first_search_s`: from the moment that what was
    killed is started again until a search finds something that was acknowledged before."""

    victim: str
    interrupted: int
    acknowledged: int
    first_search_s: float
    lost: tuple[str, ...]


@contextmanager
def adding(topology: Topology, seed: int) -> Iterator[Added]:
    """Adders at work while the block runs; afterwards all that they sent is acknowledged, or given up."""
    added, stop = Added(), threading.Event()
    added.going.set()
    threads = [
        threading.Thread(target=_add, args=(topology, added, stop, f"adder {number} of {seed}", seed * 100 + number))
        for number in range(ADDERS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield added
    finally:
        stop.set()
        added.going.set()
        for thread in threads:
            thread.join(PATIENCE_S + 30)


def _add(topology: Topology, added: Added, stop: threading.Event, user: str, seed: int) -> None:
    draw = random.Random(seed)
    with closing(Client(topology.urls, topology.api_key, draw)) as client:
        _add_with(client, draw, added, stop, user)


def _add_with(client: Client, draw: random.Random, added: Added, stop: threading.Event, user: str) -> None:
    made = client.post("/v1/conversations", {"user_id": user})[1]
    conversation = json.loads(made)["id"]
    kinds = [name for name, _ in SHARES]
    first = draw.sample(kinds, len(kinds))  # each at least once, however few there is time for
    while added.going.wait() and not stop.is_set():
        kind = first.pop() if first else draw.choices(kinds, [share for _, share in SHARES])[0]
        words = [f"tok{uuid4().hex[:16]}" for _ in range(AT_ONCE if kind == "several" else 1)]
        texts = [f"The code word of this hour is {word}." for word in words]
        items: list[dict[str, Any]] = [{"text": text, "user_id": user} for text in texts]
        path, body = "/v1/memories", {"items": items} if kind == "several" else items[0]
        if kind == "turn":
            path, body = f"/v1/conversations/{conversation}/turns", {"input": texts[0], "consistency": "eventual"}
        key = uuid4().hex

        def send(path: str = path, body: dict[str, Any] = body, key: str = key) -> bool:
            status, answer = client.post(path, body, key)
            if status in (200, 201, 202):
                return True
            if status < 500 and json.loads(answer)["code"] not in ("idempotency_in_flight", "too_many"):
                raise AssertionError(f"{path}: {status} {answer!r}")
            return False

        with added.lock:
            added.in_flight += 1
        if _patiently(send, added, f"{kind} {words[0]}"):
            added.acknowledge(kind, user, words)
        with added.lock:
            added.in_flight -= 1


def _patiently(send: Callable[[], Any], added: Added, what: str) -> Any:
    """What `send` gives, once it is something; a connection that breaks is opened again."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            if got := send():
                return got
        except (OSError, json.JSONDecodeError, http.client.HTTPException):
            pass
        time.sleep(0.05)
    added.given_up.append(what)
    return None


def strike(topology: Topology, victim: Victim, added: Added, checked: int) -> Cycle:
    """Kills in the middle of adds, starts again, and looks for all that was acknowledged since the last look."""
    await_true(lambda: len(added.words) > checked + ADDERS, "adds are acknowledged", PATIENCE_S)
    await_true(lambda: added.in_flight > 1, "adds are under way", PATIENCE_S, poll_s=0.002)
    interrupted = added.in_flight
    victim.kill()
    with added.lock:
        known = added.words[-1]
    began = time.monotonic()
    victim.restore()
    while not _finds(topology, *known):
        assert time.monotonic() - began < 60, f"no search finds {known} after the death of {victim.name}"
        time.sleep(0.02)
    first_s = time.monotonic() - began
    added.going.clear()
    await_true(lambda: added.in_flight == 0, "what was under way is acknowledged", PATIENCE_S + 30)
    words = added.words[checked:]
    missing = tuple(lost(topology, words))
    added.going.set()
    return Cycle(victim.name, interrupted, len(words), first_s, missing)


def lost(topology: Topology, words: list[tuple[str, str]]) -> list[str]:
    """Of what was acknowledged, what a search does not find."""
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda one: _finds(topology, one[0], one[1], tries=3), words))
    return [word for (_, word), there in zip(words, found, strict=True) if not there]


def _finds(topology: Topology, user: str, word: str, tries: int = 1) -> bool:
    for _ in range(tries):
        asked = {"query": word, "user_id": user, "top_k": 3}
        try:
            with closing(Client(topology.urls, topology.api_key, random.Random(0))) as client:
                status, answer = client.post("/v1/memories/search", asked)
        except (OSError, http.client.HTTPException):
            continue
        if status == 200 and any(word in found["text"] for found in json.loads(answer)["results"]):
            return True
    return False


def stored_twice(topology: Topology) -> list[str]:
    """Texts that more than one living memory says; an answer that repeats one is its own."""
    with connect(topology.admin_url) as connection:
        rows = connection.execute(
            "SELECT v.content FROM memcubes m JOIN memcube_versions v ON v.id = m.head_version_id "
            "WHERE m.kind = 'plaintext' AND m.lifecycle = 'activated' AND m.origin <> 'assistant'"
        ).fetchall()
    return [text for text, times in Counter(row[0] for row in rows).items() if times > 1]
