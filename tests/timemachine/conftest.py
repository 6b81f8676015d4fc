from collections.abc import Iterator

import httpx2
import pytest

from tests.support.live import Live
from tests.timemachine.desk import Desk, opened


@pytest.fixture
def client(live: Live) -> Iterator[httpx2.Client]:
    with live.client() as open_client:
        yield open_client


@pytest.fixture
def desk(live: Live) -> Iterator[Desk]:
    with opened(live) as made:
        yield made
