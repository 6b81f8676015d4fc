"""A rewritten table keeps what an open transaction could still see: what is waited for is what Postgres goes by."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from memos.erasure.physical import service, store
from memos.erasure.physical.service import NotYetPhysical
from memos.kit.db import owner_connection
from tests.support.live import settings_for
from tests.support.postgres import Addresses, Cluster

pytestmark = pytest.mark.anyio
Connection = psycopg.Connection[Any]


@pytest.fixture
def addresses(postgres_cluster: Cluster) -> Addresses:
    return postgres_cluster.database()


@pytest.fixture
def sessions(addresses: Addresses) -> Iterator[list[Connection]]:
    url = make_url(addresses.admin).set(drivername="postgresql").render_as_string(hide_password=False)
    with ExitStack() as stack:
        yield [stack.enter_context(psycopg.connect(url, autocommit=True)) for _ in range(3)]


async def test_a_late_transaction_with_an_old_view_is_waited_for(
    addresses: Addresses, sessions: list[Connection], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins after the erasure, while one is open that began before: through that one it sees what is erased."""
    early, late, us = sessions
    us.execute("CREATE TABLE notes (word text)")
    us.execute("INSERT INTO notes VALUES ('unmistakable')")
    early.execute("BEGIN")
    early.execute("SELECT pg_current_xact_id()")
    us.execute("DELETE FROM notes")
    async with owner_connection(addresses.admin) as connection:
        mark = await store.mark(connection)
        late.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        late.execute("SELECT 1")
        assert await store.holding(connection, mark) == 2
        early.execute("COMMIT")
        assert await store.holding(connection, mark) == 1
        # That it is what counts: with it open the deleted row is copied.
        monkeypatch.setattr(service, "PATIENCE", 3)
        settings = settings_for(addresses, tmp_path, database_admin_url=addresses.admin)
        with pytest.raises(NotYetPhysical, match="could still see"):
            await service.rewrite(settings, {"notes": ["word"]}, _needed)
        await store.rewrite(connection, "notes")
        assert _pages(us) == 1
        late.execute("COMMIT")
        assert await store.holding(connection, mark) == 0
        await store.rewrite(connection, "notes")
        assert _pages(us) == 0


async def _needed() -> bool:
    await asyncio.sleep(0)
    return True


def _pages(us: Connection) -> int:
    """Pages of the table, none of whose rows is alive."""
    (size,) = us.execute("SELECT pg_relation_size('notes') / current_setting('block_size')::integer").fetchone() or (0,)
    return int(size)
