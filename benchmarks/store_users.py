"""Very many users, few of whom fit into memory: who is asked about follows Zipf's law.

The indexes of `users` users are kept by the service's own cache under a stated bound. Each is read from Postgres as the
service reads it; so that filling the database does not take hours, `stored` different owners are in it and many users
share the words of one. Cold and warm searches are told apart; CPU is that of this process and of Postgres.
"""

import asyncio
import time
from typing import Any

import numpy as np
from sqlalchemy import make_url

from benchmarks.report import spread
from benchmarks.store_data import Made
from benchmarks.store_service import Service, cpu_s
from memos.kit.db import Database
from memos.memories.following import Followed, Following
from memos.recall.cache import IndexCache
from memos.recall.query import Asked
from tests.support.evidence import connect

EXPONENT = 1.1
_SCOPES = """
    SELECT s.tenant_id, s.id, s.embedder FROM recall_scopes s WHERE s.user_id LIKE 'owner-%' ORDER BY s.id"""


def measure(service: Service, made: Made, *, users: int, searches: int, most_bytes: int, each: int) -> dict[str, Any]:
    return asyncio.run(_measured(service, made, users, searches, most_bytes, each))


async def _measured(
    service: Service, made: Made, users: int, searches: int, most_bytes: int, each: int
) -> dict[str, Any]:
    with connect(service.topology.admin_url) as connection:
        scopes = [tuple(map(str, row)) for row in connection.execute(_SCOPES).fetchall()]
    database = Database(str(make_url(service.topology.admin_url).set(username="memos_app")))
    following = Following(database, most_bytes=0)
    cache: IndexCache[Followed] = IndexCache(most_bytes)
    weights = np.arange(1, users + 1) ** -EXPONENT
    asked = np.random.default_rng(2).choice(users, searches, p=weights / weights.sum())
    cold: list[float] = []
    warm: list[float] = []
    try:
        for number, user in enumerate(asked.tolist()):
            tenant, scope, model = scopes[user % len(scopes)]
            pids = service.postgres()
            before, misses = cpu_s(pids) + time.process_time(), cache.figures.misses
            entry = await cache.get(user, lambda: following._built(tenant, scope, model))  # noqa: B023
            question = number % len(made.questions)
            entry.index.index.search(Asked(made.questions[question], made.asked[question], top_k=10, now=time.time()))
            spent_ms = (cpu_s(pids) + time.process_time() - before) * 1000
            (cold if cache.figures.misses > misses else warm).append(spent_ms)
    finally:
        await database.aclose()
    figures = cache.figures
    return {
        "users": users,
        "memories_each": each,
        "exponent": EXPONENT,
        "memory_cap_mb": round(most_bytes / 2**20),
        "held_mb": round(figures.held_bytes / 2**20),
        "held_users": figures.entries,
        "searches": searches,
        "hit_rate": round(figures.hits / (figures.hits + figures.misses), 3),
        "warm_cpu_ms": spread(warm),
        "cold_cpu_ms": spread(cold),
        "goals_p95_ms": {"warm": 10, "cold": 50},
    }
