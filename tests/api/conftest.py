"""A second service, with little patience and small limits, for what happens when a limit is reached."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.support.live import Live, serve
from tests.support.postgres import Cluster

SMALL = {
    "turn_wait_s": 0.6,
    "turn_timeout_s": 3.0,
    "lease_s": 1.2,
    "max_pending_turns": 4,
    "max_concurrent_turns": 6,
    "max_input_chars": 2000,
    "max_body_bytes": 20_000,
    "job_max_attempts": 2,
}


@pytest.fixture(scope="session")
def hasty(postgres_cluster: Cluster) -> Iterator[Live]:
    with serve(postgres_cluster.database(), **SMALL) as service:
        yield service


@pytest.fixture
def client(live: Live) -> Iterator[httpx2.Client]:
    with live.client() as open_client:
        yield open_client


@pytest.fixture
def conversation(live: Live, client: httpx2.Client) -> str:
    return live.conversation(client)
