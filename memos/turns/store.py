"""SQL of turns."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from psycopg.types.json import Jsonb
from sqlalchemy import RowMapping, text

from memos.cubes.recipes.store import THINNED
from memos.deltas.mounting import MOUNTED
from memos.kit.ids import new_id
from memos.kit.unit_of_work import UnitOfWork

Order = Literal["asc", "desc"]

_COLUMNS = """t.id, t.conversation_id, t.seq, t.epoch, t.status, t.input, t.output, t.finish_reason, t.base_version_id,
    t.base_number, t.written_version_id, t.written_number, t.lag, t.prompt_tokens, t.completion_tokens, t.timings_ms,
    t.error, t.created_at, t.merged_version_id, t.recall"""
# The conversation's row lock, taken by a statement of its own: what the next one reads is then no older than the lock.
_HOLD = text("SELECT FROM conversations WHERE id = :conversation_id FOR NO KEY UPDATE")
# Takes the next place in the line under that lock, if there is room for one more unapplied turn, the conversation is
# pinned to the model that will answer, and its state is open to change.
_ACCEPT = text("""
    WITH place AS (
      UPDATE conversations c SET next_seq = c.next_seq + 1
      WHERE c.id = :conversation_id AND c.fingerprint = :fingerprint AND c.erasing_by IS NULL AND :most_pending >
        (SELECT count(*) FROM turns p WHERE p.conversation_id = c.id AND p.status IN ('accepted', 'answered'))
        AND EXISTS (SELECT FROM memcubes m WHERE m.conversation_id = c.id AND m.kind = 'activation'
                      AND m.lifecycle IN ('generated', 'activated') AND NOT m.frozen)
      RETURNING c.next_seq - 1 AS seq, c.epoch, c.user_id, c.agent_id, c.parent_id
    ), made AS (
      INSERT INTO turns (tenant_id, id, conversation_id, seq, epoch, status, input, consistency, idempotency_key,
        lease_owner, lease_token, lease_expires_at)
      SELECT :tenant_id, :id, :conversation_id, place.seq, place.epoch, 'accepted', :input, :consistency, :key,
        :lease_owner, :lease_token, now() + make_interval(secs => :lease_s)
      FROM place RETURNING seq, epoch, created_at)
    SELECT made.*, place.user_id, place.agent_id, place.parent_id FROM made CROSS JOIN place""")
_IMPORT_PLACE = text("""
    UPDATE conversations SET next_seq = next_seq + :count WHERE id = :conversation_id
    RETURNING next_seq - :count AS first, epoch""")
_IMPORT = text("""
    INSERT INTO turns (tenant_id, id, conversation_id, seq, epoch, origin, status, input, output, finish_reason,
      consistency, created_at, answered_at)
    VALUES (:tenant_id, :id, :conversation_id, :seq, :epoch, 'import', 'answered', :input, :output, 'stop', 'eventual',
      coalesce(:created_at, now()), now())""")
# What was said elsewhere: the turn it was first said as goes along through any number of merges.
_MERGED = text("""
    INSERT INTO turns (tenant_id, id, conversation_id, seq, epoch, origin, status, input, output, finish_reason,
      consistency, created_at, answered_at, said_as, merged_version_id)
    SELECT tenant_id, :id, :conversation_id, :seq, :epoch, 'merge', 'answered', input, output, finish_reason,
      'eventual', created_at, now(), coalesce(said_as, id), :version_id
    FROM turns WHERE id = :turn_id""")
_FIRST_SAID = text("SELECT id, coalesce(said_as, id) AS first_said FROM turns WHERE id = ANY(:ids)")
# One statement, one snapshot: the head, the deltas beside it and how many earlier turns it has not taken in agree
# with each other.
_PIN = text(f"""
    SELECT m.id AS cube_id, v.id, v.number, v.blob_id, v.payload_sha256, v.fingerprint, t.status AS turn_status,
      (SELECT count(*) FROM turns p WHERE p.conversation_id = c.id AND p.seq < t.seq
         AND p.status IN ('accepted', 'answered')) + greatest(c.replay_to - coalesce(v.turn_seq, 0), 0) AS behind,
      {MOUNTED}
    FROM turns t
    JOIN conversations c ON c.id = t.conversation_id
    JOIN memcubes m ON m.conversation_id = c.id AND m.kind = 'activation'
    JOIN memcube_versions v ON v.id = m.head_version_id
    WHERE t.id = :turn_id""")
_ANSWER = text("""
    UPDATE turns SET status = :status, output = :output, finish_reason = :finish_reason,
      base_version_id = :base_version_id, base_number = :base_number, lag = :lag, prompt_tokens = :prompt_tokens,
      completion_tokens = :completion_tokens, timings_ms = :timings_ms, recall = :recall, answered_at = now(),
      lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
    WHERE id = :id AND status = 'accepted' AND lease_token = :lease_token""")
_READ = text("""
    INSERT INTO turn_reads (tenant_id, turn_id, version_id, rank, score)
    VALUES (:tenant_id, :turn_id, :version_id, :rank, :score)""")
_READ_MEMORIES = text("""
    INSERT INTO turn_reads (tenant_id, turn_id, version_id, rank, score, signals)
    SELECT :tenant_id, :turn_id, r.version_id, r.rank, r.score, r.signals
    FROM jsonb_to_recordset(:reads) AS r (version_id text, rank integer, score float8, signals jsonb)""")
_FAIL = text("""
    UPDATE turns SET status = 'failed', error = :error, lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
    WHERE id = :id AND status = 'accepted' AND lease_token = :lease_token""")
_EXTEND = text("""
    UPDATE turns SET lease_expires_at = now() + make_interval(secs => :lease_s)
    WHERE id = ANY(:ids) AND status = 'accepted' AND lease_owner = :lease_owner RETURNING id, cancel_requested""")
_LAPSED = text("""
    UPDATE turns SET status = 'failed', error = :error, lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
    WHERE status = 'accepted' AND (lease_expires_at < now() OR :all) RETURNING id, conversation_id""")
_REQUEST_CANCEL = text("UPDATE turns SET cancel_requested = true WHERE id = :id AND status = 'accepted'")
_NEXT = text("""
    SELECT t.id, t.conversation_id, t.seq, t.status, t.input, t.output, t.merged_version_id FROM turns t
    WHERE t.conversation_id = :conversation_id AND t.status IN ('accepted', 'answered') ORDER BY t.seq LIMIT 1""")
# A turn that is taken in again after a change of model is applied already; its newest state is the one it wrote.
_APPLY = text("""
    UPDATE turns SET status = 'applied', applied_at = now(), written_version_id = :version_id, written_number = :number
    WHERE id = :id AND status IN ('answered', 'applied')""")
_SUPERSEDE = text("""
    UPDATE turns SET status = 'superseded', superseded_epoch = :epoch,
      lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
    WHERE conversation_id = :conversation_id AND seq > :seq
      AND status IN ('accepted', 'answered', 'applied', 'skipped') RETURNING id""")
_PENDING = text("""
    SELECT count(*) AS pending FROM turns
    WHERE conversation_id = :conversation_id AND seq <= :seq AND status IN ('accepted', 'answered')""")
_GET = text(f"SELECT {_COLUMNS} FROM turns t WHERE t.id = :id")
_GET_MANY = text(f"SELECT {_COLUMNS} FROM turns t WHERE t.id = ANY(:ids) ORDER BY t.seq")
_LIST = f"""
    SELECT {_COLUMNS} FROM turns t
    WHERE (t.conversation_id = :conversation_id OR t.id = ANY(:inherited))
      AND (CAST(:place AS integer) IS NULL OR t.seq {{beyond}} :place)
    ORDER BY t.seq {{order}} LIMIT :limit"""
_LISTS = {
    "asc": text(_LIST.format(beyond=">", order="ASC")),
    "desc": text(_LIST.format(beyond="<", order="DESC")),
}
_READS = text(f"""
    SELECT r.version_id, v.cube_id, v.number, m.kind, r.rank, r.score, r.signals, v.content AS text, v.fingerprint,
      coalesce(v.valid_from, m.created_at) AS since, m.created_at AS begun_at,
      v.payload_sha256, v.blob_id, {THINNED}
    FROM turn_reads r JOIN memcube_versions v ON v.id = r.version_id JOIN memcubes m ON m.id = v.cube_id
    WHERE r.turn_id = :turn_id ORDER BY r.rank""")


async def accept(work: UnitOfWork, **columns: Any) -> RowMapping | None:
    """The new turn's place; None if the conversation is full, not there, closed, or pinned to another model."""
    work.queue(_HOLD, conversation_id=columns["conversation_id"])
    return await work.first(_ACCEPT, tenant_id=work.tenant_id, **columns)


async def insert_imported(
    work: UnitOfWork, conversation_id: str, said: Sequence[tuple[str, str, datetime | None]]
) -> list[str] | None:
    """Inserts (input, output, created_at) as answered turns; their ids, or None if there is no such conversation."""
    place = await work.first(_IMPORT_PLACE, conversation_id=conversation_id, count=len(said))
    if place is None:
        return None
    rows = [
        {
            "tenant_id": work.tenant_id,
            "id": new_id("turn"),
            "conversation_id": conversation_id,
            "seq": place["first"] + offset,
            "epoch": place["epoch"],
            "input": text_in,
            "output": text_out,
            "created_at": created_at,
        }
        for offset, (text_in, text_out, created_at) in enumerate(said)
    ]
    await work.run_many(_IMPORT, rows)
    return [str(row["id"]) for row in rows]


async def insert_merged(
    work: UnitOfWork, conversation_id: str, said: Sequence[tuple[RowMapping, str]]
) -> dict[str, int]:
    """Takes over turns of another conversation, each with the version of the other's state that holds it; the seqs of
    the new turns by id. Call it holding the conversation's lock."""
    place = await work.one(_IMPORT_PLACE, conversation_id=conversation_id, count=len(said))
    rows = [
        {
            "id": new_id("turn"),
            "conversation_id": conversation_id,
            "seq": place["first"] + offset,
            "epoch": place["epoch"],
            "turn_id": turn["id"],
            "version_id": version_id,
        }
        for offset, (turn, version_id) in enumerate(said)
    ]
    await work.run_many(_MERGED, rows)
    return {str(row["id"]): int(row["seq"]) for row in rows}


async def first_said(work: UnitOfWork, turn_ids: Sequence[str]) -> dict[str, str]:
    """For each turn the one it was first said as: itself, unless a merge took it over."""
    return {row["id"]: row["first_said"] for row in await work.all(_FIRST_SAID, ids=list(turn_ids))}


async def pin(work: UnitOfWork, turn_id: str) -> RowMapping:
    return await work.one(_PIN, turn_id=turn_id)


async def answer(work: UnitOfWork, *, timings_ms: dict[str, float], recall: dict[str, Any], **columns: Any) -> bool:
    """False if the turn is no longer ours to answer: its lease lapsed, or it was superseded."""
    return bool(await work.run(_ANSWER, timings_ms=Jsonb(timings_ms), recall=Jsonb(recall), **columns))


def record_read(work: UnitOfWork, *, turn_id: str, version_id: str, rank: int, score: float | None) -> None:
    work.queue(_READ, tenant_id=work.tenant_id, turn_id=turn_id, version_id=version_id, rank=rank, score=score)


def record_memories(work: UnitOfWork, *, turn_id: str, reads: Sequence[dict[str, Any]]) -> None:
    """What recall gave an answer: `version_id`, `rank`, `score` and `signals` of each."""
    if reads:
        work.queue(_READ_MEMORIES, tenant_id=work.tenant_id, turn_id=turn_id, reads=Jsonb(list(reads)))


async def fail(work: UnitOfWork, *, turn_id: str, lease_token: str, error: dict[str, Any]) -> bool:
    return bool(await work.run(_FAIL, id=turn_id, lease_token=lease_token, error=Jsonb(error)))


async def extend_leases(work: UnitOfWork, *, ids: list[str], lease_owner: str, lease_s: float) -> dict[str, bool]:
    """The turns still ours, and whether each has been asked to stop."""
    rows = await work.all(_EXTEND, ids=ids, lease_owner=lease_owner, lease_s=lease_s)
    return {row["id"]: row["cancel_requested"] for row in rows}


async def fail_lapsed(work: UnitOfWork, error: dict[str, Any], *, every: bool) -> Sequence[RowMapping]:
    """`every`: also those whose lease still runs, because their owner is known to be gone."""
    return await work.all(_LAPSED, error=Jsonb(error), all=every)


async def request_cancel(work: UnitOfWork, turn_id: str) -> bool:
    return bool(await work.run(_REQUEST_CANCEL, id=turn_id))


async def next_unsettled(work: UnitOfWork, conversation_id: str) -> RowMapping | None:
    return await work.first(_NEXT, conversation_id=conversation_id)


async def apply(work: UnitOfWork, *, turn_id: str, version_id: str, number: int) -> bool:
    return bool(await work.run(_APPLY, id=turn_id, version_id=version_id, number=number))


async def supersede_after(work: UnitOfWork, *, conversation_id: str, seq: int, epoch: int) -> list[str]:
    rows = await work.all(_SUPERSEDE, conversation_id=conversation_id, seq=seq, epoch=epoch)
    return [row["id"] for row in rows]


async def pending_up_to(work: UnitOfWork, *, conversation_id: str, seq: int) -> int:
    return int((await work.one(_PENDING, conversation_id=conversation_id, seq=seq))["pending"])


async def get(work: UnitOfWork, turn_id: str) -> RowMapping | None:
    return await work.first(_GET, id=turn_id)


async def listing(
    work: UnitOfWork, *, conversation_id: str, inherited: list[str], order: Order, place: int | None, limit: int
) -> Sequence[RowMapping]:
    """The turns beyond the seq `place`, in order of seq."""
    return await work.all(_LISTS[order], conversation_id=conversation_id, inherited=inherited, place=place, limit=limit)


async def get_many(work: UnitOfWork, turn_ids: list[str]) -> Sequence[RowMapping]:
    return await work.all(_GET_MANY, ids=turn_ids)


async def reads(work: UnitOfWork, turn_id: str) -> Sequence[RowMapping]:
    return await work.all(_READS, turn_id=turn_id)
