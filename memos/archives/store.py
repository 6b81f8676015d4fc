"""SQL of archives: what goes into one, and what one becomes."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import RowMapping, text

from memos.cubes.recipes.store import THINNED
from memos.kit.unit_of_work import UnitOfWork

_CUBES_OF_USER = text("""
    SELECT id, conversation_id FROM memcubes WHERE user_id = :user_id AND lifecycle <> 'erased' ORDER BY id""")
_CUBES_BY_ID = text("""
    SELECT id, conversation_id FROM memcubes WHERE id = ANY(:ids) AND lifecycle <> 'erased' ORDER BY id""")
_CONVERSATIONS_OF_USER = text("SELECT id FROM conversations WHERE user_id = :user_id AND erased_by IS NULL ORDER BY id")
# A fork shares the past of its parent and copies none of it: where it goes, its parents go.
_WITH_PARENTS = text("""
    WITH RECURSIVE wanted (id) AS (
      SELECT c.id FROM conversations c WHERE c.id = ANY(:ids)
      UNION SELECT c.parent_id FROM wanted w JOIN conversations c USING (id) WHERE c.parent_id IS NOT NULL)
    SELECT id FROM wanted ORDER BY id""")
_STATES = text("""
    SELECT id, conversation_id FROM memcubes
    WHERE conversation_id = ANY(:ids) AND kind = 'activation' AND lifecycle <> 'erased' ORDER BY id""")
# Whoever changes one of these holds its row's lock; while it is shared, what is read is all of one moment.
_HOLD_CONVERSATIONS = text("""
    SELECT id, user_id, agent_id, title, metadata, fingerprint, epoch, next_seq, replay_to, parent_id, parent_seq,
      created_at, erasing_by
    FROM conversations WHERE id = ANY(:ids) ORDER BY id FOR SHARE""")
_HOLD_CUBES = text("""
    SELECT id, kind, user_id, agent_id, conversation_id, lifecycle, frozen, priority, expires_at, tags, sensitivity,
      semantic_type, origin, visibility, context, model, reads, last_read_at, created_at
    FROM memcubes WHERE id = ANY(:ids) ORDER BY id FOR SHARE""")
_TURNS = text("""
    SELECT id, conversation_id, seq, epoch, origin, status, input, output, finish_reason, consistency, base_version_id,
      written_version_id, lag, prompt_tokens, completion_tokens, timings_ms, error, superseded_epoch, created_at,
      answered_at, applied_at
    FROM turns WHERE conversation_id = ANY(:ids) AND status NOT IN ('accepted', 'erased')
    ORDER BY conversation_id, seq""")
_VERSIONS = text(f"""
    SELECT id, cube_id, number, operation, parent_hash, hash, commitment, encode(nonce, 'hex') AS nonce, payload,
      blob_id, content, payload_sha256, size_bytes, fingerprint, metadata, written, conversation_id, epoch, turn_id,
      turn_seq, valid_from, valid_to, created_at, created_by, {THINNED}
    FROM memcube_versions v WHERE cube_id = ANY(:ids) ORDER BY cube_id, number""")
_EDGES = text("""
    SELECT e.child_id AS child, e.parent_id AS parent, e.relation FROM lineage_edges e
    JOIN memcube_versions c ON c.id = e.child_id JOIN memcube_versions p ON p.id = e.parent_id
    WHERE c.cube_id = ANY(:ids) AND p.cube_id = ANY(:ids) ORDER BY e.child_id, e.parent_id, e.relation""")
_READS = text("""
    SELECT r.turn_id, r.version_id, r.rank, r.score FROM turn_reads r
    JOIN turns t ON t.id = r.turn_id JOIN memcube_versions v ON v.id = r.version_id
    WHERE t.conversation_id = ANY(:conversation_ids) AND v.cube_id = ANY(:cube_ids)
      AND t.status NOT IN ('accepted', 'erased')
    ORDER BY r.turn_id, r.rank, r.version_id""")
_EVENTS = text("""
    SELECT cube_id, event, from_lifecycle, to_lifecycle, reason, details, created_at, created_by FROM cube_events
    WHERE cube_id = ANY(:ids) ORDER BY cube_id, created_at, id""")

_INSERT_BLOB = text("INSERT INTO blobs (tenant_id, id) VALUES (:tenant_id, :id)")
_INSERT_CONVERSATION = text("""
    INSERT INTO conversations (tenant_id, id, user_id, agent_id, title, metadata, fingerprint, epoch, next_seq,
      replay_to, parent_id, parent_seq, created_at)
    VALUES (:tenant_id, :id, :user_id, :agent_id, :title, :metadata, :fingerprint, :epoch, :next_seq, :replay_to,
      :parent_id, :parent_seq, :created_at)""")
_INSERT_CUBE = text("""
    INSERT INTO memcubes (tenant_id, id, kind, user_id, agent_id, conversation_id, lifecycle, frozen, priority,
      expires_at, tags, sensitivity, semantic_type, origin, visibility, context, model, head_version_id, head_number,
      writes, reads, last_read_at, created_at)
    VALUES (:tenant_id, :id, :kind, :user_id, :agent_id, :conversation_id, :lifecycle, :frozen, :priority, :expires_at,
      :tags, :sensitivity, :semantic_type, :origin, :visibility, :context, :model, :head_version_id, :head_number,
      :head_number, :reads, :last_read_at, :created_at)""")
# A version may name the turn that it took in and a turn the version that it wrote, so a turn comes in two steps: as one
# that was answered, then as what it is.
_INSERT_TURN = text("""
    INSERT INTO turns (tenant_id, id, conversation_id, seq, epoch, origin, status, input, output, finish_reason,
      consistency, lag, prompt_tokens, completion_tokens, timings_ms, error, superseded_epoch, created_at, answered_at,
      applied_at)
    VALUES (:tenant_id, :id, :conversation_id, :seq, :epoch, :origin, :first_status, :input, :output, :finish_reason,
      :consistency, :lag, :prompt_tokens, :completion_tokens, :timings_ms, :error, :superseded_epoch, :created_at,
      :answered_at, :applied_at)""")
_SETTLE_TURN = text("""
    UPDATE turns SET status = :status, base_version_id = :base_version_id, base_number = :base_number,
      written_version_id = :written_version_id, written_number = :written_number
    WHERE id = :id""")
_INSERT_READ = text("""
    INSERT INTO turn_reads (tenant_id, turn_id, version_id, rank, score)
    VALUES (:tenant_id, :turn_id, :version_id, :rank, :score)""")
_INSERT_EVENT = text("""
    INSERT INTO cube_events (tenant_id, id, cube_id, event, from_lifecycle, to_lifecycle, reason, details, created_at,
      created_by)
    VALUES (:tenant_id, :id, :cube_id, :event, :from_lifecycle, :to_lifecycle, :reason, :details, :created_at,
      :created_by)""")
_NAME_TURN = text("UPDATE memcubes SET turn_id = :turn_id WHERE id = :cube_id")
_SCOPES_OF = text(
    "SELECT DISTINCT scope_id AS id FROM memcubes WHERE id = ANY(:ids) AND scope_id IS NOT NULL ORDER BY 1"
)
# The memories that turns of these conversations became.
_EPISODES_OF = text("""
    SELECT m.id, m.conversation_id FROM memcubes m JOIN turns t ON t.id = m.turn_id
    WHERE t.conversation_id = ANY(:ids) AND m.lifecycle <> 'erased' ORDER BY m.id""")
JSON = ("metadata", "context", "timings_ms", "error", "details")


async def cubes_of_user(work: UnitOfWork, user_id: str) -> Sequence[RowMapping]:
    return await work.all(_CUBES_OF_USER, user_id=user_id)


async def episodes_of(work: UnitOfWork, conversation_ids: Sequence[str]) -> Sequence[RowMapping]:
    return await work.all(_EPISODES_OF, ids=list(conversation_ids))


async def cubes_by_id(work: UnitOfWork, ids: Sequence[str]) -> Sequence[RowMapping]:
    return await work.all(_CUBES_BY_ID, ids=list(ids))


async def conversations_of_user(work: UnitOfWork, user_id: str) -> list[str]:
    return [row["id"] for row in await work.all(_CONVERSATIONS_OF_USER, user_id=user_id)]


async def with_parents(work: UnitOfWork, ids: Sequence[str]) -> list[str]:
    return [row["id"] for row in await work.all(_WITH_PARENTS, ids=list(ids))]


async def states(work: UnitOfWork, conversation_ids: Sequence[str]) -> dict[str, str]:
    """The states of these conversations, by conversation; one that was erased has none."""
    return {row["conversation_id"]: row["id"] for row in await work.all(_STATES, ids=list(conversation_ids))}


async def hold(
    work: UnitOfWork, conversation_ids: Sequence[str], cube_ids: Sequence[str]
) -> tuple[Sequence[RowMapping], Sequence[RowMapping]]:
    """The rows of both, which nobody changes until the transaction ends."""
    conversations = await work.all(_HOLD_CONVERSATIONS, ids=list(conversation_ids))
    return conversations, await work.all(_HOLD_CUBES, ids=list(cube_ids))


async def turns(work: UnitOfWork, conversation_ids: Sequence[str]) -> Sequence[RowMapping]:
    return await work.all(_TURNS, ids=list(conversation_ids))


async def versions(work: UnitOfWork, cube_ids: Sequence[str]) -> Sequence[RowMapping]:
    return await work.all(_VERSIONS, ids=list(cube_ids))


async def edges(work: UnitOfWork, cube_ids: Sequence[str]) -> Sequence[RowMapping]:
    return await work.all(_EDGES, ids=list(cube_ids))


async def reads(work: UnitOfWork, conversation_ids: Sequence[str], cube_ids: Sequence[str]) -> Sequence[RowMapping]:
    return await work.all(_READS, conversation_ids=list(conversation_ids), cube_ids=list(cube_ids))


async def events(work: UnitOfWork, cube_ids: Sequence[str]) -> Sequence[RowMapping]:
    return await work.all(_EVENTS, ids=list(cube_ids))


async def insert_blobs(work: UnitOfWork, ids: Sequence[str]) -> None:
    await work.run_many(_INSERT_BLOB, [{"tenant_id": work.tenant_id, "id": blob_id} for blob_id in ids])


async def insert_conversations(work: UnitOfWork, rows: Sequence[Mapping[str, Any]]) -> None:
    await work.run_many(_INSERT_CONVERSATION, _adapted(work, rows))


async def insert_cubes(work: UnitOfWork, rows: Sequence[Mapping[str, Any]]) -> None:
    await work.run_many(_INSERT_CUBE, _adapted(work, rows))


async def insert_turns(work: UnitOfWork, rows: Sequence[Mapping[str, Any]]) -> None:
    await work.run_many(_INSERT_TURN, _adapted(work, rows))


async def settle_turns(work: UnitOfWork, rows: Sequence[Mapping[str, Any]]) -> None:
    await work.run_many(_SETTLE_TURN, rows)


async def insert_reads(work: UnitOfWork, rows: Sequence[Mapping[str, Any]]) -> None:
    await work.run_many(_INSERT_READ, _adapted(work, rows))


async def name_turns(work: UnitOfWork, episodes: Sequence[tuple[str, str]]) -> None:
    """Says of cubes whose words they are, once both are there."""
    await work.run_many(_NAME_TURN, [{"cube_id": cube_id, "turn_id": turn_id} for cube_id, turn_id in episodes])


async def scopes_of(work: UnitOfWork, cube_ids: Sequence[str]) -> list[str]:
    return [row["id"] for row in await work.all(_SCOPES_OF, ids=list(cube_ids))]


async def insert_events(work: UnitOfWork, rows: Sequence[Mapping[str, Any]]) -> None:
    await work.run_many(_INSERT_EVENT, _adapted(work, rows))


def _adapted(work: UnitOfWork, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {name: Jsonb(value) if name in JSON and value is not None else value for name, value in row.items()}
        | {"tenant_id": work.tenant_id}
        for row in rows
    ]
