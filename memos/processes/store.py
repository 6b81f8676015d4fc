"""SQL of serving processes and of what they confirm. A process is of no tenant; what it confirms is."""

from collections.abc import Sequence

from sqlalchemy import RowMapping, text

from memos.kit.db import Database
from memos.kit.unit_of_work import UnitOfWork

FORGOTTEN_AFTER_S = 3600.0
_ALIVE = text("""
    INSERT INTO processes (id, lease_expires_at) VALUES (:id, now() + make_interval(secs => :lease_s))
    ON CONFLICT (id) DO UPDATE SET lease_expires_at = EXCLUDED.lease_expires_at RETURNING id""")
_GONE = text("DELETE FROM processes WHERE id = :id RETURNING id")
_ALONE = text("DELETE FROM processes WHERE id <> :id RETURNING id")
_LONG_GONE = text("""
    DELETE FROM processes WHERE lease_expires_at < now() - make_interval(secs => :after_s) RETURNING id""")
_REVISION = text("SELECT revision FROM scopes WHERE name = :name")
_RAISE = text("""
    INSERT INTO scopes AS s (tenant_id, name, revision) VALUES (:tenant_id, :name, 1)
    ON CONFLICT (tenant_id, name) DO UPDATE SET revision = s.revision + 1 RETURNING revision""")
_CONFIRM = text("""
    INSERT INTO confirmations AS c (tenant_id, name, process_id, revision)
    VALUES (:tenant_id, :name, :process_id, :revision)
    ON CONFLICT (tenant_id, name, process_id) DO UPDATE SET revision = EXCLUDED.revision, confirmed_at = now()
    WHERE c.revision < EXCLUDED.revision""")
_FORGET_GONE = text("DELETE FROM confirmations WHERE process_id = ANY(:ids)")
_UNCONFIRMED = text("""
    SELECT p.id FROM processes p WHERE p.lease_expires_at > now() AND NOT EXISTS (
      SELECT FROM confirmations c WHERE c.name = :name AND c.process_id = p.id AND c.revision >= :revision)
    ORDER BY p.id""")
_CONFIRMED = text("""
    SELECT c.process_id AS id, c.confirmed_at FROM confirmations c
    WHERE c.name = :name AND c.revision >= :revision ORDER BY c.process_id""")


async def alive(database: Database, process_id: str, lease_s: float) -> None:
    await database.door(_ALIVE, {"id": process_id, "lease_s": lease_s})


async def gone(database: Database, process_id: str) -> None:
    await database.door(_GONE, {"id": process_id})


async def alone(database: Database, process_id: str) -> None:
    """For a process that knows that no other serves this database."""
    await database.door(_ALONE, {"id": process_id})


async def drop_long_gone(database: Database) -> list[str]:
    return [row["id"] for row in await database.door(_LONG_GONE, {"after_s": FORGOTTEN_AFTER_S})]


async def revision(work: UnitOfWork, name: str) -> int:
    row = await work.first(_REVISION, name=name)
    return int(row["revision"]) if row else 0


async def raise_revision(work: UnitOfWork, name: str) -> int:
    """The new one. The scope's row is locked until the transaction ends."""
    return int((await work.one(_RAISE, tenant_id=work.tenant_id, name=name))["revision"])


async def confirm(work: UnitOfWork, name: str, process_id: str, revision: int) -> None:
    await work.run(_CONFIRM, tenant_id=work.tenant_id, name=name, process_id=process_id, revision=revision)


async def forget_confirmations(work: UnitOfWork, process_ids: Sequence[str]) -> None:
    await work.run(_FORGET_GONE, ids=list(process_ids))


async def unconfirmed(work: UnitOfWork, name: str, revision: int) -> list[str]:
    """Living processes that have not confirmed this revision yet."""
    return [row["id"] for row in await work.all(_UNCONFIRMED, name=name, revision=revision)]


async def confirmed(work: UnitOfWork, name: str, revision: int) -> Sequence[RowMapping]:
    return await work.all(_CONFIRMED, name=name, revision=revision)
