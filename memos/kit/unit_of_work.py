"""The unit of work: one transaction of one tenant. The only place that commits (law 4).

A service opens one for each phase of its work, hands it to the stores, and leaves the block to commit; an error rolls
back. The tenant is bound to the transaction with SET LOCAL before anything else runs, so forced row-level security
sees it (law 5). While one is open in a task, no model may compute: the generator's clients call
`assert_no_open_transaction`.

Notable choices:

* Connections come from SQLAlchemy's pool, and statements are its `text()`; they are run by psycopg itself. What a
  statement costs beside the database's own work is most of what a turn costs.
* BEGIN and the tenant travel with the first statement, in one round trip: the server runs them in that order, and
  nothing after one that failed.
* A lost connection says that the others in the pool are lost as well: the pool is renewed as a whole.
"""

from collections.abc import Callable, Mapping, Sequence
from contextvars import Token
from functools import lru_cache
from types import TracebackType
from typing import Any, NoReturn, Self, cast

import psycopg
import sqlalchemy.exc
from psycopg.rows import DictRow, dict_row
from sqlalchemy import RowMapping, TextClause, text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import NoResultFound
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from memos.kernel.access import SERVICE, Actor
from memos.kit.actor import TenantView, Witness, settings_of
from memos.kit.errors import Forbidden, Unavailable
from memos.kit.transactions import OPEN

_BIND = text("SELECT set_config('memos.tenant', :tenant, true)")
_BIND_ACTOR = text("""
    SELECT set_config('memos.tenant', :tenant, true), set_config('memos.actor', :actor, true),
      set_config('memos.user', :user, true), set_config('memos.agent', :agent, true),
      set_config('memos.roles', :roles, true)""")
_BEGIN, _COMMIT = text("BEGIN"), text("COMMIT")
_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]

Connection = psycopg.AsyncConnection[Any]
Cursor = psycopg.AsyncCursor[DictRow]
Wanted = tuple[TextClause, Mapping[str, Any]]


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached."""

    code = "database_unavailable"


class NotYours(Forbidden):
    """You may not change that."""

    code = "not_yours"
    hint = "Act as its owner (X-Memos-User, X-Memos-Agent), or be granted leave with POST /v1/cubes/{id}/grants."


@lru_cache(maxsize=4096)
def _sql(statement: TextClause) -> str:
    """As psycopg takes it: `:name` is `%(name)s`."""
    return str(statement.compile(dialect=_DIALECT))


class Checkout:
    """One connection of the pool while it is ours: in autocommit, so that nothing but us begins a transaction."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._pool = engine.pool
        self._connection: AsyncConnection = engine.connect()
        self._raw: Connection | None = None

    async def take(self) -> Connection:
        await self._connection.start()
        raw = (await self._connection.get_raw_connection()).driver_connection
        if not isinstance(raw, psycopg.AsyncConnection):
            raise TypeError(f"the unit of work needs psycopg, not {type(raw).__name__}")
        self._raw = raw
        return raw

    async def give_back(self) -> None:
        """To the pool, which rolls back what may still be open. A lost one is thrown away, and those like it; one whose
        pool was renewed or closed meanwhile has nobody left to close it, and is closed here."""
        if self._raw is None:
            return
        lost, outlived = self._raw.closed, self._engine.pool is not self._pool
        if lost or outlived:
            await self._connection.invalidate()
        await self._connection.close()
        if lost and not outlived:
            await self._engine.dispose()


class UnitOfWork:
    """`async with database.unit_of_work(tenant) as work:` one transaction; committed on leaving, or rolled back."""

    def __init__(self, engine: AsyncEngine, tenant_id: str) -> None:
        self.tenant_id = tenant_id
        self.actor = tenant_id.actor if isinstance(tenant_id, TenantView) else SERVICE
        self._bind = _binding(str(tenant_id), self.actor)
        self._witness = _witness(tenant_id)
        self._engine = engine
        self._checkout = Checkout(engine)
        self._raw: Connection | None = None
        self._begun = False
        self._queued: list[Wanted] = []
        self._after_commit: list[Callable[[], None]] = []
        self._token: Token[int] | None = None

    async def __aenter__(self) -> Self:
        try:
            self._raw = await self._checkout.take()
        except Exception as error:
            raise_translated(error)
        self._token = OPEN.set(OPEN.get() + 1)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            OPEN.reset(self._token)
        try:
            if error is None and self._witness is not None:
                self._witness.before_commit(self)
            if error is None and (self._begun or self._queued):
                await self._commit()
        except Exception as failure:
            raise_translated(self._refused(failure) or failure)
        finally:
            await self._checkout.give_back()
        if error is not None:
            replacement = self._refused(error) or translated(error)
            if replacement is not error:
                raise replacement from error
            return
        if self._witness is not None:
            self._witness.committed()
        for call in self._after_commit:
            call()

    def after_commit(self, call: Callable[[], None]) -> None:
        """Runs `call` once the transaction is durable; never if it is rolled back. It must not block or fail."""
        self._after_commit.append(call)

    async def all(self, statement: TextClause, **parameters: Any) -> Sequence[RowMapping]:
        return cast(Sequence[RowMapping], await (await self._execute(statement, parameters)).fetchall())

    async def first(self, statement: TextClause, **parameters: Any) -> RowMapping | None:
        return cast(RowMapping | None, await (await self._execute(statement, parameters)).fetchone())

    async def one(self, statement: TextClause, **parameters: Any) -> RowMapping:
        row = await self.first(statement, **parameters)
        if row is None:
            raise NoResultFound("a row was expected, and there is none")
        return row

    async def run(self, statement: TextClause, **parameters: Any) -> int:
        """Executes and returns how many rows it touched."""
        return (await self._execute(statement, parameters)).rowcount

    async def run_many(self, statement: TextClause, rows: Sequence[Mapping[str, Any]]) -> None:
        """The same statement for each row, in one round trip."""
        if rows:
            await self._send([(statement, row) for row in rows])

    def queue(self, statement: TextClause, **parameters: Any) -> None:
        """Executes before the next statement or the commit, in the same round trip. If it fails, so does what is after
        it, and nothing is committed."""
        self._queued.append((statement, parameters))

    async def _execute(self, statement: TextClause, parameters: Mapping[str, Any]) -> Cursor:
        return (await self._send([(statement, parameters)]))[-1]

    async def _send(self, wanted: Sequence[Wanted]) -> list[Cursor]:
        if self._raw is None:
            raise RuntimeError("a unit of work is used inside its `async with` block only")
        begins = [] if self._begun else [(_BEGIN, {}), self._bind]
        if self._witness is not None:
            for one in (*self._queued, *wanted):
                self._witness.saw(*one)
        everything = [*begins, *self._queued, *wanted]
        self._begun, self._queued = True, []
        if len(everything) == 1:
            return [await run_statement(self._raw, *everything[0])]
        async with self._raw.pipeline():
            return [await run_statement(self._raw, *one) for one in everything]

    def _refused(self, error: BaseException) -> NotYours | None:
        """Row-level security refused what a limited actor wanted to write."""
        return NotYours() if self.actor.limited and isinstance(error, psycopg.errors.InsufficientPrivilege) else None

    async def _commit(self) -> None:
        ended = (await self._send([(_COMMIT, {})]))[-1]
        if ended.statusmessage != "COMMIT":  # a statement had failed, and somebody went on as if it had not
            raise RuntimeError(f"the transaction could not be committed: {ended.statusmessage}")


class SingleStatement(UnitOfWork):
    """A transaction of one statement, the tenant bound, in one round trip: for reading one thing. Not a context
    manager; each call is a transaction of its own."""

    async def _send(self, wanted: Sequence[Wanted]) -> list[Cursor]:
        checkout = Checkout(self._engine)
        try:
            raw = await checkout.take()
            async with raw.pipeline():
                ended = [await run_statement(raw, *one) for one in ((_BEGIN, {}), self._bind, *wanted, (_COMMIT, {}))]
        except Exception as error:
            raise_translated(error)
        finally:
            await checkout.give_back()
        return ended[2:-1]


def _binding(tenant_id: str, actor: Actor) -> Wanted:
    """How the tenant, and the actor if it is to be narrowed, are bound."""
    bare = {"tenant": tenant_id}
    return (_BIND_ACTOR, bare | settings_of(actor)) if actor.limited else (_BIND, bare)


def _witness(tenant_id: str) -> Witness | None:
    witnesses = tenant_id.witnesses if isinstance(tenant_id, TenantView) else None
    return None if witnesses is None else witnesses.of_unit()


async def run_statement(raw: Connection, statement: TextClause, parameters: Mapping[str, Any]) -> Cursor:
    return await raw.cursor(row_factory=dict_row).execute(_sql(statement), parameters)


def raise_translated(error: Exception) -> NoReturn:
    replacement = translated(error)
    if replacement is error:
        raise error
    raise replacement from error


def translated(error: BaseException) -> BaseException:
    """A lost or refused connection becomes DatabaseUnavailable; everything else stays what it is."""
    if isinstance(error, sqlalchemy.exc.TimeoutError):
        return DatabaseUnavailable("every database connection of this process is in use")
    state, lost = "", False
    if isinstance(error, sqlalchemy.exc.DBAPIError):  # from the pool, which made or lost the connection
        state, lost = getattr(error.orig, "sqlstate", None) or "08000", error.connection_invalidated
    elif isinstance(error, psycopg.Error):
        # Without a code the server said nothing any more: it, or the way to it, is gone.
        gone = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        state = error.sqlstate or ("08000" if gone else "")
    # 08: connection; 53: out of connections, memory or disk; 57P: shutting down; 55P03 and 57014: time limits;
    # 40: chosen to give way to another transaction, after which nothing of this one remains
    if lost or state[:2] in ("08", "40", "53", "57") or state == "55P03":
        return DatabaseUnavailable(f"the database is not available (SQLSTATE {state})")
    return error
