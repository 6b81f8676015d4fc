"""A lab for each test: a tenant of its own, all of them in one database."""

from collections.abc import AsyncIterator

import pytest

from tests.support.lab import Lab, lab
from tests.support.postgres import Addresses, Cluster


@pytest.fixture(scope="package")
def laboratory(postgres_cluster: Cluster) -> Addresses:
    return postgres_cluster.database()


@pytest.fixture
async def place(laboratory: Addresses) -> AsyncIterator[Lab]:
    async with lab(laboratory) as made:
        yield made
