"""SQL of chat turns."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, text

from memos.kit.unit_of_work import UnitOfWork

_SERIALISE = text("SELECT pg_advisory_xact_lock(:number)")
_INSERT = text("""
    INSERT INTO chat_turns (tenant_id, turn_id, conversation_id, through, request)
    VALUES (:tenant_id, :turn_id, :conversation_id, :through, :request)""")
# What a turn of the line is, and whether it is the last: later ones that failed, were cancelled or left behind are not
# in the memory.
_KNOWN = text("""
    SELECT c.turn_id, c.through, c.conversation_id, t.seq, t.output, t.status,
      t.status <> 'superseded' AND t.seq >= coalesce(v.parent_seq, 0) AND NOT EXISTS (
        SELECT FROM turns l WHERE l.conversation_id = t.conversation_id AND l.seq > t.seq
          AND l.status IN ('accepted', 'answered', 'applied')) AS is_head
    FROM chat_turns c JOIN turns t ON t.id = c.turn_id JOIN conversations v ON v.id = c.conversation_id
    WHERE c.through = ANY(:through) AND t.status IN ('answered', 'applied', 'superseded') AND v.erased_by IS NULL
    ORDER BY is_head DESC, c.turn_id DESC""")
_ASKED = text("""
    SELECT c.turn_id, c.conversation_id, t.status, c.lost_at IS NOT NULL AS lost, c.through IS NULL AS named,
      extract(epoch FROM now() - t.answered_at) AS answered_s_ago
    FROM chat_turns c JOIN turns t ON t.id = c.turn_id
    WHERE c.request = :request AND t.status IN ('accepted', 'answered', 'applied')
    ORDER BY c.turn_id DESC LIMIT 1""")
_STATUS = text("SELECT status, conversation_id FROM turns WHERE id = :turn_id")
_LOST = text("UPDATE chat_turns SET lost_at = now() WHERE turn_id = :turn_id AND lost_at IS NULL")
# What was said since an erasure ended is another matter.
_KNOWN_IN = text("""
    SELECT DISTINCT c.conversation_id FROM chat_turns c WHERE c.conversation_id = ANY(:ids)
      AND (CAST(:erasure_id AS text) IS NULL
        OR c.created_at < (SELECT e.logical_at FROM erasures e WHERE e.id = :erasure_id))""")
_FORGET = text("DELETE FROM chat_turns WHERE conversation_id = ANY(:ids)")


async def serialise(work: UnitOfWork, digest: bytes) -> None:
    """Until the transaction ends, nobody else passes here with the same digest."""
    await work.run(_SERIALISE, number=int.from_bytes(digest[:8], "big", signed=True))


def insert(work: UnitOfWork, **columns: Any) -> None:
    work.queue(_INSERT, tenant_id=work.tenant_id, **columns)


async def insert_many(work: UnitOfWork, rows: Sequence[dict[str, Any]]) -> None:
    await work.run_many(_INSERT, [{"tenant_id": work.tenant_id, "request": None} | row for row in rows])


async def known(work: UnitOfWork, through: Sequence[bytes]) -> Sequence[RowMapping]:
    """The turns that these digests stand for; first those that are the last of their conversation, then the newest."""
    return await work.all(_KNOWN, through=list(through))


async def asked(work: UnitOfWork, request: bytes) -> RowMapping | None:
    """The newest turn that this very request began, and that came to something or still may."""
    return await work.first(_ASKED, request=request)


async def status(work: UnitOfWork, turn_id: str) -> RowMapping | None:
    return await work.first(_STATUS, turn_id=turn_id)


async def lost(work: UnitOfWork, turn_id: str) -> None:
    await work.run(_LOST, turn_id=turn_id)


async def known_in(work: UnitOfWork, conversation_ids: Sequence[str], erasure_id: str | None = None) -> list[str]:
    """Those of the conversations that have any; with an erasure, any from before it."""
    rows = await work.all(_KNOWN_IN, ids=list(conversation_ids), erasure_id=erasure_id)
    return [row["conversation_id"] for row in rows]


async def forget(work: UnitOfWork, conversation_ids: Sequence[str]) -> None:
    await work.run(_FORGET, ids=list(conversation_ids))
