"""Every test of the mechanics runs twice: with the client that blocks, and with the one that is awaited."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest

from memos.sdk import AsyncMemos, Memos, Pages, TurnStream, _retry
from tests.sdk.stub import Stub, stub


@pytest.fixture
def server() -> Iterator[Stub]:
    with stub() as made:
        yield made


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries follow each other at once, whatever the service asks for."""
    monkeypatch.setattr(_retry.Patience, "_wait", staticmethod(_at_once))


def _at_once(error: Exception) -> bool | float:
    return 0.0 if PATIENCE(error) is not False else False


PATIENCE = _retry.Patience._wait


class _Addressed(Protocol):
    """The stub, or the real service."""

    url: str


class Either:
    """One of the two clients, spoken to in one way."""

    def __init__(self, awaited: bool) -> None:
        self.awaited = awaited

    def call(self, server: _Addressed, use: Callable[[Any], Any], **options: Any) -> Any:
        """The result of one call; lists and streams are read to their end."""
        arguments = {"url": server.url, "api_key": "mk_test"} | options
        if self.awaited:
            return asyncio.run(self._await(use, arguments))
        with Memos(**arguments) as client:
            found = use(client)
            return list(found) if isinstance(found, Pages | TurnStream) else found

    @staticmethod
    async def _await(use: Callable[[Any], Any], arguments: dict[str, Any]) -> Any:
        async with AsyncMemos(**arguments) as client:
            found = use(client)
            if hasattr(found, "__aiter__"):
                return [item async for item in found]
            return await found


@pytest.fixture(params=["blocking", "awaited"])
def either(request: pytest.FixtureRequest) -> Either:
    return Either(request.param == "awaited")
