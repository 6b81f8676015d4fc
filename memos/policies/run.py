"""Carries a run out: the task `policy(run)`, and `policies(schedule)`, which asks for the runs whose time has come.

A run decides once, by the moment it was asked for, and writes all its decisions down before it carries out the first.
Then it takes them in small batches, each decision under its cube's lock and together with its own outcome: killed
anywhere, it goes on with what is still open; delivered twice, it finds nothing open. Between the decision and the deed
the world may change. What was frozen, erased or taken out of recall meanwhile is left alone, and so is what was used or
changed meanwhile if that is what its rule goes by: the next run decides anew.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal

import structlog
from sqlalchemy import RowMapping

from memos.audit.service import note
from memos.cubes import changes
from memos.cubes.recipes import store as recipes
from memos.cubes.recipes.making import Recipes
from memos.cubes.versions import blob_key
from memos.generation.port import Generator
from memos.kernel.lifecycle import Lifecycle
from memos.kernel.policy import Decision, Item
from memos.kit.blobs import Blobs
from memos.kit.db import Database
from memos.kit.errors import NotFound
from memos.kit.ids import new_id
from memos.kit.unit_of_work import UnitOfWork
from memos.outbox.schedule import Schedule, register
from memos.policies import erasing, service, store
from memos.policies.replay import prove
from memos.policies.rules import RULES, build

LOG = structlog.get_logger(__name__)
BATCH = 50
SWEEP_TASK = "policies"
SWEEP = register(Schedule("policies", SWEEP_TASK, every_s=60.0))
BECOMES: dict[str, Lifecycle] = {"archive": "archived", "expire": "expired"}


@dataclass(frozen=True, slots=True)
class PolicyTask:
    """One run, from wherever it stopped."""

    database: Database
    generator: Generator
    blobs: Blobs
    recipes: Recipes

    async def __call__(self, tenant_id: str, run_id: str) -> Literal["settled"]:
        async with self.database.unit_of_work(tenant_id) as work:
            run = await store.lock_run(work, run_id)
            if run is None or run["status"] == "done":
                return "settled"
            if run["status"] == "queued":
                await _plan(work, run)
        if not run["dry_run"]:
            await self._carry_out(tenant_id, run)
        async with self.database.unit_of_work(tenant_id) as work:
            await store.run_done(work, run_id)
        LOG.info("policy.ran", policy_id=run["policy_id"], run_id=run_id, dry_run=run["dry_run"])
        return "settled"

    async def _carry_out(self, tenant_id: str, run: RowMapping) -> None:
        if RULES[run["rule"]["kind"]].subject == "version":
            await self._prove_each(tenant_id, run)
            return
        while True:
            async with self.database.unit_of_work(tenant_id) as work:
                decisions = await store.lock_open(work, run["id"], BATCH)
                # In one order everywhere, so that two runs over the same cubes do not wait for each other in a circle.
                for decision in sorted(decisions, key=lambda row: str(row["cube_id"])):
                    outcome, reason = await _carry_out_one(work, run, decision)
                    await store.end(work, decision["id"], outcome, reason)
            if len(decisions) < BATCH:
                return

    async def _prove_each(self, tenant_id: str, run: RowMapping) -> None:
        """Of each version that could go, the newest first, whether replaying it gives its hash; with the action `thin`
        its payload goes then. No transaction is open while it is replayed."""
        while True:
            async with self.database.unit_of_work(tenant_id) as work:
                decision = await store.next_open(work, run["id"])
            if decision is None:
                return
            version_id = decision["version_id"]
            proof = await self.recipes.whole(
                tenant_id, partial(prove, self.database, self.generator, tenant_id, version_id)
            )
            if proof.scratch_key is not None:
                await asyncio.to_thread(self.blobs.delete, proof.scratch_key)
            if proof.holds and decision["action"] == "thin":
                await self._thin(tenant_id, run, decision)
                continue
            async with self.database.unit_of_work(tenant_id) as work:
                await store.end(work, decision["id"], "done" if proof.holds else "skipped", proof.reason)

    async def _thin(self, tenant_id: str, run: RowMapping, decision: RowMapping) -> None:
        """First it is said that the payload is to be made again, then the object goes: whoever comes in between makes
        it again, and then it stays. Killed in between, the next run of the task finds the decision open."""
        version_id = decision["version_id"]
        async with self.database.unit_of_work(tenant_id) as work:
            refusal = await _refusal(work, decision["cube_id"])
            if refusal is None:
                await recipes.thin(work, version_id)
        async with self.database.unit_of_work(tenant_id) as work:
            blob_id = None if refusal else await recipes.thinned(work, version_id)
            if blob_id is None:
                await store.end(work, decision["id"], "skipped", refusal or "kept: its payload is needed")
                return
            details = {"policy_id": run["policy_id"], "run_id": run["id"], "version_id": version_id}
            note(work, "policies.thin", decision["cube_id"], "task:policies", details)
            # Under the lock of its row, which whoever makes it again waits for.
            await asyncio.to_thread(self.blobs.delete, blob_key(blob_id))
            await store.end(work, decision["id"], "done", "proven, and dropped: replaying its turn gives it again")


@dataclass(frozen=True, slots=True)
class SweepTask:
    """Queues a run of every policy of the tenant that is due. A run that is still open is not doubled."""

    database: Database

    async def __call__(self, tenant_id: str, schedule_id: str) -> Literal["settled"]:
        async with self.database.unit_of_work(tenant_id) as work:
            for policy in await store.due(work):
                await service.run_due(work, policy["id"])
        return "settled"


async def _plan(work: UnitOfWork, run: RowMapping) -> None:
    """Every decision of the run, in one transaction: there is a whole plan or none."""
    policy = build(run["rule"])
    rows = [] if run["withdrawn"] else await _rows(work, run)
    items = await _items(work, run["rule"]["kind"], rows)
    groups: dict[Any, list[Item]] = defaultdict(list)
    for row, item in zip(rows, items, strict=True):
        groups[row["user_id"] if run["per_user"] else None].append(item)

    def decide() -> list[Decision]:
        return [decision for group in groups.values() for decision in policy.decide(group, run["as_of"])]

    decisions = await asyncio.to_thread(decide)  # seconds for a hundred thousand: turns go on meanwhile
    looked_at = {row["id"]: row for row in rows}
    await store.insert_decisions(work, [_decision(run, n, looked_at, one) for n, one in enumerate(decisions)])
    await store.planned(work, run["id"], considered=len(rows), decided=len(decisions))


async def _rows(work: UnitOfWork, run: RowMapping) -> Sequence[RowMapping]:
    scope = {"user_id": run["user_id"], "cube_kind": run["cube_kind"]}
    if RULES[run["rule"]["kind"]].subject == "version":
        return await store.versions(work, **scope)
    expired_at = run["as_of"] if run["rule"]["kind"] == "expires_at" else None
    return await store.cubes(work, **scope, expired_at=expired_at)


async def _items(work: UnitOfWork, kind: str, rows: Sequence[RowMapping]) -> list[Item]:
    if RULES[kind].subject == "version":
        return [Item(r["id"], r["created_at"], r["size_bytes"], line=r["cube_id"], pinned=r["pinned"]) for r in rows]
    ids = [row["id"] for row in rows]
    sizes = await store.sizes(work, ids) if kind == "byte_budget" else {}
    uses = await store.uses(work, ids) if kind == "reinforce" else {}
    return [
        Item(
            id=row["id"],
            created_at=row["created_at"],
            size_bytes=sizes.get(row["id"], 0),
            priority=row["priority"],
            reads=row["reads"],
            last_used_at=max(filter(None, (row["last_read_at"], row["changed_at"]))),
            uses=_moments(uses.get(row["id"], []), row["last_read_at"]),
            place=repr((row["user_id"], row["agent_id"], row["semantic_type"])),
            expires_at=row["expires_at"],
        )
        for row in rows
    ]


def _moments(by_turns: Sequence[datetime], last_read_at: datetime | None) -> tuple[datetime, ...]:
    """A read that no turn made (a search, say) is known by the last one's moment alone."""
    if last_read_at is None or (by_turns and by_turns[0] >= last_read_at):
        return tuple(by_turns)
    return (last_read_at, *by_turns)


def _decision(run: RowMapping, number: int, rows: dict[str, RowMapping], made: Decision) -> dict[str, Any]:
    row = rows[made.item.id]
    thins = made.verb == "thin"
    return {
        "id": new_id("dec"),
        "run_id": run["id"],
        "number": number,
        "policy_id": run["policy_id"],
        "cube_id": made.item.line if thins else made.item.id,
        "version_id": made.item.id if thins else None,
        "action": run["action"],
        "reason": made.reason,
        "head_number": row["head_number"],
        "reads": row["reads"],
        "outcome": "dry_run" if run["dry_run"] else None,
    }


async def _refusal(work: UnitOfWork, cube_id: str) -> str | None:
    try:
        cube = await changes.lock(work, cube_id)
    except NotFound:
        return "it was erased meanwhile"
    return "it was frozen meanwhile" if cube["frozen"] else None


async def _carry_out_one(work: UnitOfWork, run: RowMapping, decision: RowMapping) -> tuple[str, str]:
    """How one decision ends, and why."""
    try:
        cube = await changes.lock(work, decision["cube_id"])
    except NotFound:
        return "skipped", "it was erased meanwhile"
    kind, action, by = run["rule"]["kind"], decision["action"], f"policy:{run['policy_id']}"
    details = {"policy_id": run["policy_id"], "run_id": run["id"], "decision_id": decision["id"]}
    if cube["frozen"]:
        return "skipped", "it was frozen meanwhile"
    # What is only generated is still being made, and nobody's to put away.
    if cube["lifecycle"] != "activated" and not (kind == "expires_at" and cube["lifecycle"] == "archived"):
        return "skipped", f"it is {cube['lifecycle']} already"
    if kind == "expires_at" and (cube["expires_at"] is None or cube["expires_at"] > run["as_of"]):
        return "skipped", "its expires_at was moved meanwhile"
    if RULES[kind].by_use and (cube["head_version"], cube["reads"]) != (decision["head_number"], decision["reads"]):
        return "skipped", "it was used or changed meanwhile"
    note(work, f"policies.{action}", cube["id"], "task:policies", details)
    if action == "erase":
        erasure = await erasing.request(work, cube_id=cube["id"], by=by)
        return "done", f"handed to erasure {erasure.id}"
    to = BECOMES[action]
    await changes.transition(work, cube, to, reason=decision["reason"], by=by, details=details)
    return "done", f"it was {cube['lifecycle']} and is {to}"
