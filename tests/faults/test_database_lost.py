"""A database that is gone: every request is told so, and nobody waits for an answer that cannot come."""

import threading
import time

import pytest

from memos.kit.db import Database
from memos.kit.unit_of_work import DatabaseUnavailable
from tests.support.live import serve
from tests.support.postgres import Cluster

TENANT = "ten_" + "0" * 32


@pytest.mark.anyio
async def test_a_unit_of_work_without_a_database_says_so() -> None:
    """Nothing was begun, so there is nothing to give back: the failure is the lost connection and not another one."""
    database = Database("postgresql://memos_app@/memos?host=/nonexistent", pool_size=2)
    for _ in range(3):
        with pytest.raises(DatabaseUnavailable):
            async with database.unit_of_work(TENANT):
                pass
        with pytest.raises(DatabaseUnavailable):
            async with database.autocommit():
                pass
    await database.aclose()


def test_a_turn_whose_database_goes_away_is_answered_with_503(postgres_cluster: Cluster) -> None:
    """Every connection ends while the turn is generated, and no new one is allowed for a while."""
    with serve(postgres_cluster.database(), lease_s=1.0) as live, live.client() as client:
        conversation = live.conversation(client)
        answers: list[int] = []

        def ask() -> None:
            body = {"input": "/slow 50 one two three four five six"}
            answers.append(client.post(f"/v1/conversations/{conversation}/turns", json=body).status_code)

        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(0.15)
        name = live.database.name
        with postgres_cluster.admin() as admin:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            asking.join(10)
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert not asking.is_alive(), "the client was left waiting"
        assert answers == [503]
        again = client.post(f"/v1/conversations/{conversation}/turns", json={"input": "are you back?"})
        assert again.status_code == 201, again.text
