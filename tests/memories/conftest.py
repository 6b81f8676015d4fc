from collections.abc import Iterator

import httpx2
import pytest

from tests.support.live import Live


@pytest.fixture
def client(live: Live) -> Iterator[httpx2.Client]:
    with live.client() as open_client:
        yield open_client
