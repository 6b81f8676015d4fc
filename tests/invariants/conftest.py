"""A service in which the schedules run. A command that runs in the process of the service it asks must have stdout for
itself.
"""

from collections.abc import Iterator

import httpx2
import pytest

from tests.api.talk import look, post, say
from tests.cli.conftest import logs_apart
from tests.support.live import Live, serve
from tests.support.postgres import Cluster

__all__ = ["logs_apart"]


@pytest.fixture(scope="package")
def service(postgres_cluster: Cluster) -> Iterator[Live]:
    """One in which the schedules run, and which has no grace for payloads."""
    often = {"invariants": 1.0, "blobs": 1.0, "audit_chain": 0.5}
    with serve(postgres_cluster.database(), schedule_poll_s=0.2, schedule_every_s=often, blob_grace_s=0.0) as live:
        with live.client() as client:
            conversation = live.conversation(client)
            for number in range(3):
                say(client, conversation, f"turn {number}")
            live.settled(client, conversation)
            post(client, f"/v1/conversations/{conversation}/rollback", {"to_turn": 2})
            post(client, f"/v1/conversations/{conversation}/fork", {"at_turn": 1})
        yield live


@pytest.fixture
def client(service: Live) -> Iterator[httpx2.Client]:
    with service.client() as open_client:
        yield open_client


@pytest.fixture
def cube(service: Live) -> str:
    return str(look(service, "SELECT cube_id FROM memcube_versions WHERE operation = 'rollback'")[0]["cube_id"])
