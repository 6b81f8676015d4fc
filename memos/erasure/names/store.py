"""SQL of where a user's name stands beside no conversation and no cube."""

from collections.abc import Sequence

from sqlalchemy import text

from memos.kit.unit_of_work import UnitOfWork

NAMING_TABLES = (
    "cube_grants", "api_keys", "policies", "consolidations", "consolidation_proposals", "distil_runs", "recall_scopes",
)  # fmt: skip
# A scope in which the user has said something since keeps its name, or what is in it would not be found again.
_ABANDONED = """NOT EXISTS (
    SELECT FROM memcubes c WHERE c.scope_id = recall_scopes.id AND c.lifecycle <> 'erased')"""

# A key that was limited to the user must not come to be unlimited, nor a policy to be everybody's.
_NAMED_ROWS = {
    "cube_grants": "grantee_kind = 'user' AND grantee = :user_id",
    **{table: "user_id = :user_id" for table in NAMING_TABLES if table != "cube_grants"},
}
_FIND_NAMES = text(
    " UNION ALL ".join(
        f"SELECT '{table}:' || id AS id FROM {table} WHERE {named}" for table, named in _NAMED_ROWS.items()
    )
)
_CLEARED = {
    "cube_grants": """grantee = 'erased', revoked_at = coalesce(revoked_at, now()),
        revoked_by = coalesce(revoked_by, :erasure_id)""",
    "api_keys": "user_id = 'erased', revoked_at = coalesce(revoked_at, now())",
    "policies": "user_id = 'erased', enabled = false",
    "recall_scopes": "user_id = 'erased', erased_by = :erasure_id",
}
_CLEARED_WHERE = {"recall_scopes": f"AND {_ABANDONED}"}
_CLEAR_NAMES = {
    table: text(f"""
        WITH wanted AS (SELECT CAST(:erasure_id AS text) AS by)
        UPDATE {table} SET {_CLEARED.get(table, "user_id = 'erased'")} FROM wanted WHERE id = ANY(:ids)
        {_CLEARED_WHERE.get(table, "")}""")
    for table in NAMING_TABLES
}
_STILL_NAMED = text(
    " UNION ALL ".join(
        f"""SELECT '{table}:' || id AS id FROM {table}
        WHERE '{table}:' || id = ANY(:ids) AND {"grantee" if table == "cube_grants" else "user_id"} <> 'erased'
        {_CLEARED_WHERE.get(table, "")}"""
        for table in NAMING_TABLES
    )
)


async def rows_naming(work: UnitOfWork, user_id: str) -> list[str]:
    """`table:id` of every row, beside conversations and cubes, that names a user."""
    return [row["id"] for row in await work.all(_FIND_NAMES, user_id=user_id)]


async def clear_names(work: UnitOfWork, rows: Sequence[str], erasure_id: str) -> None:
    for table, clear in _CLEAR_NAMES.items():
        ids = [row.partition(":")[2] for row in rows if row.startswith(f"{table}:")]
        if ids:
            await work.run(clear, ids=ids, erasure_id=erasure_id)


async def still_named(work: UnitOfWork, rows: Sequence[str]) -> list[str]:
    return [row["id"] for row in await work.all(_STILL_NAMED, ids=list(rows))]
