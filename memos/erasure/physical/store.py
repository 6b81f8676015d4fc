"""What the database's owner does so that no byte of an erased row is left in its files. On a connection of its own,
outside of any transaction: none of this can run in one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.rows import dict_row

Connection = AsyncConnection[dict[str, Any]]
LOCK = 6_074_031_921_500_009  # one rewriting at a time
LOCK_TIMEOUT = "10s"
# A rewritten table keeps every row that an open transaction of this database could still see. That goes by numbers and
# not by times: a transaction that began late sees what one that was open then had not ended.
_HOLDING = """
    SELECT count(*) AS n FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND (age(backend_xid) > age(%s::xid)
      OR (datname = current_database() AND age(backend_xmin) > age(%s::xid)))"""
_SETTINGS = """
    SELECT name, setting FROM pg_settings WHERE name IN
      ('wal_recycle', 'archive_mode', 'log_statement', 'log_min_duration_statement')"""
# Samples of columns for which none are to be taken: of an older schema, or by another's hand.
_SAMPLED = """
    SELECT s.tablename, s.attname FROM pg_stats s
    WHERE s.schemaname = 'public' AND s.tablename || '.' || s.attname = ANY(%s) ORDER BY 1, 2"""


async def now(connection: Connection) -> Any:
    return (await _one(connection, "SELECT clock_timestamp() AS at"))["at"]


async def lock(connection: Connection) -> bool:
    """False while another rewriting is under way. Not waited for in the database: a statement that waits is a
    transaction, for which the other one would have to keep what it could still see."""
    return bool((await _one(connection, "SELECT pg_try_advisory_lock(%s) AS taken", [LOCK]))["taken"])


async def unlock(connection: Connection) -> None:
    await connection.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


async def mark(connection: Connection) -> str:
    """A transaction's number: all that was committed by now has a smaller one."""
    return str((await _one(connection, "SELECT pg_current_xact_id()::xid::text AS number"))["number"])


async def holding(connection: Connection, number: str) -> int:
    """Open transactions for which what was erased before `number` would be kept. Once there are none there will be
    none: a later one sees nothing that is older than the oldest that is open."""
    return int((await _one(connection, _HOLDING, [number, number]))["n"])


async def rewrite(connection: Connection, table: str) -> None:
    """A new file with the living rows, and new indexes; the old files are unlinked."""
    await connection.execute(sql.SQL("SET lock_timeout = {}").format(LOCK_TIMEOUT))
    await connection.execute(sql.SQL("VACUUM (FULL) {}").format(sql.Identifier(table)))


async def existing(connection: Connection, tables: Sequence[str]) -> list[str]:
    rows = await _all(
        connection, "SELECT t AS name FROM unnest(%s::text[]) t WHERE to_regclass(t) IS NOT NULL", [list(tables)]
    )
    return [row["name"] for row in rows]


async def forget_samples(connection: Connection, columns: Mapping[str, Sequence[str]]) -> list[str]:
    """Columns whose samples were dropped."""
    dropped = []
    wanted = [f"{table}.{column}" for table, names in columns.items() for column in names]
    for row in await _all(connection, _SAMPLED, [wanted]):
        clear = "SELECT pg_clear_attribute_stats('public', %s, %s, false)"
        await connection.execute(clear, [row["tablename"], row["attname"]])
        dropped.append(f"{row['tablename']}.{row['attname']}")
    await connection.execute("VACUUM (FULL) pg_catalog.pg_statistic")
    return dropped


async def wal_segment(connection: Connection) -> str:
    """The file of the write-ahead log that is written now."""
    return str((await _one(connection, "SELECT pg_walfile_name(pg_current_wal_insert_lsn()) AS name"))["name"])


async def leave_segment(connection: Connection) -> None:
    """Everything up to here is in the tables, and the log goes on in another file."""
    await connection.execute("SELECT pg_switch_wal()")
    await connection.execute("CHECKPOINT")


async def segments_up_to(connection: Connection, segment: str) -> int:
    found = "SELECT count(*) AS n FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$' AND name <= %s"
    return int((await _one(connection, found, [segment]))["n"])


async def settings(connection: Connection) -> dict[str, str]:
    return {row["name"]: row["setting"] for row in await _all(connection, _SETTINGS)}


async def followers(connection: Connection) -> dict[str, int]:
    """Who else has copies of the log: replicas, and slots that hold it for somebody."""
    found = """SELECT (SELECT count(*) FROM pg_stat_replication) AS replicas,
      (SELECT count(*) FROM pg_replication_slots) AS slots, (SELECT count(*) FROM pg_prepared_xacts) AS prepared"""
    return {name: int(count) for name, count in (await _one(connection, found)).items()}


async def _all(connection: Connection, query: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(query.encode(), list(values))).fetchall()


async def _one(connection: Connection, query: str, values: Sequence[Any] = ()) -> dict[str, Any]:
    return (await _all(connection, query, values))[0]
