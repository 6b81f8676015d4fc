"""SQL of conversations."""

from collections.abc import Sequence
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import RowMapping, text

from memos.conversations.errors import UnderErasure
from memos.kit.unit_of_work import UnitOfWork

_VIEW = """
    SELECT c.id, c.user_id, c.agent_id, c.title, c.metadata, c.created_at, c.epoch, c.next_seq - 1 AS turn_count,
      c.fingerprint, c.parent_id, c.parent_seq, m.id AS state_cube_id, m.head_number AS state_version,
      (SELECT count(*) FROM turns t WHERE t.conversation_id = c.id AND t.status IN ('accepted', 'answered'))
        + greatest(c.replay_to - coalesce(v.turn_seq, 0), 0) AS pending_turns
    FROM conversations c JOIN memcubes m ON m.conversation_id = c.id AND m.kind = 'activation'
    JOIN memcube_versions v ON v.id = m.head_version_id"""
_GET = text(f"{_VIEW} WHERE c.id = :id AND c.erased_by IS NULL")
_LIST = text(f"""{_VIEW}
    WHERE c.erased_by IS NULL AND (CAST(:user_id AS text) IS NULL OR c.user_id = :user_id)
      AND (CAST(:before AS text) IS NULL OR c.id < :before)
    ORDER BY c.id DESC LIMIT :limit""")
_INSERT = text("""
    INSERT INTO conversations (tenant_id, id, user_id, agent_id, title, metadata, fingerprint, next_seq,
      parent_id, parent_seq)
    VALUES (:tenant_id, :id, :user_id, :agent_id, :title, :metadata, :fingerprint, :next_seq, :parent_id, :parent_seq)
    """)
# The head lock: whoever moves a conversation's state or epoch holds this row until it commits (P3).
_ROW = "SELECT id, epoch, next_seq, fingerprint, replay_to, erasing_by, erased_by FROM conversations WHERE id = :id"
_GET_ROW = text(_ROW)
_LOCK = text(f"{_ROW} FOR UPDATE")
_RAISE_EPOCH = text("""
    UPDATE conversations SET epoch = epoch + 1, fingerprint = :fingerprint, replay_to = :replay_to WHERE id = :id""")
# Of one root: it, and all that was forked from it at any distance.
_FAMILY = text("""
    WITH RECURSIVE up (id, parent_id) AS (
      SELECT c.id, c.parent_id FROM conversations c WHERE c.id = :id
      UNION SELECT c.id, c.parent_id FROM up u JOIN conversations c ON c.id = u.parent_id
    ), family (id) AS (
      SELECT u.id FROM up u WHERE u.parent_id IS NULL
      UNION SELECT c.id FROM family f JOIN conversations c ON c.parent_id = f.id)
    SELECT f.id FROM family f JOIN conversations c USING (id) WHERE c.erased_by IS NULL ORDER BY f.id""")
# The memories that turns became; and why they are where they are, when they were moved.
_LOCK_EPISODES = text("""
    SELECT c.id, c.turn_id, (SELECT e.reason FROM cube_events e WHERE e.cube_id = c.id AND e.to_lifecycle IS NOT NULL
                             ORDER BY e.created_at DESC, e.id DESC LIMIT 1) AS reason
    FROM memcubes c
    WHERE c.turn_id = ANY(:turn_ids) AND c.lifecycle = :lifecycle AND NOT c.frozen AND c.erasing_by IS NULL
    ORDER BY c.id FOR UPDATE OF c""")
_MOVE_EPISODES = text("UPDATE memcubes SET lifecycle = :to WHERE id = ANY(:ids)")


async def get(work: UnitOfWork, conversation_id: str) -> RowMapping | None:
    return await work.first(_GET, id=conversation_id)


async def listing(work: UnitOfWork, *, user_id: str | None, before: str | None, limit: int) -> Sequence[RowMapping]:
    if user_id is None and work.actor.kind == "person":
        user_id = work.actor.user_id or ""  # theirs are all they see; said aloud, the index finds them
    return await work.all(_LIST, user_id=user_id, before=before, limit=limit)


async def insert(work: UnitOfWork, *, metadata: dict[str, Any], **columns: Any) -> None:
    await work.run(_INSERT, tenant_id=work.tenant_id, metadata=Jsonb(metadata), **columns)


async def get_row(work: UnitOfWork, conversation_id: str) -> RowMapping:
    return await work.one(_GET_ROW, id=conversation_id)


async def lock(work: UnitOfWork, conversation_id: str) -> RowMapping | None:
    """None if there is none, or none any more. Raises UnderErasure while an erasure holds it."""
    row = await lock_held(work, conversation_id)
    if row is None or row["erased_by"] is not None:
        return None
    if row["erasing_by"] is not None:
        raise UnderErasure(f"something of conversation {conversation_id} is being erased")
    return row


async def lock_held(work: UnitOfWork, conversation_id: str) -> RowMapping | None:
    """The same for the erasure itself, and for whoever must see what it does."""
    return await work.first(_LOCK, id=conversation_id)


async def raise_epoch(work: UnitOfWork, conversation_id: str, *, fingerprint: str, replay_to: int) -> None:
    """Begins an epoch: of which model, and up to which turn its state is first to be rebuilt (0: it is whole)."""
    await work.run(_RAISE_EPOCH, id=conversation_id, fingerprint=fingerprint, replay_to=replay_to)


async def family(work: UnitOfWork, conversation_id: str) -> list[str]:
    """Every conversation that shares a past with this one, and it."""
    return [row["id"] for row in await work.all(_FAMILY, id=conversation_id)]


async def lock_episodes(work: UnitOfWork, turn_ids: Sequence[str], *, lifecycle: str) -> Sequence[RowMapping]:
    return await work.all(_LOCK_EPISODES, turn_ids=list(turn_ids), lifecycle=lifecycle)


async def move_episodes(work: UnitOfWork, cube_ids: Sequence[str], *, to: str) -> None:
    """Call it holding their locks, and record what it does."""
    if cube_ids:
        await work.run(_MOVE_EPISODES, ids=list(cube_ids), to=to)
