"""The services themselves, called as the routes call them, over the database of a running service."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from memos.cubes import changes
from memos.cubes.versions import text_payload
from memos.kit.db import Database
from memos.kit.unit_of_work import UnitOfWork
from memos.timemachine import service, store
from memos.timemachine.schemas import CubeThen
from tests.api.talk import look
from tests.support.live import Live

T = TypeVar("T")
BY = "test"


class Desk:
    """One loop, one pool; every `do` is a transaction."""

    def __init__(self, live: Live, runner: asyncio.Runner) -> None:
        self.tenant_id = str(look(live, "SELECT id FROM tenants ORDER BY created_at LIMIT 1")[0]["id"])
        self.database = Database(live.database.app)
        self._runner = runner

    def run(self, made: Awaitable[T]) -> T:
        async def whole() -> T:
            return await made

        return self._runner.run(whole())

    def do(self, effect: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        return self.run(self.transaction(effect))

    async def transaction(self, effect: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        async with self.database.unit_of_work(self.tenant_id) as work:
            return await effect(work)

    def note(self, content: str, user_id: str = "ada", **options: Any) -> str:
        """A new plaintext cube; its id."""

        async def effect(work: UnitOfWork) -> str:
            new = changes.NewCube("plaintext", text_payload(content), BY, user_id=user_id, **options)
            return str((await changes.create(work, new))["id"])

        return self.do(effect)

    def revise(self, cube_id: str, content: str, **options: Any) -> int:
        return self.run(self.revising(cube_id, content, **options))

    async def revising(self, cube_id: str, content: str, **options: Any) -> int:
        async def effect(work: UnitOfWork) -> int:
            cube = await changes.lock(work, cube_id)
            made = await changes.append(work, cube, operation="revise", payload=text_payload(content), by=BY, **options)
            return int(made["number"])

        return await self.transaction(effect)

    def alter(self, cube_id: str, change: Callable[[UnitOfWork, Any], Awaitable[None]]) -> None:
        self.do(lambda work: _altered(work, cube_id, change))

    def clock(self) -> datetime:
        return self.do(store.clock)

    def then(self, cube_id: str, as_of: datetime | None = None, valid_at: datetime | None = None) -> CubeThen:
        return self.run(service.cube_then(self.database, self.tenant_id, cube_id, as_of, valid_at))


async def _altered(work: UnitOfWork, cube_id: str, change: Callable[[UnitOfWork, Any], Awaitable[None]]) -> None:
    await change(work, await changes.lock(work, cube_id))


@contextmanager
def opened(live: Live) -> Iterator[Desk]:
    with asyncio.Runner() as runner:
        made = Desk(live, runner)
        try:
            yield made
        finally:
            made.run(made.database.aclose())
