"""A lab for each test, over a database of its own."""

from collections.abc import AsyncIterator

import pytest

from tests.support.lab import Lab, lab
from tests.support.postgres import Cluster


@pytest.fixture
async def place(postgres_cluster: Cluster) -> AsyncIterator[Lab]:
    async with lab(postgres_cluster.database()) as made:
        yield made
