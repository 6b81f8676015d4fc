"""SQL of API keys and tenants."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, text

from memos.kit.unit_of_work import UnitOfWork

_COLUMNS = "id, name, prefix, scopes, user_id, agent_id, roles, created_at, revoked_at"
_INSERT_TENANT = text("INSERT INTO tenants (id, name) VALUES (:id, :name) RETURNING id, name, created_at")
_INSERT = text(f"""
    INSERT INTO api_keys (tenant_id, id, name, prefix, digest, scopes, user_id, agent_id, roles)
    VALUES (:tenant_id, :id, :name, :prefix, :digest, :scopes, :user_id, :agent_id, :roles) RETURNING {_COLUMNS}""")
_GET = text(f"SELECT {_COLUMNS} FROM api_keys WHERE id = :id")
_LIST = text(f"""
    SELECT {_COLUMNS} FROM api_keys WHERE (CAST(:before AS text) IS NULL OR id < :before)
    ORDER BY id DESC LIMIT :limit""")
_REVOKE = text(f"""
    UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = :id RETURNING {_COLUMNS}""")


async def insert_tenant(work: UnitOfWork, *, tenant_id: str, name: str) -> RowMapping:
    return await work.one(_INSERT_TENANT, id=tenant_id, name=name)


async def insert(work: UnitOfWork, **columns: Any) -> RowMapping:
    return await work.one(_INSERT, tenant_id=work.tenant_id, **columns)


async def get(work: UnitOfWork, key_id: str) -> RowMapping | None:
    return await work.first(_GET, id=key_id)


async def listing(work: UnitOfWork, *, before: str | None, limit: int) -> Sequence[RowMapping]:
    return await work.all(_LIST, before=before, limit=limit)


async def revoke(work: UnitOfWork, key_id: str) -> RowMapping | None:
    return await work.first(_REVOKE, id=key_id)
