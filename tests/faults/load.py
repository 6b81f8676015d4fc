"""Writers without deaths: how fast, and with what history."""

import random
import time
from dataclasses import dataclass, field
from typing import Any

from tests.faults.cycle import DRAIN_TIMEOUT_S, open_work
from tests.support.evidence import read_history
from tests.support.history import Violation, check
from tests.support.rows import History
from tests.support.topology import Topology
from tests.support.writers import Client, Mix, Writers, await_true, conversations


@dataclass(frozen=True)
class Load:
    """`conversations` are visited at random by every writer."""

    writers: int
    conversations: int
    turns_each: int
    mix: Mix = field(default_factory=lambda: Mix(slow=0.0))


@dataclass(frozen=True)
class LoadResult:
    history: History
    violations: list[Violation]
    given_up: list[str]
    figures: dict[str, Any]


def under_load(topology: Topology, load: Load, seed: int) -> LoadResult:
    """Every writer's turns, to the end and into the memory. Seconds are of the writers, and of all that was applied."""
    client = Client(topology.urls, topology.api_key, random.Random(seed))
    ids = conversations(client, load.conversations)
    client.close()
    writers = Writers(
        topology.urls, topology.api_key, ids, count=load.writers, seed=seed, mix=load.mix, spread=True,
        turns_each=load.turns_each,
    )  # fmt: skip
    began_s = time.monotonic()
    writers.start()
    writers.join(timeout_s=280)
    answered_s = time.monotonic() - began_s
    await_true(lambda: open_work(topology, ids) == (0, 0, 0), "everything is in the memory", DRAIN_TIMEOUT_S)
    applied_s = time.monotonic() - began_s
    history = read_history(topology.admin_url, topology.blobs, writers.log.attempts, ids)
    violations = check(history)
    answered = sum(attempt.acknowledged for attempt in writers.log.attempts)
    figures = {
        "seed": seed,
        "writers": load.writers,
        "conversations": load.conversations,
        "turns": answered,
        "attempts": len(writers.log.attempts),
        "answered_per_s": round(answered / answered_s, 1),
        "applied_per_s": round(answered / applied_s, 1),
        "violations": len(violations),
    }
    return LoadResult(history, violations, list(writers.log.given_up), figures)
