"""SQL of the audit log and of its chain. Both are only ever inserted into."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import RowMapping, text

from memos.kernel.audit import Link, Row
from memos.kernel.canonical import canonical_json
from memos.kit.ids import new_id
from memos.kit.unit_of_work import UnitOfWork

_ROW = "a.id, a.at, a.kind, a.action, a.by, a.actors, a.subjects, a.details"
_INSERT = text("""
    INSERT INTO audit_log (tenant_id, id, kind, action, by, actors, subjects, details)
    VALUES (:tenant_id, :id, :kind, :action, :by, :actors, :subjects, :details)""")
_LIST = text(f"""
    SELECT {_ROW}, (SELECT c.seq FROM audit_chain c WHERE c.audit_id = a.id) AS seq FROM audit_log a
    WHERE (CAST(:before AS text) IS NULL OR a.id < :before)
      AND (CAST(:since AS timestamptz) IS NULL OR a.at >= :since)
      AND (CAST(:until AS timestamptz) IS NULL OR a.at < :until)
      AND (CAST(:kind AS text) IS NULL OR a.kind = :kind)
      AND (CAST(:action AS text) IS NULL OR a.action = :action)
      AND (CAST(:actor AS text) IS NULL OR a.by = :actor OR :actor = ANY (a.actors))
      AND (CAST(:subject AS text) IS NULL OR :subject = ANY (a.subjects))
      AND (CAST(:user_id AS text) IS NULL OR :user_digest = ANY (a.subjects)
           OR a.subjects && ARRAY(SELECT c.id FROM conversations c WHERE c.user_id = :user_id
                UNION ALL SELECT m.id FROM memcubes m WHERE m.user_id = :user_id
                UNION ALL SELECT t.id FROM turns t JOIN conversations c ON c.id = t.conversation_id
                          WHERE c.user_id = :user_id))
    ORDER BY a.id DESC LIMIT :limit""")
# One sequencer per tenant: the lock is held until the links are committed. The chain's own keys would refuse a second
# one too, but only after it had done its work.
_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended('memos.audit:' || :tenant_id, 0)) AS ours")
_LAST = text("SELECT seq, hash FROM audit_chain ORDER BY seq DESC LIMIT 1")
_LINK = text("SELECT hash FROM audit_chain WHERE seq = :seq")
# Rows are committed in another order than they are made: whatever is not chained yet is next, however old it is. How
# far back to look is bounded by the time a transaction may take, except once in a while.
_OPEN = """
    FROM audit_log a
    WHERE (CAST(:back_s AS float8) IS NULL OR a.at > clock_timestamp() - make_interval(secs => :back_s))
      AND NOT EXISTS (SELECT FROM audit_chain c WHERE c.audit_id = a.id)"""
_TAKE_OPEN = text(f"SELECT {_ROW} {_OPEN} ORDER BY a.at, a.id LIMIT :limit")
_COUNT_OPEN = text(f"SELECT count(*) AS count, min(a.at) AS oldest_at {_OPEN}")
_CHAIN = text("""
    INSERT INTO audit_chain (tenant_id, seq, audit_id, previous, hash)
    SELECT :tenant_id, * FROM unnest(CAST(:seqs AS bigint[]), CAST(:ids AS text[]), CAST(:previous AS text[]),
                                     CAST(:hashes AS text[]))""")
_WALK = text(f"""
    SELECT l.seq, l.audit_id, l.previous, l.hash, {_ROW}
    FROM audit_chain l LEFT JOIN audit_log a ON a.id = l.audit_id
    WHERE l.seq > :after ORDER BY l.seq LIMIT :limit""")


def insert(
    work: UnitOfWork,
    *,
    kind: str,
    action: str,
    by: str,
    actors: Sequence[str],
    subjects: Sequence[str],
    details: Mapping[str, Any],
) -> None:
    """Travels with the next statement, or with the commit."""
    canonical_json(details)  # refuses what has no one form, before the database gives it one
    work.queue(
        _INSERT,
        tenant_id=work.tenant_id,
        id=new_id("audit"),
        kind=kind,
        action=action,
        by=by,
        actors=list(actors),
        subjects=list(subjects),
        details=Jsonb(dict(details)),
    )


async def listing(work: UnitOfWork, **filters: Any) -> Sequence[RowMapping]:
    return await work.all(_LIST, **filters)


async def lock(work: UnitOfWork) -> bool:
    """False: another sequencer is at this tenant's chain."""
    return bool((await work.one(_LOCK, tenant_id=work.tenant_id))["ours"])


async def last(work: UnitOfWork) -> RowMapping | None:
    return await work.first(_LAST)


async def hash_at(work: UnitOfWork, seq: int) -> str | None:
    row = await work.first(_LINK, seq=seq)
    return row["hash"] if row else None


async def take_open(work: UnitOfWork, *, back_s: float | None, limit: int) -> list[Row]:
    return [row_of(row) for row in await work.all(_TAKE_OPEN, back_s=back_s, limit=limit)]


async def count_open(work: UnitOfWork) -> RowMapping:
    return await work.one(_COUNT_OPEN, back_s=None)


async def chain(work: UnitOfWork, links: Sequence[Link]) -> None:
    await work.run(
        _CHAIN,
        tenant_id=work.tenant_id,
        seqs=[link.seq for link in links],
        ids=[link.audit_id for link in links],
        previous=[link.previous for link in links],
        hashes=[link.hash for link in links],
    )


async def walk(work: UnitOfWork, *, after: int, limit: int) -> list[Link]:
    rows = await work.all(_WALK, after=after, limit=limit)
    return [
        Link(row["seq"], row["audit_id"], row["previous"], row["hash"], None if row["id"] is None else row_of(row))
        for row in rows
    ]


def row_of(row: RowMapping) -> Row:
    return Row(
        id=row["id"],
        at=moment(row["at"]),
        kind=row["kind"],
        action=row["action"],
        by=row["by"],
        actors=tuple(row["actors"]),
        subjects=tuple(row["subjects"]),
        details=row["details"],
    )


def moment(at: datetime) -> str:
    """The same text in every time zone."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
