"""The three doors that cross tenants (law 5): SECURITY DEFINER functions that return ids and nothing else."""

from dataclasses import dataclass

from sqlalchemy import text

from memos.kit.db import Database

_KEY = text("SELECT tenant_id, key_id FROM memos_door_key(:digest)")
_TENANTS = text("SELECT tenant_id FROM memos_door_tenants()")
_CLAIM = text("SELECT job_id, tenant_id, task, subject FROM memos_door_claim(:owner, :most, :lease_s)")


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    job_id: str
    tenant_id: str
    task: str
    subject: str


async def key_owner(database: Database, digest: bytes) -> tuple[str, str] | None:
    """The (tenant, key) of an unrevoked key's digest."""
    rows = await database.door(_KEY, {"digest": digest})
    return (rows[0]["tenant_id"], rows[0]["key_id"]) if rows else None


async def tenant_ids(database: Database) -> list[str]:
    return [row["tenant_id"] for row in await database.door(_TENANTS, {})]


async def claim_jobs(database: Database, *, owner: str, most: int, lease_s: float) -> list[ClaimedJob]:
    """Leases up to `most` open jobs to `owner`, at most one per subject."""
    rows = await database.door(_CLAIM, {"owner": owner, "most": most, "lease_s": lease_s})
    return [ClaimedJob(**row) for row in rows]
