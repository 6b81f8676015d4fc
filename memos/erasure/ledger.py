"""The ledger of erasures: what a restore must do again, since a backup that is older still holds what was erased.

An entry holds ids alone. What it names was in the service when it was erased, so an older backup holds the same or less
of it, under the same ids.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from memos.erasure import store
from memos.erasure.service import ERASE
from memos.kit.unit_of_work import UnitOfWork
from memos.outbox import store as outbox

PAGE = 200
FORMAT = 1


async def export(work: UnitOfWork) -> AsyncIterator[dict[str, Any]]:
    """Every erasure of this tenant that was accepted, newest first, whether it has ended or not; JSON-able."""
    before: str | None = None
    while rows := await store.listing(work, before=before, limit=PAGE):
        for row in rows:
            if not row["dry_run"]:
                yield {
                    "format": FORMAT,
                    "tenant_id": work.tenant_id,
                    "id": row["id"],
                    "target": row["target"],
                    "subject": row["subject"],
                    "roots": row["roots"],
                    "derived": row["derived"],
                    "requested_by": row["requested_by"],
                    "requested_at": row["created_at"].isoformat(),
                }
        before = rows[-1]["id"]


async def reapply(work: UnitOfWork, entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """Queues those erasures of this tenant that the restored service knows nothing of; their ids. The caller waits
    until each is `done` before anything is served, and runs it as often as it likes: an erasure has one effect."""
    begun = []
    for entry in sorted(entries, key=lambda entry: str(entry["id"])):
        if entry["tenant_id"] != work.tenant_id:
            continue
        new = await store.insert(
            work,
            id=entry["id"],
            target=entry["target"],
            subject=entry["subject"],
            roots={kind: list(ids) for kind, ids in entry["roots"].items()},
            derived=entry["derived"],
            dry_run=False,
            requested_by=entry["requested_by"],
            ledger_of=entry["requested_at"],
        )
        if new:
            await outbox.record(work, task=ERASE, subject=entry["id"], turn_id=None)
            begun.append(str(entry["id"]))
    return begun


async def unfinished(work: UnitOfWork, erasure_ids: Iterable[str]) -> list[str]:
    """Of these, those whose logical stage is still to come."""
    left = []
    for erasure_id in erasure_ids:
        row = await store.get(work, erasure_id)
        if row is not None and row["logical_at"] is None:
            left.append(erasure_id)
    return left
