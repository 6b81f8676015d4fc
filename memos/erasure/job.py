"""The task `erase(erasure)`: takes hold, plans, erases, lets the rest go on, and signs what it did.

    hold      conversations and cubes that are reached are held: nothing of them is read, changed or derived from
    confirm   every serving process has ended what it had begun, and holds no state in memory
    plan      what is reached, now that nothing moves; more to hold leads back to `confirm`
    erase     store by store, in batches
    replay    each conversation that goes on begins an epoch without the erased turns, and is let go
    verify    every process has confirmed once more, nothing is left, every chain verifies; the logical stage is signed
    physical  tables are rewritten and old log is gone; that stage is signed (for all erasures that wait for it)

Each step is a transaction that reads where the erasure stands: killed anywhere it goes on, delivered twice has one
effect.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import structlog
from sqlalchemy import RowMapping

from memos.audit.service import note
from memos.conversations.errors import UnderErasure
from memos.erasure import receipts, service, store
from memos.erasure.going_on import go_back, go_on
from memos.erasure.physical import service as physical
from memos.erasure.reach import Item, Reached, Tools, reach
from memos.erasure.stores import BY_NAME, STORES, word_columns
from memos.generation.port import Generator
from memos.idempotency import store as keys
from memos.invariants import store as collected
from memos.kit.blobs import Blobs
from memos.kit.config import Settings
from memos.kit.db import Database
from memos.kit.errors import MemosError, Unavailable
from memos.kit.unit_of_work import UnitOfWork
from memos.kit.wakeups import OUTBOX, Wakeups
from memos.outbox import store as outbox
from memos.processes import store as processes
from memos.processes.service import ERASURE
from memos.turns.service import conversation_channel

LOG = structlog.get_logger(__name__)
BATCH = 200
KEEP_LEDGER = "keep_ledger"  # the task of memos.backup, which knows erasures and is not known here
POLL_S = 0.1
GATHER = timedelta(seconds=20)  # how long a rewriting waits for other erasures that it could serve
PATIENCE_S = 20.0  # of one run; after it the job is tried again


class StillHeld(Unavailable):
    """Another erasure, or a process that has not confirmed yet, is waited for."""

    code = "erasure_waits"


class Residue(MemosError):
    """Something that was to be erased is still there."""

    code = "erasure_incomplete"
    hint = "Nothing was signed. Retry the job; if it says so again, report what it names."


@dataclass(frozen=True, slots=True)
class EraseTask:
    database: Database
    generator: Generator
    blobs: Blobs
    wakeups: Wakeups
    signer: receipts.Signer
    digest: Callable[[bytes], bytes]
    settings: Settings

    async def __call__(self, tenant_id: str, erasure_id: str) -> Literal["settled"]:
        while True:
            async with self.database.unit_of_work(tenant_id) as work:
                row = await store.get(work, erasure_id)
            if row is None or row["step"] == "end":
                return "settled"
            await getattr(self, f"_{row['step']}")(tenant_id, row)

    # -- before anything is gone ---------------------------------------------------------------------------------

    async def _hold(self, tenant_id: str, row: RowMapping) -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            async with self.database.unit_of_work(tenant_id) as work:
                # The scope's lock makes this the only erasure of the tenant that takes hold now.
                revision = await processes.raise_revision(work, ERASURE)
                locked = await store.lock(work, row["id"])
                if locked is None or locked["step"] != "hold":
                    return
                other = await store.other_running(work, row["id"])
                if other is None:
                    await self._take_hold(work, row, await _reached(work, row))
                    await store.held(work, row["id"], revision)
                    # On record beside the backups before anything goes: a restore must know of it.
                    await outbox.record(work, task=KEEP_LEDGER, subject=row["id"], turn_id=None)
                    work.after_commit(lambda: self.wakeups.wake(ERASURE))
                    return
            if asyncio.get_running_loop().time() > deadline:
                raise StillHeld(f"erasure {other} of this tenant is under way")
            await self.wakeups.wait(ERASURE, POLL_S)

    async def _take_hold(self, work: UnitOfWork, row: RowMapping, reached: Reached) -> None:
        await store.bind(work, row["id"])
        held = reached.ids("conversations", "erase", "rebuild")
        cube_ids = reached.ids("cubes", "erase", "rebuild")
        await store.hold(work, row["id"], held, cube_ids, reached.ids("versions", "erase"))
        failed = await store.fail_accepted(work, held, UnderErasure().problem())
        await keys.release(work, failed)

    async def _confirm(self, tenant_id: str, row: RowMapping) -> None:
        await self._confirmed(tenant_id, row["revision"])
        await self._to(tenant_id, row, "confirm", "plan")

    async def _plan(self, tenant_id: str, row: RowMapping) -> None:
        async with self.database.unit_of_work(tenant_id) as work:
            revision = 0 if row["dry_run"] else await processes.raise_revision(work, ERASURE)
            locked = await store.lock(work, row["id"])
            if locked is None or locked["step"] != "plan":
                return
            reached = await _reached(work, row)
            if row["dry_run"]:
                await store.add_items(work, row["id"], reached.items)
                await store.set_step(work, row["id"], "end", "done")
                return
            held = set(await store.held_conversations(work, row["id"]))
            if not held.issuperset(reached.ids("conversations", "erase", "rebuild")):
                # Somebody forked, or was answered, between the look and the hold.
                await self._take_hold(work, row, reached)
                await store.held(work, row["id"], revision)
            else:
                await self._take_hold(work, row, reached)
                await store.add_items(work, row["id"], reached.items)
                await store.set_step(work, row["id"], "erase")
            work.after_commit(lambda: self.wakeups.wake(ERASURE))

    # -- the erasure ---------------------------------------------------------------------------------------------

    async def _erase(self, tenant_id: str, row: RowMapping) -> None:
        tools = Tools(self.blobs, self.digest, row["id"])
        while True:
            async with self.database.unit_of_work(tenant_id) as work:
                await store.bind(work, row["id"])
                still = await store.open_stores(work, row["id"])
                of_it = next((of_it for of_it in STORES if of_it.name in still), None)
                if of_it is None:
                    break
                items = await store.open_items(work, row["id"], of_it.name, BATCH)
                await of_it.erase(work, tools, items)
            await of_it.outside(tools, items)
            async with self.database.unit_of_work(tenant_id) as work:
                await store.mark_done(work, row["id"], of_it.name, [item.id for item in items])
        await self._collect(tenant_id)
        async with self.database.unit_of_work(tenant_id) as work:
            revision = await processes.raise_revision(work, ERASURE)
            await store.raised(work, row["id"], revision)
            await store.set_step(work, row["id"], "replay")
            work.after_commit(lambda: self.wakeups.wake(ERASURE))

    async def _collect(self, tenant_id: str) -> None:
        """Objects whose rows the collector has taken and which it has not deleted yet: some may be of the erased."""
        while True:
            async with self.database.unit_of_work(tenant_id) as work:
                ids = await collected.to_remove(work, BATCH)
            if not ids:
                return
            items = [Item("blobs", blob_id, "erase", "given up by the collector") for blob_id in ids]
            await BY_NAME["blobs"].outside(Tools(self.blobs, self.digest, ""), items)
            async with self.database.unit_of_work(tenant_id) as work:
                await collected.removed(work, ids)

    # -- what stays goes on --------------------------------------------------------------------------------------

    async def _replay(self, tenant_id: str, row: RowMapping) -> None:
        async with self.database.unit_of_work(tenant_id) as work:
            items = await store.rebuilds(work, row["id"])
        model = await self.generator.identity() if items else None
        for item in items:
            async with self.database.unit_of_work(tenant_id) as work:
                await store.bind(work, row["id"])
                if item.store == "conversations" and model is not None:
                    await go_on(work, row["id"], item.id, model)
                elif item.store == "cubes":
                    await go_back(work, row["id"], item.id, item.details["to_version"])
                await store.mark_done(work, row["id"], item.store, [item.id])
                for channel in (conversation_channel(item.id), OUTBOX):
                    work.after_commit(lambda channel=channel: self.wakeups.wake(channel))  # type: ignore[misc]
        async with self.database.unit_of_work(tenant_id) as work:
            await store.release_all(work, row["id"])
            await store.set_step(work, row["id"], "verify")

    async def _verify(self, tenant_id: str, row: RowMapping) -> None:
        await self._confirmed(tenant_id, row["revision"])
        forgotten = await self.generator.forget(None)
        ends = self.settings.database_admin_url is None
        async with self.database.unit_of_work(tenant_id) as work:
            locked = await store.lock(work, row["id"])
            if locked is None or locked["step"] != "verify":
                return
            left, looked = await service.residue(work, Tools(self.blobs, self.digest, row["id"]))
            left += await service.broken_chains(work, row["id"])
            if left:
                raise Residue(f"{len(left)} things, of which the first: {left[0]}")
            at = datetime.now(UTC)
            body = await _logical(work, row, at, looked, forgotten.max_age_s, self.settings)
            receipt = {"logical": self.signer.sign(body), "physical": None}
            await store.logical(work, row["id"], receipt, at, ends=ends)
            note(work, "erasure.logical", row["id"], "task:erase", {"looked_at": looked})
            work.after_commit(lambda: self.wakeups.wake(ERASURE))
        LOG.info("erasure.logical", erasure_id=row["id"], things=looked)

    async def _physical(self, tenant_id: str, row: RowMapping) -> None:
        single = self.database.single(tenant_id)

        async def needed() -> bool:
            now = await store.get(single, row["id"])
            return now is not None and now["step"] == "physical"

        deadline = row["logical_at"] + GATHER
        while await needed() and datetime.now(UTC) < deadline and await store.soon_physical(single):
            await self.wakeups.wait(ERASURE, POLL_S)
        done = await physical.rewrite(self.settings, word_columns(), needed)
        if done is None:  # one that was under way had begun after this one's logical stage
            return
        async with self.database.unit_of_work(tenant_id) as work:
            for waiting in await store.awaiting_physical(work, done.began_at):
                body = {
                    "stage": "physical",
                    "erasure": waiting["id"],
                    "at": done.ended_at.isoformat(),
                    "began_at": done.began_at.isoformat(),
                    "rewritten_tables": done.tables,
                    "dropped_samples": done.samples,
                    "log_left_behind": done.wal_left_behind,
                    "not_reached": done.not_reached,
                    "logical_signature": waiting["receipt"]["logical"]["signature"],
                }
                receipt = {**waiting["receipt"], "physical": self.signer.sign(body)}
                await store.physical(work, waiting["id"], receipt, done.ended_at)
                note(work, "erasure.physical", waiting["id"], "task:erase", {"tables": done.tables})
        LOG.info("erasure.physical", erasure_id=row["id"], tables=len(done.tables))

    # -- waiting -------------------------------------------------------------------------------------------------

    async def _confirmed(self, tenant_id: str, revision: int) -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        single = self.database.single(tenant_id)
        while silent := await processes.unconfirmed(single, ERASURE, revision):
            if asyncio.get_running_loop().time() > deadline:
                raise StillHeld(f"{len(silent)} processes have not confirmed: {', '.join(silent[:5])}")
            await self.wakeups.wait(ERASURE, POLL_S)

    async def _to(self, tenant_id: str, row: RowMapping, step: str, following: str) -> None:
        async with self.database.unit_of_work(tenant_id) as work:
            locked = await store.lock(work, row["id"])
            if locked is not None and locked["step"] == step:
                await store.set_step(work, row["id"], following)


async def _reached(work: UnitOfWork, row: RowMapping) -> Reached:
    roots = dict(row["roots"])
    if row["target"] == "user":  # a fork that was made since belongs to the same user
        roots["conversations"] = await store.family(work, roots.get("conversations", []))
    begin = [Item(kind, id, "erase", "asked for") for kind, ids in roots.items() for id in ids]
    return await reach(work, STORES, Reached(begin, row["derived"], row["held_at"]))


async def _logical(
    work: UnitOfWork, row: RowMapping, at: datetime, looked: int, cache_age_s: float, settings: Settings
) -> dict[str, Any]:
    plan: dict[str, dict[str, int]] = {}
    for found in await store.plan(work, row["id"]):
        plan.setdefault(found["store"], {})[found["action"]] = found["reached"]
    confirmed = await processes.confirmed(work, ERASURE, row["revision"])
    not_reached = []
    if settings.redis_url is not None:  # model workers behind a balancer: one of them was told
        until = datetime.fromtimestamp(at.timestamp() + cache_age_s, UTC).isoformat()
        not_reached.append({"what": "caches of model workers that were not told", "until": until})
    return {
        "stage": "logical",
        "erasure": row["id"],
        "tenant": work.tenant_id,
        "target": row["target"],
        "subject": row["subject"],
        "derived": row["derived"],
        "requested_by": row["requested_by"],
        "requested_at": row["created_at"].isoformat(),
        "held_at": row["held_at"].isoformat(),
        "at": at.isoformat(),
        "reached": plan,
        "items": receipts.digest(await service.item_list(work, row["id"])),
        "looked_at": looked,
        "queues": "jobs and messages hold ids alone",
        "revision": row["revision"],
        "confirmed_by": [{"process": one["id"], "at": one["confirmed_at"].isoformat()} for one in confirmed],
        "not_reached": not_reached,
    }
