"""The task `consolidate(run)`: plan once, then carry out step after step, each a transaction with its own outcome.

Killed anywhere it goes on with the first step that has no outcome; delivered twice, a step is locked by one and found
done by the other. While the model embeds or folds, no transaction is open; what it made is checked when it is written.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np
import structlog
from sqlalchemy import RowMapping

from memos.audit.service import note
from memos.consolidation import store
from memos.consolidation.plan import Memory, Step, Vectors, by_column, plan
from memos.consolidation.schemas import ConsolidationCreate
from memos.consolidation.steps import Done, Refused, carry_out
from memos.generation.port import Generator
from memos.kit.db import Database

LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ConsolidateTask:
    """One run, from wherever it stopped."""

    database: Database
    generator: Generator

    async def __call__(self, tenant_id: str, run_id: str) -> Literal["settled"]:
        async with self.database.unit_of_work(tenant_id) as work:
            run = await store.read_run(work, run_id)
        if run is None or run["status"] == "done":
            return "settled"
        if run["status"] == "queued":
            await self._plan(tenant_id, run)
        while not run["dry_run"] and await self._next(tenant_id, run):
            pass
        async with self.database.unit_of_work(tenant_id) as work:
            await store.run_done(work, run_id)
        LOG.info("consolidation.ran", run_id=run_id, dry_run=run["dry_run"])
        return "settled"

    async def _plan(self, tenant_id: str, run: RowMapping) -> None:
        wanted = ConsolidationCreate.model_validate(run["wanted"] | {"user_id": run["user_id"]})
        async with self.database.unit_of_work(tenant_id) as work:
            memories = [by_column(row) for row in await store.memories(work, user_id=run["user_id"], most=wanted.most)]
        vectors = await self._embed(memories)
        can_fold = "fold" in wanted.steps and await self.generator.can_fold()
        now = datetime.now(UTC)
        steps = await asyncio.to_thread(plan, memories, vectors, wanted, can_fold=can_fold, now=now)
        async with self.database.unit_of_work(tenant_id) as work:
            if (await store.lock_run(work, run["id"]))["status"] != "queued":
                return  # delivered twice, and the other one was first
            await store.insert_steps(work, [_row(run, number, step) for number, step in enumerate(steps)])
            await store.planned(work, run["id"], considered=len(memories), planned=len(steps))

    async def _embed(self, memories: Sequence[Memory]) -> Vectors:
        if not memories:
            return np.zeros((0, 1))
        embedded = await self.generator.embed([memory.content for memory in memories], background=True)
        return embedded.vectors.astype(np.float64)

    async def _next(self, tenant_id: str, run: RowMapping) -> bool:
        """False: there is no step without an outcome."""
        async with self.database.unit_of_work(tenant_id) as work:
            step = await store.next_step(work, run["id"])
            if step is None:
                return False
            texts = await store.contents(work, step["version_ids"]) if step["kind"] == "fold" else []
        facts = await self.generator.fold(texts) if texts else []
        try:
            await self._carry_out(tenant_id, run, step, facts)
        except Refused as refusal:
            await self._skip(tenant_id, run, step, str(refusal))
        return True

    async def _carry_out(self, tenant_id: str, run: RowMapping, step: RowMapping, facts: Sequence[str]) -> None:
        async with self.database.unit_of_work(tenant_id) as work:
            if await store.lock_step(work, run["id"], step["number"]) is None:
                return
            done: Done = await carry_out(work, run, step, facts)
            await store.end_step(work, run["id"], step["number"], outcome="done", reason=done.reason, made=done.made)
            told = {"step": step["number"], "cubes": step["cube_ids"], "made": list(done.made)}
            note(work, f"consolidation.{step['kind']}", run["id"], "task:consolidation", told)

    async def _skip(self, tenant_id: str, run: RowMapping, step: RowMapping, reason: str) -> None:
        """In a transaction of its own: whatever the refused one had begun was rolled back."""
        async with self.database.unit_of_work(tenant_id) as work:
            await store.end_step(work, run["id"], step["number"], outcome="skipped", reason=reason, made=())


def _row(run: RowMapping, number: int, step: Step) -> dict[str, object]:
    return {
        "run_id": run["id"],
        "number": number,
        "kind": step.kind,
        "cube_ids": [memory.cube_id for memory in step.memories],
        "version_ids": [memory.version_id for memory in step.memories],
        "reason": step.reason,
        "outcome": "dry_run" if run["dry_run"] else None,
    }
