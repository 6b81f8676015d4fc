"""Connections to Postgres: one pool per process, as a role that owns nothing. Refuses to serve as a role that could
see past row-level security, or on a database that could lose an acknowledged commit.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from sqlalchemy import TextClause, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import QueuePool

from memos.kit.errors import StartupError
from memos.kit.unit_of_work import Checkout, SingleStatement, UnitOfWork, raise_translated, run_statement, translated

STATEMENT_TIMEOUT_MS = 30_000
LOCK_TIMEOUT_MS = 15_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 60_000

_ROLE = text("""
    SELECT r.rolsuper OR r.rolbypassrls AS too_powerful,
           EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE c.relkind IN ('r', 'p') AND n.nspname = 'public'
                     AND pg_has_role(r.oid, c.relowner, 'MEMBER')) AS owns,
           current_user AS name
    FROM pg_roles r WHERE r.rolname = current_user""")
_DURABILITY = text("""
    SELECT name, setting FROM pg_settings
    WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'""")


@asynccontextmanager
async def owner_connection(url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """One connection as the database's owner, in autocommit, for what no service's role may do and no transaction can
    hold (memos.erasure.physical). It serves nothing."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await psycopg.AsyncConnection.connect(address, autocommit=True, connect_timeout=5)
    try:
        yield connection
    finally:
        await connection.close()


class Database:
    """The pool. Hands out units of work; nothing else can reach a table."""

    def __init__(self, url: str, *, pool_size: int = 20) -> None:
        self.engine = create_async_engine(
            url.replace("postgresql://", "postgresql+psycopg://", 1),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=10,
            isolation_level="AUTOCOMMIT",  # the unit of work begins and commits, and nothing else does
            connect_args={
                "connect_timeout": 5,
                "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={LOCK_TIMEOUT_MS} "
                f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_TIMEOUT_MS}",
            },
        )

    def unit_of_work(self, tenant_id: str) -> UnitOfWork:
        return UnitOfWork(self.engine, tenant_id)

    def single(self, tenant_id: str) -> SingleStatement:
        """For reading one thing: each statement is a transaction of its own, in one round trip."""
        return SingleStatement(self.engine, tenant_id)

    async def door(self, statement: TextClause, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        """What a door answers: a statement without a tenant, which sees no tenant's row by itself."""
        checkout = Checkout(self.engine)
        try:
            raw = await checkout.take()
            return await (await run_statement(raw, statement, parameters)).fetchall()
        except Exception as error:
            raise_translated(error)
        finally:
            await checkout.give_back()

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[AsyncConnection]:
        """A connection without a tenant, for the doors and notifications alone: it sees no tenant's row."""
        try:
            async with self.engine.connect() as connection:
                yield connection
        except Exception as error:
            replacement = translated(error)
            if replacement is error:
                raise
            raise replacement from error

    async def verify(self) -> None:
        """Raises StartupError if this role could see every tenant, or if a crash could lose a commit."""
        async with self.autocommit() as connection:
            role = (await connection.execute(_ROLE)).mappings().one()
            if role["too_powerful"] or role["owns"]:
                raise StartupError(
                    f"role {role['name']} owns tables, is a superuser or bypasses row-level security",
                    hint="Connect as memos_app: MEMOS_DATABASE_URL=postgresql://memos_app:...@host/memos.",
                )
            off = [row["name"] for row in (await connection.execute(_DURABILITY)).mappings()]
            if off:
                raise StartupError(
                    f"the database would lose acknowledged turns in a crash: {', '.join(off)} is off",
                    hint=f"Set {' and '.join(off)} to on in postgresql.conf.",
                )

    def connections(self) -> dict[str, float]:
        """How many connections of the pool are in use, and how many are open and idle."""
        pool = self.engine.pool
        if not isinstance(pool, QueuePool):
            raise TypeError(f"the pool is a {type(pool).__name__}")
        return {"in_use": pool.checkedout(), "idle": pool.checkedin()}

    async def aclose(self) -> None:
        await self.engine.dispose()
