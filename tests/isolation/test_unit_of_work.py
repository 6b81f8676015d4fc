"""What a unit of work leaves on a connection that the next one gets: nothing, however it ended."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from sqlalchemy import text

from memos.kit.db import Database
from memos.kit.ids import new_id
from memos.kit.unit_of_work import UnitOfWork
from tests.support.postgres import Cluster

ADD = text("INSERT INTO tenants (id, name) VALUES (:id, 'somebody')")
SEEN = text("SELECT memos_tenant() AS tenant, (SELECT count(*) FROM tenants) AS tenants")
SLEEP = text("SELECT pg_sleep(30)")
BROKEN = text("SELECT 1 / 0")


@pytest.fixture
async def database(postgres_cluster: Cluster) -> AsyncIterator[Database]:
    """One connection, so that every unit of work gets the one before's."""
    held = Database(postgres_cluster.database().app, pool_size=1)
    yield held
    await held.aclose()


class Stop(Exception):
    pass


async def raises(work: UnitOfWork) -> None:
    raise Stop


async def fails(work: UnitOfWork) -> None:
    await work.first(BROKEN)


async def fails_at_the_commit(work: UnitOfWork) -> None:
    work.queue(BROKEN)


async def is_cancelled(work: UnitOfWork) -> None:
    await work.first(SLEEP)


@pytest.mark.anyio
@pytest.mark.parametrize("ends", [raises, fails, fails_at_the_commit, is_cancelled])
async def test_a_unit_that_fails_leaves_nothing(
    database: Database, ends: Callable[[UnitOfWork], Awaitable[None]]
) -> None:
    first, second = new_id("ten"), new_id("ten")

    async def unit() -> None:
        async with database.unit_of_work(first) as work:
            await work.run(ADD, id=first)
            await ends(work)

    task = asyncio.create_task(unit())
    await asyncio.wait({task}, timeout=0.5)
    task.cancel()
    outcome = (await asyncio.gather(task, return_exceptions=True))[0]
    assert isinstance(outcome, BaseException)
    async with database.unit_of_work(second) as work:
        seen = await work.one(SEEN)
        assert (seen["tenant"], seen["tenants"]) == (second, 0)
    async with database.unit_of_work(first) as work:
        assert (await work.one(SEEN))["tenants"] == 0  # its row was rolled back, and no later commit brought it in
    async with database.autocommit() as connection:
        assert tuple((await connection.execute(SEEN)).one()) == (None, 0)


@pytest.mark.anyio
async def test_a_single_statement_binds_for_itself_alone(database: Database) -> None:
    tenant = new_id("ten")
    async with database.unit_of_work(tenant) as work:
        await work.run(ADD, id=tenant)
    seen = await database.single(tenant).one(SEEN)
    assert (seen["tenant"], seen["tenants"]) == (tenant, 1)
    async with database.autocommit() as connection:
        assert tuple((await connection.execute(SEEN)).one()) == (None, 0)


@pytest.mark.anyio
async def test_a_connection_that_outlives_its_pool_is_closed(postgres_cluster: Cluster) -> None:
    """The pool is renewed when one connection is lost, or closed at the end, while others are out: those go nowhere."""
    database = Database(postgres_cluster.database().app)
    async with database.unit_of_work("ten_0") as work:
        await work.one(text("SELECT 1 AS one"))
        raw = work._raw
        assert raw is not None
        await database.aclose()
        assert not raw.closed
    assert raw.closed
    await database.aclose()
