"""SQL of grants. A grant is inserted and revoked, never changed or deleted."""

from collections.abc import Sequence

from sqlalchemy import RowMapping, text

from memos.kit.unit_of_work import UnitOfWork

_COLUMNS = "id, cube_id, grantee_kind, grantee, permission, created_at, created_by, revoked_at"
_INSERT = text(f"""
    INSERT INTO cube_grants (tenant_id, id, cube_id, grantee_kind, grantee, permission, created_by)
    VALUES (:tenant_id, :id, :cube_id, :kind, :grantee, :permission, :by) RETURNING {_COLUMNS}""")
_IN_FORCE = text(f"""
    SELECT {_COLUMNS} FROM cube_grants
    WHERE cube_id = :cube_id AND grantee_kind = :kind AND grantee = :grantee AND revoked_at IS NULL""")
_ALL_IN_FORCE = text(f"SELECT {_COLUMNS} FROM cube_grants WHERE cube_id = :cube_id AND revoked_at IS NULL")
_GET = text(f"SELECT {_COLUMNS} FROM cube_grants WHERE cube_id = :cube_id AND id = :id")
_LIST = text(f"""
    SELECT {_COLUMNS} FROM cube_grants
    WHERE cube_id = :cube_id AND (CAST(:before AS text) IS NULL OR id < :before) ORDER BY id DESC LIMIT :limit""")
_REVOKE = text(f"""
    UPDATE cube_grants SET revoked_at = clock_timestamp(), revoked_by = :by
    WHERE cube_id = :cube_id AND id = :id AND revoked_at IS NULL RETURNING {_COLUMNS}""")


def readable_filter(alias: str) -> str:
    """What a list of `memcubes AS alias` may add to its WHERE. The table's policies hold the same of themselves; this
    is for queries that say it aloud."""
    held = ", ".join(f"{alias}.{column}" for column in ("id", "user_id", "agent_id", "visibility", "sensitivity"))
    return f"(memos_actor() IS NULL OR memos_reads({held}))"


async def insert(
    work: UnitOfWork, *, id: str, cube_id: str, kind: str, grantee: str, permission: str, by: str
) -> RowMapping:
    return await work.one(
        _INSERT,
        tenant_id=work.tenant_id,
        id=id,
        cube_id=cube_id,
        kind=kind,
        grantee=grantee,
        permission=permission,
        by=by,
    )


async def in_force(work: UnitOfWork, *, cube_id: str, kind: str, grantee: str) -> RowMapping | None:
    return await work.first(_IN_FORCE, cube_id=cube_id, kind=kind, grantee=grantee)


async def all_in_force(work: UnitOfWork, cube_id: str) -> Sequence[RowMapping]:
    return await work.all(_ALL_IN_FORCE, cube_id=cube_id)


async def get(work: UnitOfWork, cube_id: str, grant_id: str) -> RowMapping | None:
    return await work.first(_GET, cube_id=cube_id, id=grant_id)


async def listing(work: UnitOfWork, *, cube_id: str, before: str | None, limit: int) -> Sequence[RowMapping]:
    return await work.all(_LIST, cube_id=cube_id, before=before, limit=limit)


async def revoke(work: UnitOfWork, cube_id: str, grant_id: str, by: str) -> RowMapping | None:
    return await work.first(_REVOKE, cube_id=cube_id, id=grant_id, by=by)
