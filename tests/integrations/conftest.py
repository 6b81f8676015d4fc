"""Each test as a user of its own, against the live service."""

import uuid
from collections.abc import Iterator

import httpx2
import pytest

from memos.sdk import Memos
from tests.support.live import Live


@pytest.fixture
def user() -> str:
    return f"user-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def client(live: Live) -> Iterator[httpx2.Client]:
    with live.client() as open_client:
        yield open_client


@pytest.fixture
def memos(live: Live) -> Iterator[Memos]:
    with Memos(live.url, live.key) as open_client:
        yield open_client
