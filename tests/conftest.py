"""What holds for every test: no network beyond loopback and unix sockets (an option in pyproject.toml), warnings are
errors, random order whose seed is printed, and hypothesis in one of two profiles:

    pytest                                a few examples of each property
    pytest --hypothesis-profile=full      many: `make test-full`

Fixtures that start processes live next to the tests that need them.
"""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.api.talk import look
from tests.support.live import Live, serve
from tests.support.postgres import Cluster, cluster

# Wall time says nothing on a shared machine: no deadline for one example. pytest-timeout bounds every test.
settings.register_profile("quick", max_examples=40, deadline=None, print_blob=True)
settings.register_profile(
    "full", max_examples=1000, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("quick")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests carry `@pytest.mark.anyio` and run on asyncio, which is what the service runs on."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    """One real Postgres for this test process."""
    with cluster() as running:
        yield running


@pytest.fixture(scope="session")
def live(postgres_cluster: Cluster) -> Iterator[Live]:
    """One real API over a database of its own, with the echo generator, shared by tests that leave it healthy."""
    with serve(postgres_cluster.database()) as service:
        yield service


@pytest.fixture
def put_away(live: Live) -> Iterator[None]:
    """For tests that let the whole tenant read a memory: every search of the shared service would find it after."""
    yield
    look(live, "UPDATE memcubes SET frozen = false WHERE visibility = 'tenant' AND frozen")
    for_all = "visibility = 'tenant' AND kind = 'plaintext' AND lifecycle = 'activated'"
    look(live, f"UPDATE memcubes SET lifecycle = 'archived' WHERE {for_all}")
