"""The official client against the live service, each test as a user of its own."""

import uuid
from collections.abc import Iterator

import httpx2
import pytest
from openai import OpenAI

from tests.support.live import Live


def openai(live: Live, *, key: str | None = None, url: str | None = None, retries: int = 0, **headers: str) -> OpenAI:
    """`headers`: by their names, with _ for -."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return OpenAI(
        base_url=f"{url or live.url}/v1", api_key=key or live.key, max_retries=retries, timeout=30, default_headers=sent
    )


@pytest.fixture
def user() -> str:
    return f"user-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def client(live: Live) -> Iterator[httpx2.Client]:
    with live.client() as open_client:
        yield open_client


@pytest.fixture
def chat(live: Live) -> Iterator[OpenAI]:
    with openai(live) as open_client:
        yield open_client
