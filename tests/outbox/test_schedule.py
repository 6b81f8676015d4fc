"""Schedules: each due one is queued once, however many processes look, and never on top of itself."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from memos.keys.schemas import TenantCreate
from memos.kit.doors import claim_jobs
from memos.kit.errors import StartupError
from memos.outbox import store
from memos.outbox.jobs import JobRunner
from memos.outbox.schedule import SCHEDULES, Schedule, Scheduler, in_force, register
from memos.runtime import Runtime
from tests.support.evidence import connect
from tests.support.live import settings_for
from tests.support.postgres import Addresses, Cluster

pytestmark = pytest.mark.anyio
HOURLY = Schedule("sweep", "sweep_task", 3600.0)
DAILY = Schedule("count", "count_task", 86_400.0)


@dataclass
class House:
    """One tenant of a fresh database, and processes that look at its schedules by hand."""

    runtimes: list[Runtime]
    addresses: Addresses
    tenant: str = ""

    def scheduler(self, process: int = 0, *schedules: Schedule) -> Scheduler:
        runtime = self.runtimes[process]
        wanted = {schedule.name: schedule for schedule in schedules or (HOURLY, DAILY)}
        return Scheduler(runtime.database, runtime.wakeups, wanted, runtime.settings)

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with connect(self.addresses.admin) as connection:
            cursor = connection.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def an_hour_later(self) -> None:
        self.rows("UPDATE schedules SET last_at = last_at - interval '3601 seconds'")

    def jobs(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT task, status, failures FROM outbox ORDER BY id")

    def end_jobs(self, status: str = "done") -> None:
        error = "'{}'" if status == "failed" else "NULL"
        done = "now()" if status == "done" else "NULL"
        self.rows(f"UPDATE outbox SET status = '{status}', failures = 3, error = {error}, done_at = {done}")


@pytest.fixture(scope="module")
def addresses(postgres_cluster: Cluster) -> Addresses:
    return postgres_cluster.database()


@pytest.fixture
async def house(addresses: Addresses, tmp_path: Path) -> AsyncIterator[House]:
    runtimes = [Runtime(settings_for(addresses, tmp_path, database_pool_size=4)) for _ in range(3)]
    made = House(runtimes, addresses)
    made.rows("TRUNCATE tenants CASCADE")  # whoever another test left is not this one's to look after
    made.tenant = (await runtimes[0].keys.create_tenant(TenantCreate(name="t"), scopes=["admin"])).tenant.id
    yield made
    for runtime in runtimes:
        await runtime.database.aclose()


async def test_the_first_run_is_one_interval_after_the_tenant_was_seen(house: House) -> None:
    assert await house.scheduler().look() == 0
    assert await house.scheduler().look() == 0
    assert house.jobs() == []
    assert house.rows("SELECT name, runs FROM schedules ORDER BY name") == [("count", 0), ("sweep", 0)]
    house.an_hour_later()
    assert await house.scheduler().look() == 1
    assert house.jobs() == [("sweep_task", "queued", 0)]


async def test_any_number_of_processes_queue_it_once(house: House) -> None:
    await house.scheduler().look()
    for run in range(1, 6):
        house.an_hour_later()
        lookers = [house.scheduler(process).look() for process in range(len(house.runtimes)) for _ in range(4)]
        assert sum(await asyncio.gather(*lookers)) == 1
        assert house.rows("SELECT runs FROM schedules WHERE name = 'sweep'") == [(run,)]
        assert house.jobs() == [("sweep_task", "queued", 0)]
        house.end_jobs()


async def test_a_look_that_dies_has_queued_nothing_and_lost_nothing(house: House) -> None:
    await house.scheduler().look()
    house.an_hour_later()
    before = house.rows("SELECT * FROM schedules ORDER BY id")

    async def dies() -> None:
        async with house.runtimes[0].database.unit_of_work(house.tenant) as work:
            assert await store.queue_due(work, [(HOURLY.name, HOURLY.task, HOURLY.every_s)]) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await dies()
    assert (house.jobs(), house.rows("SELECT * FROM schedules ORDER BY id")) == ([], before)
    assert await house.scheduler(1).look() == 1


async def test_nothing_is_queued_on_top_of_an_open_job_nor_caught_up(house: House) -> None:
    await house.scheduler().look()
    house.an_hour_later()
    await house.scheduler().look()
    for _ in range(5):
        house.an_hour_later()
        assert await house.scheduler().look() == 0, "its job is still open"
    house.end_jobs()
    assert await house.scheduler().look() == 1
    house.end_jobs()
    assert await house.scheduler().look() == 0, "what was missed stays missed"


async def test_a_failed_job_is_tried_again_when_it_is_next_due(house: House) -> None:
    await house.scheduler().look()
    house.an_hour_later()
    await house.scheduler().look()
    house.end_jobs("failed")
    assert await house.scheduler().look() == 0
    house.an_hour_later()
    assert await house.scheduler().look() == 1
    assert house.jobs() == [("sweep_task", "queued", 0)]
    assert house.rows("SELECT error FROM outbox") == [(None,)]


async def test_every_tenant_has_its_own(house: House) -> None:
    other = (await house.runtimes[0].keys.create_tenant(TenantCreate(name="o"), scopes=["admin"])).tenant.id
    await house.scheduler().look()
    house.an_hour_later()
    assert await house.scheduler().look() == 2
    assert {row[0] for row in house.rows("SELECT tenant_id FROM outbox")} == {house.tenant, other}


async def test_a_queued_schedule_is_run_as_a_job_of_its_tenant(house: House) -> None:
    seen: list[tuple[str, str]] = []

    async def sweep(tenant_id: str, subject: str) -> Any:
        seen.append((tenant_id, subject))
        return "settled"

    runtime = house.runtimes[0]
    await house.scheduler().look()
    house.an_hour_later()
    await house.scheduler().look()
    [job] = await claim_jobs(runtime.database, owner="relay-1", most=8, lease_s=30)
    await JobRunner(runtime.database, {"sweep_task": sweep}, runtime.wakeups, runtime.metrics, runtime.settings).run(
        job
    )
    ((schedule_id,),) = house.rows("SELECT id FROM schedules WHERE name = 'sweep'")
    assert seen == [(house.tenant, schedule_id)]
    assert house.rows("SELECT status FROM outbox") == [("done",)]


async def test_intervals_are_configured_by_name(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memos.outbox.schedule.SCHEDULES", {"sweep": HOURLY, "count": DAILY})
    tasks = {HOURLY.task, DAILY.task}
    settings = house.runtimes[0].settings
    quick = settings.model_copy(update={"schedule_every_s": {"sweep": 5.0, "count": 0.0}})
    assert in_force(quick, tasks) == {"sweep": Schedule("sweep", "sweep_task", 5.0)}
    with pytest.raises(StartupError) as refused:
        in_force(settings.model_copy(update={"schedule_every_s": {"sweeep": 5.0}}), tasks)
    assert "sweeep" in refused.value.message
    assert "count, sweep" in refused.value.hint
    with pytest.raises(ValueError, match="count_task"):
        in_force(settings, {HOURLY.task})


async def test_a_name_stands_for_one_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memos.outbox.schedule.SCHEDULES", dict(SCHEDULES))
    assert register(HOURLY) == register(HOURLY)
    with pytest.raises(ValueError, match="two schedules"):
        register(Schedule(HOURLY.name, "another", 1.0))
