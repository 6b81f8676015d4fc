"""A service of its own on a cluster of its own, with a generator that remembers and quotes every word; and beside it
one that is only ever told what stays.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from memos.generation import registry
from tests.erasure.engine import TellingEngine
from tests.support.live import Live, serve
from tests.support.postgres import Cluster, cluster


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    with cluster() as running:
        yield running


@pytest.fixture(scope="module")
def module_telling() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.IN_PROCESS, "echo", TellingEngine)
        yield


@pytest.fixture
def telling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.IN_PROCESS, "echo", TellingEngine)


@pytest.fixture
def service(own_cluster: Cluster, telling: None) -> Iterator[Live]:
    database = own_cluster.database()
    with serve(database, database_admin_url=database.admin) as live:
        yield live


@pytest.fixture
def places(own_cluster: Cluster, service: Live) -> list[Path]:
    """Where bytes of the service are."""
    return [service.data_dir, own_cluster.server.cluster]
