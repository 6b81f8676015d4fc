"""A tenant with an audit log of its own, and what a superuser may do to it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import make_url

from memos.audit import service
from memos.audit.schemas import AuditVerification
from memos.audit.sequencer import Head, Noted, SequenceTask
from memos.audit.verification import verify
from memos.keys.service import KeyService
from memos.keys.store import insert_tenant
from memos.kit.blobs import Blobs
from memos.kit.db import Database
from memos.kit.ids import new_id
from tests.support.live import SECRET
from tests.support.postgres import Addresses


@dataclass
class Log:
    addresses: Addresses
    tenant_id: str
    blobs: Blobs

    def task(self, database: Database) -> SequenceTask:
        return SequenceTask(database, self.noted(database))

    def noted(self, database: Database) -> Noted:
        return Noted(self.blobs, KeyService(database, SECRET.encode()).digest_of)

    def note(self, *subjects: str) -> None:
        """One committed row for each."""

        async def run(database: Database) -> None:
            for subject in subjects:
                async with database.unit_of_work(self.tenant_id) as work:
                    service.note(work, "test.done", subject, "task:test", {"n": 1, "nested": {"a": [True, None, "x"]}})

        self._run(run)

    def chain(self) -> None:
        async def run(database: Database) -> None:
            await self.task(database)(self.tenant_id, "sched")

        self._run(run)

    def verify(self, after: Head | None = None, most: int = 1000) -> AuditVerification:
        found: list[AuditVerification] = []

        async def run(database: Database) -> None:
            found.append(await verify(database, self.noted(database), self.tenant_id, after=after, most=most))

        self._run(run)
        return found[0]

    def _run(self, use: Any) -> None:
        async def run() -> None:
            database = Database(self.addresses.app, pool_size=2)
            try:
                await use(database)
            finally:
                await database.aclose()

        asyncio.run(run())

    @contextmanager
    def superuser(self) -> "Iterator[psycopg.Connection[Any]]":
        """No policy, no trigger and no foreign key holds it."""
        url = make_url(self.addresses.admin).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
            connection.execute("SET session_replication_role = replica")
            yield connection

    def links(self) -> list[dict[str, Any]]:
        with self.superuser() as connection:
            return connection.execute(
                "SELECT * FROM audit_chain WHERE tenant_id = %s ORDER BY seq", [self.tenant_id]
            ).fetchall()


def new_log(addresses: Addresses, folder: Path) -> Log:
    made = Log(addresses, new_id("ten"), Blobs(folder.as_uri()))

    async def run(database: Database) -> None:
        async with database.unit_of_work(made.tenant_id) as work:
            await insert_tenant(work, tenant_id=made.tenant_id, name="audited")

    made._run(run)
    return made
