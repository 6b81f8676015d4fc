"""The unit of work: one transaction of one tenant. The only place that commits (law 4).

A service opens one for each phase of its work, hands it to the stores, and leaves the block to commit; an error rolls
back. The tenant is bound to the transaction with SET LOCAL before anything else runs, so forced row-level security
sees it (law 5). While one is open in a task, no model may compute: the generator's clients call
`assert_no_open_transaction`.
"""

from collections.abc import Callable, Mapping, Sequence
from contextvars import Token
from types import TracebackType
from typing import Any, Self

import sqlalchemy.exc
from sqlalchemy import RowMapping, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from memos.kit.errors import Unavailable
from memos.kit.transactions import OPEN

_BIND = text("SELECT set_config('memos.tenant', :tenant, true)")


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached."""

    code = "database_unavailable"


class UnitOfWork:
    """`async with database.unit_of_work(tenant) as work:` one transaction; committed on leaving, or rolled back."""

    def __init__(self, engine: AsyncEngine, tenant_id: str) -> None:
        self.tenant_id = tenant_id
        self._connection: AsyncConnection = engine.connect()
        self._after_commit: list[Callable[[], None]] = []
        self._token: Token[int] | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._connection.start()
            await self._connection.execute(_BIND, {"tenant": self.tenant_id})
        except BaseException as error:
            if self._connection.sync_connection is not None:  # else there is nothing to give back
                await self._connection.close()
            replacement = translated(error)
            if replacement is error:
                raise
            raise replacement from error
        self._token = OPEN.set(OPEN.get() + 1)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            OPEN.reset(self._token)
        try:
            if error is None:
                await self._connection.commit()
            else:
                await self._connection.rollback()
        except sqlalchemy.exc.DBAPIError as failure:
            # The original error says more than a rollback that could not be sent; the server rolls back by itself.
            if error is None:
                raise translated(failure) from failure
        finally:
            await self._connection.close()
        if error is not None:
            replacement = translated(error)
            if replacement is not error:
                raise replacement from error
            return
        for call in self._after_commit:
            call()

    def after_commit(self, call: Callable[[], None]) -> None:
        """Runs `call` once the transaction is durable; never if it is rolled back. It must not block or fail."""
        self._after_commit.append(call)

    async def all(self, statement: TextClause, **parameters: Any) -> Sequence[RowMapping]:
        return (await self._connection.execute(statement, parameters)).mappings().all()

    async def first(self, statement: TextClause, **parameters: Any) -> RowMapping | None:
        return (await self._connection.execute(statement, parameters)).mappings().first()

    async def one(self, statement: TextClause, **parameters: Any) -> RowMapping:
        return (await self._connection.execute(statement, parameters)).mappings().one()

    async def run(self, statement: TextClause, **parameters: Any) -> int:
        """Executes and returns how many rows it touched."""
        return int((await self._connection.execute(statement, parameters)).rowcount)

    async def run_many(self, statement: TextClause, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            await self._connection.execute(statement, list(rows))


def translated(error: BaseException) -> BaseException:
    """A lost or refused connection becomes DatabaseUnavailable; everything else stays what it is."""
    if isinstance(error, sqlalchemy.exc.TimeoutError):
        return DatabaseUnavailable("every database connection of this process is in use")
    if isinstance(error, sqlalchemy.exc.DBAPIError):
        state = getattr(error.orig, "sqlstate", None) or "08000"
        # 08: connection; 53: out of connections, memory or disk; 57P: shutting down; 55P03 and 57014: time limits;
        # 40: chosen to give way to another transaction, after which nothing of this one remains
        if error.connection_invalidated or state[:2] in ("08", "40", "53", "57") or state == "55P03":
            return DatabaseUnavailable(f"the database is not available (SQLSTATE {state})")
    return error
