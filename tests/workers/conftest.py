"""An outbox with nobody working on it, so that a test plays relay and worker itself."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from memos.conversations import service as conversations
from memos.conversations.schemas import ConversationCreate
from memos.keys.schemas import TenantCreate
from memos.kit.doors import ClaimedJob, claim_jobs
from memos.outbox import store
from memos.outbox.jobs import JobRunner, Task
from memos.runtime import Runtime
from memos.turns import store as turns
from memos.turns.service import ADVANCE
from tests.support.evidence import connect
from tests.support.live import settings_for
from tests.support.postgres import Addresses, Cluster
from tests.support.redis import RedisServer, redis_server

LEASE_S = 1.5


@dataclass
class Bench:
    """One process's runtime over a fresh database, without its background loops."""

    runtime: Runtime
    addresses: Addresses
    tenant: str = ""
    claims: int = 0
    ran: list[str] = field(default_factory=list)

    async def new_tenant(self) -> str:
        made = await self.runtime.keys.create_tenant(TenantCreate(name="t"), scopes=["admin"])
        return made.tenant.id

    async def record(self, subject: str, *, task: str = "t", tenant: str | None = None) -> None:
        async with self.runtime.database.unit_of_work(tenant or self.tenant) as work:
            await store.record(work, task=task, subject=subject, turn_id=None)

    async def conversation(self, said: int) -> tuple[str, list[str]]:
        """A conversation with so many answered turns, each with its job, and none applied."""
        model = await self.runtime.generator.identity()
        async with self.runtime.database.unit_of_work(self.tenant) as work:
            made = await conversations.create(work, ConversationCreate(user_id="ada"), model, "test")
            ids = await turns.insert_imported(work, made.id, [(f"in {n}", f"out {n}", None) for n in range(said)])
            assert ids is not None
            await store.record_many(work, task=ADVANCE, subject=made.id, turn_ids=ids)
        return made.id, ids

    async def claim(self, most: int = 32, lease_s: float = 30.0) -> list[ClaimedJob]:
        self.claims += 1
        return await claim_jobs(self.runtime.database, owner=f"relay-{self.claims}", most=most, lease_s=lease_s)

    def runner(self, task: Callable[[str, str], Awaitable[Any]] | None = None, **changes: Any) -> JobRunner:
        settings = self.runtime.settings.model_copy(update=changes)
        tasks: dict[str, Task] = {"t": task or self.note, ADVANCE: task or self.note}
        return JobRunner(self.runtime.database, tasks, self.runtime.wakeups, self.runtime.metrics, settings)

    async def note(self, tenant_id: str, subject: str) -> Any:
        self.ran.append(subject)
        return "settled"

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with connect(self.addresses.admin) as connection:
            return connection.execute(sql, parameters or None).fetchall()

    def jobs(self, columns: str = "status") -> list[Any]:
        found = self.rows(f"SELECT {columns} FROM outbox ORDER BY id")
        return [row[0] if len(row) == 1 else row for row in found]


@pytest.fixture(scope="module")
def bench_database(postgres_cluster: Cluster) -> Addresses:
    return postgres_cluster.database()


@pytest.fixture
async def bench(bench_database: Addresses, tmp_path: Path) -> AsyncIterator[Bench]:
    runtime = Runtime(settings_for(bench_database, tmp_path, lease_s=LEASE_S))
    await runtime.start()
    made = Bench(runtime, bench_database)
    with connect(bench_database.admin) as connection:
        connection.execute("TRUNCATE outbox")  # what another test left open is not this one's to claim
    made.tenant = await made.new_tenant()
    yield made
    await runtime.stop()


@pytest.fixture(scope="session")
def redis_running() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server
