"""A tenant in a database of its own and the parts of the service by hand, without a server: cubes are made and tasks
are run by calling them, so that a test says exactly what happens when.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import RowMapping, make_url, text

from memos.conversations import service as conversations
from memos.conversations.schemas import ConversationCreate
from memos.cubes import changes
from memos.cubes.recipes.making import Recipes
from memos.cubes.versions import blob_key, text_payload
from memos.generation.port import Generator
from memos.generation.registry import build_generator
from memos.kernel.canonical import sha256_hex
from memos.kit.blobs import Blobs
from memos.kit.db import Database
from memos.kit.ids import new_id
from memos.kit.metrics import Metrics
from memos.kit.wakeups import Wakeups
from memos.turns import history
from memos.turns.advance import AdvanceTask
from memos.turns.schemas import ImportedTurn, TurnImport
from tests.support.live import settings_for
from tests.support.postgres import Addresses

_TENANT = text("INSERT INTO tenants (id, name) VALUES (:id, 'of a test')")


@dataclass
class Lab:
    database: Database
    addresses: Addresses
    generator: Generator
    blobs: Blobs
    tenant: str

    async def cube(self, content: str, **columns: Any) -> str:
        """A plaintext cube of ada's, made now."""
        new = changes.NewCube(
            kind="plaintext", payload=text_payload(content), created_by="test", **({"user_id": "ada"} | columns)
        )
        async with self.database.unit_of_work(self.tenant) as work:
            return str((await changes.create(work, new))["id"])

    @property
    def recipes(self) -> Recipes:
        return Recipes(self.database, self.generator, self.blobs)

    def forget(self) -> None:
        """A generator that has computed nothing yet."""
        self.generator = build_generator(settings_for(self.addresses, Path("unused")), self.blobs)

    async def get(self, cube_id: str) -> RowMapping:
        async with self.database.unit_of_work(self.tenant) as work:
            return await changes.lock(work, cube_id)

    async def freeze(self, cube_id: str) -> None:
        async with self.database.unit_of_work(self.tenant) as work:
            await changes.set_frozen(work, await changes.lock(work, cube_id), True, reason="test", by="test")

    async def revise(self, cube_id: str, content: str) -> None:
        async with self.database.unit_of_work(self.tenant) as work:
            cube = await changes.lock(work, cube_id)
            await changes.append(work, cube, operation="revise", payload=text_payload(content), by="test")

    async def told(self, turns: int) -> str:
        """A conversation of so many turns, all in its state; its state cube."""
        model = await self.generator.identity()
        async with self.database.unit_of_work(self.tenant) as work:
            made = await conversations.create(work, ConversationCreate(user_id="ada"), model, "test")
        wanted = TurnImport(turns=[ImportedTurn(input=f"turn {n}", output="yes") for n in range(turns)])
        async with self.database.unit_of_work(self.tenant) as work:
            await history.take_in(work, made.id, wanted, max_input_chars=1000, max_pending=1000, by="test")
        wakeups = Wakeups(self.database, between_processes=False)
        await AdvanceTask(self.database, self.generator, wakeups, Metrics())(self.tenant, made.id)
        return made.state_cube_id

    def look(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """What the database holds of this tenant."""
        with self._connection() as connection:
            connection.execute("SET ROLE memos_app")
            connection.execute("SELECT set_config('memos.tenant', %s, false)", [self.tenant])
            return connection.execute(sql, values).fetchall()

    def plant(self, sql: str, *values: Any) -> None:
        """Changes rows past row-level security, triggers and rights: what no part of the service could do."""
        with self._connection() as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(sql, values)

    def _connection(self) -> "psycopg.Connection[dict[str, Any]]":
        url = make_url(self.addresses.admin).set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(url, autocommit=True, row_factory=dict_row)

    def lives(self) -> dict[str, str]:
        """Every cube's state."""
        return {row["id"]: row["lifecycle"] for row in self.look("SELECT id, lifecycle FROM memcubes")}

    def contents(self) -> dict[str, Any]:
        """Every version with its bytes, wherever these are: what nothing automatic may ever lose (P4)."""
        rows = self.look(
            "SELECT id, cube_id, number, hash, payload, content, blob_id, payload_sha256 FROM memcube_versions"
        )
        for row in rows:
            if row["blob_id"] is not None:
                row["bytes"] = self.blobs.get(blob_key(row["blob_id"]), row["payload_sha256"])
            if row["content"] is not None:
                assert sha256_hex(row["content"].encode()) == row["payload_sha256"]
        return {row["id"]: row for row in rows}


@asynccontextmanager
async def lab(addresses: Addresses) -> AsyncIterator[Lab]:
    with tempfile.TemporaryDirectory(prefix="memos-lab-") as folder:
        settings = settings_for(addresses, Path(folder))
        blobs = Blobs(settings.effective_blob_url)
        generator = build_generator(settings, blobs)
        database = Database(addresses.app, pool_size=4)
        tenant = new_id("ten")
        try:
            async with database.unit_of_work(tenant) as work:
                await work.run(_TENANT, id=tenant)
            yield Lab(database, addresses, generator, blobs, tenant)
        finally:
            await generator.aclose()
            await database.aclose()


def remember(addresses: Addresses, tenant: str, user_id: str, *texts: str) -> list[str]:
    """Plaintext cubes of a user in any database, for tests that talk to a service that runs there."""

    async def made() -> list[str]:
        database = Database(addresses.app, pool_size=1)
        try:
            async with database.unit_of_work(tenant) as work:
                new = [
                    changes.NewCube(kind="plaintext", payload=text_payload(text), created_by="test", user_id=user_id)
                    for text in texts
                ]
                return [str((await changes.create(work, one))["id"]) for one in new]
        finally:
            await database.aclose()

    return asyncio.run(made())
