"""SQL of erasures, of what they reach, and of the hold they take on conversations and cubes."""

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import RowMapping, text

from memos.erasure.reach import Item
from memos.kit.unit_of_work import UnitOfWork

# A job that is failed waits for an admin, and so does what it was to do.
_ERASURE = """e.id, e.target, e.subject, e.roots, e.derived, e.dry_run, e.step, e.revision, e.receipt, e.requested_by,
    e.created_at, e.held_at, e.logical_at, e.physical_at, j.error,
    CASE WHEN j.error IS NULL THEN e.status ELSE 'failed' END AS status"""
_FROM = """FROM erasures e LEFT JOIN LATERAL (
      SELECT o.error FROM outbox o WHERE o.subject = e.id AND o.status = 'failed' LIMIT 1) j ON e.status <> 'done'"""
_INSERT = text("""
    INSERT INTO erasures (tenant_id, id, target, subject, roots, derived, dry_run, step, ledger_of, requested_by)
    VALUES (:tenant_id, :id, :target, :subject, :roots, :derived, :dry_run,
      CASE WHEN :dry_run THEN 'plan' ELSE 'hold' END, :ledger_of, :requested_by)
    ON CONFLICT (id) DO NOTHING""")
_GET = text(f"SELECT {_ERASURE} {_FROM} WHERE e.id = :id")
_LIST = text(f"""
    SELECT {_ERASURE} {_FROM} WHERE (CAST(:before AS text) IS NULL OR e.id < :before)
    ORDER BY e.id DESC LIMIT :limit""")
_LOCK = text("SELECT id, step, status FROM erasures WHERE id = :id FOR UPDATE")
# One erasure of a tenant at a time takes hold: two could each wait for what the other holds.
_OTHERS = text("""
    SELECT id FROM erasures WHERE id <> :id AND status = 'running' AND step NOT IN ('hold', 'physical', 'end')
      AND NOT dry_run LIMIT 1""")
_STEP = text("UPDATE erasures SET step = :step, status = :status WHERE id = :id")
_HELD = text("""
    UPDATE erasures SET step = 'confirm', status = 'running', revision = :revision,
      held_at = coalesce(held_at, clock_timestamp()) WHERE id = :id""")
_RAISED = text("UPDATE erasures SET revision = :revision WHERE id = :id")
_LOGICAL = text("""
    UPDATE erasures SET receipt = :receipt, logical_at = :at, step = :step, status = :status WHERE id = :id""")
_PHYSICAL = text("""
    UPDATE erasures SET receipt = :receipt, physical_at = :at, step = 'end', status = 'done' WHERE id = :id""")
# Those whose logical stage is near: one rewriting serves them all.
_SOON = text("""
    SELECT count(*) AS n FROM erasures e
    WHERE e.status IN ('queued', 'running') AND e.logical_at IS NULL AND NOT e.dry_run AND NOT EXISTS (
      SELECT FROM outbox o WHERE o.subject = e.id AND o.status = 'failed')""")
_AWAITING = text("""
    SELECT id, receipt FROM erasures WHERE logical_at < :before AND physical_at IS NULL AND NOT dry_run
    ORDER BY id FOR UPDATE""")

_ADD_ITEM = text("""
    INSERT INTO erasure_items (tenant_id, erasure_id, store, id, action, why, details)
    VALUES (:tenant_id, :erasure_id, :store, :id, :action, :why, :details)
    ON CONFLICT (erasure_id, store, id) DO NOTHING""")
_ITEM = "i.store, i.id, i.action, i.why, i.details, i.done_at"
_OPEN = text(f"""
    SELECT {_ITEM} FROM erasure_items i
    WHERE i.erasure_id = :erasure_id AND i.store = :store AND i.done_at IS NULL AND i.action IN ('erase', 'redact')
    ORDER BY i.id LIMIT :limit""")
_OPEN_STORES = text("""
    SELECT DISTINCT store FROM erasure_items
    WHERE erasure_id = :erasure_id AND done_at IS NULL AND action IN ('erase', 'redact')""")
_REBUILDS = text(f"""
    SELECT {_ITEM} FROM erasure_items i
    WHERE i.erasure_id = :erasure_id AND i.done_at IS NULL AND i.action = 'rebuild' ORDER BY i.id""")
_DONE = text("""
    UPDATE erasure_items SET done_at = now() WHERE erasure_id = :erasure_id AND store = :store AND id = ANY(:ids)""")
_ITEMS = text(f"""
    SELECT {_ITEM} FROM erasure_items i
    WHERE i.erasure_id = :erasure_id AND (CAST(:store AS text) IS NULL OR i.store = :store)
      AND (i.store || ' ' || i.id) COLLATE "C" > :after
    ORDER BY (i.store || ' ' || i.id) COLLATE "C" LIMIT :limit""")
_PLAN = text("""
    SELECT store, action, count(*) AS reached, count(done_at) AS done FROM erasure_items
    WHERE erasure_id = :erasure_id GROUP BY store, action ORDER BY store, action""")

_BIND = text("SELECT set_config('memos.erasing', :id, true)")
# With every fork of theirs, and theirs: what a parent's turn taught, each of them may hold.
_FAMILY = text("""
    WITH RECURSIVE family (id) AS (
      SELECT unnest(CAST(:ids AS text[])) COLLATE "C"
      UNION SELECT c.id FROM family f JOIN conversations c ON c.parent_id = f.id)
    SELECT id FROM family""")
_HOLD_CONVERSATIONS = text("""
    WITH mine AS (SELECT id FROM conversations WHERE id = ANY(:ids) ORDER BY id FOR UPDATE)
    UPDATE conversations c SET erasing_by = :erasure_id FROM mine WHERE c.id = mine.id AND c.erased_by IS NULL""")
_HOLD_CUBES = text("""
    WITH mine AS (
      SELECT id FROM memcubes WHERE id = ANY(:cubes) OR conversation_id = ANY(:conversations) ORDER BY id FOR UPDATE)
    UPDATE memcubes c SET erasing_by = :erasure_id FROM mine WHERE c.id = mine.id""")
# Whoever is writing that something came of one of these has its key locked until then.
_WAIT_FOR_READERS = text(
    "SELECT count(*) FROM (SELECT FROM memcube_versions WHERE id = ANY(:ids) ORDER BY id FOR UPDATE) v"
)
_FAIL_ACCEPTED = text("""
    UPDATE turns SET status = 'failed', error = :error, lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
    WHERE conversation_id = ANY(:ids) AND status = 'accepted' RETURNING id""")
_HELD_BY = text("SELECT id FROM conversations WHERE erasing_by = :erasure_id ORDER BY id")
_RELEASE_CONVERSATION = text("UPDATE conversations SET erasing_by = NULL WHERE id = :id AND erasing_by = :erasure_id")
_RELEASE_STATE = text("""
    UPDATE memcubes SET erasing_by = NULL WHERE conversation_id = :id AND erasing_by = :erasure_id""")
_RELEASE_CUBES = text("UPDATE memcubes SET erasing_by = NULL WHERE id = ANY(:ids) AND erasing_by = :erasure_id")
_RELEASE_ALL = (
    text("UPDATE conversations SET erasing_by = NULL WHERE erasing_by = :erasure_id"),
    text("UPDATE memcubes SET erasing_by = NULL WHERE erasing_by = :erasure_id"),
)
_THAW = text("UPDATE memcubes SET frozen = false WHERE id = :id AND frozen")
_LINKS = text("""
    SELECT v.id, v.cube_id, v.number, v.operation, v.parent_hash, v.hash, v.commitment, v.fingerprint,
      v.conversation_id, v.epoch, v.turn_id, v.created_at, v.created_by, v.valid_from, v.valid_to
    FROM memcube_versions v WHERE v.cube_id = :cube_id ORDER BY v.number""")
_CUBES_OF = text("""
    SELECT DISTINCT v.cube_id AS id FROM erasure_items i JOIN memcube_versions v ON v.id = i.id
    WHERE i.erasure_id = :erasure_id AND i.store = 'versions' ORDER BY 1""")

_CONVERSATIONS_OF_USER = text("""
    SELECT id FROM conversations WHERE user_id = :user_id AND erased_by IS NULL ORDER BY id""")
_CUBES_OF_USER = text("""
    SELECT id FROM memcubes WHERE user_id = :user_id AND conversation_id IS NULL AND lifecycle <> 'erased'
    ORDER BY id""")
_CONVERSATION = text("SELECT id FROM conversations WHERE id = :id AND erased_by IS NULL")
_TURN = text("SELECT id, status FROM turns WHERE id = :id AND status <> 'erased'")
_CUBE = text("SELECT id, conversation_id, turn_id FROM memcubes WHERE id = :id AND lifecycle <> 'erased'")
_VERSION = text("""
    SELECT v.id, v.cube_id, v.conversation_id, coalesce(v.turn_id, c.turn_id) AS turn_id
    FROM memcube_versions v JOIN memcubes c ON c.id = v.cube_id WHERE v.id = :id AND v.payload <> 'erased'""")


async def insert(
    work: UnitOfWork, *, roots: dict[str, list[str]], ledger_of: str | None = None, **columns: Any
) -> bool:
    """False if there is one of this id."""
    return bool(await work.run(_INSERT, tenant_id=work.tenant_id, roots=Jsonb(roots), ledger_of=ledger_of, **columns))


async def get(work: UnitOfWork, erasure_id: str) -> RowMapping | None:
    return await work.first(_GET, id=erasure_id)


async def listing(work: UnitOfWork, *, before: str | None, limit: int) -> Sequence[RowMapping]:
    return await work.all(_LIST, before=before, limit=limit)


async def lock(work: UnitOfWork, erasure_id: str) -> RowMapping | None:
    return await work.first(_LOCK, id=erasure_id)


async def other_running(work: UnitOfWork, erasure_id: str) -> str | None:
    row = await work.first(_OTHERS, id=erasure_id)
    return row["id"] if row else None


async def set_step(work: UnitOfWork, erasure_id: str, step: str, status: str = "running") -> None:
    await work.run(_STEP, id=erasure_id, step=step, status=status)


async def held(work: UnitOfWork, erasure_id: str, revision: int) -> None:
    await work.run(_HELD, id=erasure_id, revision=revision)


async def raised(work: UnitOfWork, erasure_id: str, revision: int) -> None:
    await work.run(_RAISED, id=erasure_id, revision=revision)


async def logical(work: UnitOfWork, erasure_id: str, receipt: dict[str, Any], at: Any, *, ends: bool) -> None:
    step, status = ("end", "done") if ends else ("physical", "running")
    await work.run(_LOGICAL, id=erasure_id, receipt=Jsonb(receipt), at=at, step=step, status=status)


async def soon_physical(work: UnitOfWork) -> int:
    return int((await work.one(_SOON))["n"])


async def awaiting_physical(work: UnitOfWork, before: Any) -> Sequence[RowMapping]:
    """Those whose logical stage ended before a moment; locked."""
    return await work.all(_AWAITING, before=before)


async def physical(work: UnitOfWork, erasure_id: str, receipt: dict[str, Any], at: Any) -> None:
    await work.run(_PHYSICAL, id=erasure_id, receipt=Jsonb(receipt), at=at)


async def add_items(work: UnitOfWork, erasure_id: str, items: Iterable[Item]) -> None:
    rows = [
        {
            "tenant_id": work.tenant_id,
            "erasure_id": erasure_id,
            "store": item.store,
            "id": item.id,
            "action": item.action,
            "why": item.why,
            "details": Jsonb(dict(item.details)),
        }
        for item in items
    ]
    await work.run_many(_ADD_ITEM, rows)


def item_of(row: RowMapping) -> Item:
    return Item(row["store"], row["id"], row["action"], row["why"], row["details"])


async def open_items(work: UnitOfWork, erasure_id: str, store: str, limit: int) -> list[Item]:
    rows = await work.all(_OPEN, erasure_id=erasure_id, store=store, limit=limit)
    return [item_of(row) for row in rows]


async def open_stores(work: UnitOfWork, erasure_id: str) -> set[str]:
    """Those from which something is still to be taken."""
    return {row["store"] for row in await work.all(_OPEN_STORES, erasure_id=erasure_id)}


async def rebuilds(work: UnitOfWork, erasure_id: str) -> list[Item]:
    """What is still to go on without what it saw; a parent before its forks, since ids sort by age."""
    return [item_of(row) for row in await work.all(_REBUILDS, erasure_id=erasure_id)]


async def mark_done(work: UnitOfWork, erasure_id: str, store: str, ids: Sequence[str]) -> None:
    await work.run(_DONE, erasure_id=erasure_id, store=store, ids=list(ids))


async def items(
    work: UnitOfWork, erasure_id: str, *, store: str | None = None, after: str = "", limit: int
) -> Sequence[RowMapping]:
    return await work.all(_ITEMS, erasure_id=erasure_id, store=store, after=after, limit=limit)


async def plan(work: UnitOfWork, erasure_id: str) -> Sequence[RowMapping]:
    """By store and action: how many are reached, and done."""
    return await work.all(_PLAN, erasure_id=erasure_id)


async def bind(work: UnitOfWork, erasure_id: str) -> None:
    """This transaction is the erasure's own: what it holds is not held against it."""
    await work.run(_BIND, id=erasure_id)


async def family(work: UnitOfWork, conversation_ids: Sequence[str]) -> list[str]:
    return [row["id"] for row in await work.all(_FAMILY, ids=list(conversation_ids))]


async def hold(
    work: UnitOfWork, erasure_id: str, conversations: Sequence[str], cubes: Sequence[str], versions: Sequence[str]
) -> None:
    await work.run(_HOLD_CONVERSATIONS, ids=list(conversations), erasure_id=erasure_id)
    await work.run(_HOLD_CUBES, cubes=list(cubes), conversations=list(conversations), erasure_id=erasure_id)
    await work.run(_WAIT_FOR_READERS, ids=list(versions))


async def fail_accepted(work: UnitOfWork, conversations: Sequence[str], error: dict[str, Any]) -> list[str]:
    """Turns that are being answered from a state that is no longer to be read."""
    return [row["id"] for row in await work.all(_FAIL_ACCEPTED, ids=list(conversations), error=Jsonb(error))]


async def held_conversations(work: UnitOfWork, erasure_id: str) -> list[str]:
    return [row["id"] for row in await work.all(_HELD_BY, erasure_id=erasure_id)]


async def release_conversation(work: UnitOfWork, erasure_id: str, conversation_id: str) -> None:
    for statement in (_RELEASE_CONVERSATION, _RELEASE_STATE):
        await work.run(statement, id=conversation_id, erasure_id=erasure_id)


async def release_cube(work: UnitOfWork, erasure_id: str, cube_id: str) -> None:
    await work.run(_RELEASE_CUBES, ids=[cube_id], erasure_id=erasure_id)


async def release_all(work: UnitOfWork, erasure_id: str) -> None:
    for statement in _RELEASE_ALL:
        await work.run(statement, erasure_id=erasure_id)


async def thaw(work: UnitOfWork, cube_id: str) -> bool:
    return bool(await work.run(_THAW, id=cube_id))


async def cubes_touched(work: UnitOfWork, erasure_id: str) -> list[str]:
    return [row["id"] for row in await work.all(_CUBES_OF, erasure_id=erasure_id)]


async def chain(work: UnitOfWork, cube_id: str) -> Sequence[RowMapping]:
    return await work.all(_LINKS, cube_id=cube_id)


async def conversations_of_user(work: UnitOfWork, user_id: str) -> list[str]:
    return [row["id"] for row in await work.all(_CONVERSATIONS_OF_USER, user_id=user_id)]


async def cubes_of_user(work: UnitOfWork, user_id: str) -> list[str]:
    """Other than states."""
    return [row["id"] for row in await work.all(_CUBES_OF_USER, user_id=user_id)]


async def conversation(work: UnitOfWork, conversation_id: str) -> RowMapping | None:
    return await work.first(_CONVERSATION, id=conversation_id)


async def turn(work: UnitOfWork, turn_id: str) -> RowMapping | None:
    return await work.first(_TURN, id=turn_id)


async def cube(work: UnitOfWork, cube_id: str) -> RowMapping | None:
    return await work.first(_CUBE, id=cube_id)


async def version(work: UnitOfWork, version_id: str) -> RowMapping | None:
    return await work.first(_VERSION, id=version_id)
