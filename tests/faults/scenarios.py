"""What the mutation list is held against: small pieces of real traffic, each giving back the names of what it found
broken. On the service as it is, each finds nothing.
"""

import asyncio
import json
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from memos.conversations import service as conversation_service
from memos.conversations.schemas import ConversationCreate
from memos.generation.in_process import InProcessGenerator
from memos.idempotency.service import Claim
from memos.keys.schemas import TenantCreate
from memos.kit.wakeups import Wakeups
from memos.outbox import store as outbox
from memos.runtime import Runtime
from memos.turns.advance import AdvanceTask
from memos.turns.run import TurnRun
from memos.turns.schemas import TurnCreate
from tests.support.evidence import connect, read_history
from tests.support.history import check
from tests.support.live import Live, serve, settings_for
from tests.support.postgres import Addresses
from tests.support.rows import Attempt
from tests.support.writers import Client, Mix, Writers, conversations

Patch = pytest.MonkeyPatch
Scenario = Callable[[Addresses, Path, Patch], set[str]]
SETTLE_S = 4.0
PATIENCE_S = 5.0
_UNSETTLED = "SELECT count(*) FROM turns WHERE conversation_id = %s AND status IN ('accepted', 'answered')"


def traffic(database: Addresses, folder: Path, patch: Patch) -> set[str]:
    """Six writers on two conversations."""
    with serve(database, lease_s=1.0, turn_wait_s=2.0) as live:
        client = Client([live.url], live.key, random.Random(1))
        status, body = client.post("/v1/conversations", {"user_id": "ada"})
        if status != 201:
            return {f"no_conversation_begun: {json.loads(body)['code']}"}
        ids = [str(json.loads(body)["id"]), *conversations(client, 1)]
        client.close()
        writers = Writers(
            [live.url], live.key, ids, count=6, seed=1, mix=Mix(slow=0), turns_each=3, patience_s=PATIENCE_S
        )
        writers.start()
        writers.join()
        return _found(live, ids, writers.log.attempts) | {"turn_never_answered" for _ in writers.log.given_up}


def lost_commit(database: Addresses, folder: Path, patch: Patch) -> set[str]:
    """The database connection is lost after the last statement of the answer and before its commit, once."""
    with serve(database, lease_s=1.0) as live:
        ids = _begin(live, 1)
        record, left = outbox.record, [1]

        async def record_then_lose(*arguments: Any, **named: Any) -> None:
            await record(*arguments, **named)
            if left:
                left.pop()
                await asyncio.sleep(0.2)  # whoever answers before the commit has answered now
                await asyncio.to_thread(_lose_connections, database)

        patch.setattr(outbox, "record", record_then_lose)
        writers = Writers([live.url], live.key, ids, count=1, seed=2, mix=Mix(streamed=0, slow=0), turns_each=2)
        writers.start()
        writers.join()
        return _found(live, ids, writers.log.attempts)


def same_key_twice(database: Addresses, folder: Path, patch: Patch) -> set[str]:
    """One key, sent by two clients at the same time, and once more when it is answered."""
    with serve(database) as live:
        ids = _begin(live, 1)
        attempts: list[Attempt] = []

        def send() -> None:
            client = Client([live.url], live.key, random.Random(3))
            text_in = "/slow 20 the same words"
            status, body = client.post(f"/v1/conversations/{ids[0]}/turns", {"input": text_in}, "the-key")
            attempts.append(Attempt("the-key", ids[0], text_in, "latest", status, body if status == 201 else None))
            client.close()

        pair = [threading.Thread(target=send) for _ in range(2)]
        for thread in pair:
            thread.start()
        for thread in pair:
            thread.join()
        send()
        return _found(live, ids, attempts)


def slow_memory(database: Addresses, folder: Path, patch: Patch) -> set[str]:
    """Taking turns in takes longer than asking for the next: `latest` must wait."""
    advance = InProcessGenerator.advance

    async def slowly(*arguments: Any, **named: Any) -> Any:
        await asyncio.sleep(0.15)
        return await advance(*arguments, **named)

    patch.setattr(InProcessGenerator, "advance", slowly)
    with serve(database) as live:
        ids = _begin(live, 1)
        mix = Mix(eventual=0.3, streamed=0, slow=0)
        writers = Writers([live.url], live.key, ids, count=3, seed=5, mix=mix, turns_each=3)
        writers.start()
        writers.join()
        return _found(live, ids, writers.log.attempts)


def no_tenant_bound(database: Addresses, folder: Path, patch: Patch) -> set[str]:
    """Whoever has bound no tenant sees no row, also on a connection that a tenant has used before."""
    return asyncio.run(_look_without_tenant(database, folder))


async def _look_without_tenant(database: Addresses, folder: Path) -> set[str]:
    runtime = Runtime(settings_for(database, folder, database_pool_size=2))
    await runtime.start()
    try:
        tenant = (await runtime.keys.create_tenant(TenantCreate(name="one"), scopes=["admin"])).tenant.id
        async with runtime.database.unit_of_work(tenant) as work:
            seen = (await work.one(text("SELECT count(*) AS n FROM api_keys")))["n"]
        async with runtime.database.autocommit() as connection:
            unbound = (await connection.execute(text("SELECT count(*) FROM api_keys"))).scalar()
        return {"own_rows_not_seen" for _ in range(seen != 1)} | {"rows_seen_unbound" for _ in range(unbound != 0)}
    except psycopg.errors.InsufficientPrivilege as error:
        return {"refused_by_the_database"} if "row-level security" in str(error) else {str(error)}
    finally:
        await runtime.stop()


def racing_advances(database: Addresses, folder: Path, patch: Patch) -> set[str]:
    """Two workers take the same turn in from the same head, and want to commit at the same moment."""
    return asyncio.run(_race(database, folder, patch))


async def _race(database: Addresses, folder: Path, patch: Patch) -> set[str]:
    runtime = Runtime(settings_for(database, folder))
    await runtime.start()
    await runtime.turns.start()
    try:
        tenant = (await runtime.keys.create_tenant(TenantCreate(name="one"), scopes=["admin"])).tenant.id
        model = await runtime.generator.identity()
        async with runtime.database.unit_of_work(tenant) as work:
            made = await conversation_service.create(work, ConversationCreate(user_id="ada"), model, "test")
        wanted = TurnCreate(input="one", consistency="eventual")
        run = await runtime.turns.begin(tenant, made.id, wanted, Claim("k", "0" * 64, 60.0))
        assert isinstance(run, TurnRun)
        body = (await run.outcome).body
        _meet(patch)
        wakeups = Wakeups(runtime.database, between_processes=False)
        tasks = [
            AdvanceTask(runtime.database, runtime.generator, wakeups, runtime.metrics)(tenant, made.id)
            for _ in range(2)
        ]
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        attempt = Attempt("k", made.id, "one", "eventual", 201, body)
        history = read_history(database.admin, folder / "blobs", [attempt], [made.id])
        assert all(isinstance(one, psycopg.IntegrityError | str) for one in ended), ended
        errors = {"worker_refused_by_a_constraint" for one in ended if not isinstance(one, str)}
        return errors | {violation.rule for violation in check(history)}
    finally:
        await runtime.turns.stop()
        await runtime.stop()


def _meet(patch: Patch) -> None:
    """Two callers of the lock wait for each other, or, where it is a lock, for half a second."""
    from memos.conversations import store

    lock, arrived = store.lock_held, [0]
    together = asyncio.Event()

    async def lock_together(*arguments: Any, **named: Any) -> Any:
        row = await lock(*arguments, **named)
        arrived[0] += 1
        if arrived[0] == 2:
            together.set()
        if arrived[0] <= 2:
            await asyncio.wait({asyncio.create_task(together.wait())}, timeout=0.5)
        return row

    patch.setattr(store, "lock_held", lock_together)


def _begin(live: Live, count: int) -> list[str]:
    client = Client([live.url], live.key, random.Random(0))
    ids = conversations(client, count)
    client.close()
    return ids


def _found(live: Live, ids: list[str], attempts: list[Attempt]) -> set[str]:
    """The rules that the history breaks once it has settled, or has had time enough to."""
    with connect(live.database.admin) as admin:
        for _ in range(int(SETTLE_S / 0.1)):
            if not sum(_count(admin, one) for one in ids):
                break
            time.sleep(0.1)
    time.sleep(0.3)  # jobs settle just after their turns
    history = read_history(live.database.admin, live.data_dir / "blobs", attempts, ids)
    return {violation.rule for violation in check(history)}


def _count(admin: "psycopg.Connection[Any]", conversation_id: str) -> int:
    row = admin.execute(_UNSETTLED, [conversation_id]).fetchone()
    return int(row[0]) if row else 0


def _lose_connections(database: Addresses) -> None:
    with connect(database.admin) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = 'memos_app'",
            [database.name],
        )
