"""Trains what a run asks for and makes its cube: the task `distil(run)`.

It may run twice, late, or after a kill: training is repeatable, its row says how far it is, and the cube is made in the
transaction that makes the run done, under the row's lock. Whoever comes second finds it done.

Notable choices:

* A run that cannot succeed (nothing to teach, another model's state) is failed and keeps its error; asking for it again
  tries again. What a wait can mend is left to the outbox, which tries again by itself.
* A run that is retired while it trains is dropped, at the latest when it would commit: what it learned is forgotten
  before anybody heard of it.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import structlog
from sqlalchemy import RowMapping

from memos.cubes import changes
from memos.cubes import store as cubes
from memos.cubes.versions import Payload, blob_key, state_ref
from memos.deltas import service, store
from memos.generation.port import Distilled, DistilRequest, Generator, StateRef, StateUnreadable
from memos.kit.db import Database
from memos.kit.errors import MemosError, NotFound
from memos.kit.ids import new_id
from memos.kit.unit_of_work import UnitOfWork
from memos.outbox.verdict import is_transient

LOG = structlog.get_logger(__name__)
CREATED_BY = "task:distil"
SEMANTIC_TYPE = "delta"
TOLD_S = 1.0  # how often progress is written down, and how soon a retired run is given up
SENSITIVITY = ("normal", "sensitive", "secret")


class SourceGone(MemosError):
    """A memory that was to be learned is not there any more."""

    code = "source_gone"
    hint = "Ask for a delta of the memories that are left."


@dataclass(frozen=True, slots=True)
class DistilTask:
    """Always `settled`: what is left to do is in the run's row, and a wait is the outbox's business."""

    database: Database
    generator: Generator

    async def __call__(self, tenant_id: str, run_id: str) -> Literal["settled", "waiting"]:
        try:
            await self._run(tenant_id, run_id)
        except Exception as error:
            if is_transient(error):
                raise
            if not isinstance(error, MemosError):
                LOG.exception("distil.bug", run_id=run_id)
            problem = error.problem() if isinstance(error, MemosError) else MemosError(type(error).__name__).problem()
            async with self.database.unit_of_work(tenant_id) as work:
                await store.fail(work, run_id, problem)
        return "settled"

    async def _run(self, tenant_id: str, run_id: str) -> None:
        model = await self.generator.identity()
        async with self.database.unit_of_work(tenant_id) as work:
            run = await store.lock(work, run_id)
            if run is None or run["retired_at"] is not None or run["status"] in ("done", "failed"):
                return
            inputs = await store.inputs(work, run["version_ids"])
            _refuse_gone(run, inputs)
            await store.begin(work, run_id, model.fingerprint)
            blob_id = new_id("blob")
            cubes.insert_blob(work, blob_id)
        trained = await self._train(tenant_id, run, inputs, blob_id)
        if trained is None:
            LOG.info("distil.dropped", run_id=run_id)
            return
        async with self.database.unit_of_work(tenant_id) as work:
            await _commit(work, run_id, model.fingerprint, blob_id, trained)

    async def _train(
        self, tenant_id: str, run: RowMapping, inputs: Sequence[RowMapping], blob_id: str
    ) -> Distilled | None:
        """None if the run was retired meanwhile."""
        request = DistilRequest(
            run_id=run["id"],
            sources=[_source(row) for row in inputs],
            rank=run["rank"],
            steps=run["steps"],
            seed=run["seed"],
            blob_key=blob_key(blob_id),
        )
        training, told = self.generator.distil(request), 0.0
        try:
            async for item in training:
                if isinstance(item, Distilled):
                    return item
                if time.monotonic() - told >= TOLD_S:
                    told = time.monotonic()
                    if not await self._noted(tenant_id, run["id"], item.step):
                        return None
        except StateUnreadable as error:
            raise SourceGone(error.message) from error
        finally:
            await training.aclose()
        raise MemosError("the model ended a training without saying so")

    async def _noted(self, tenant_id: str, run_id: str, step: int) -> bool:
        async with self.database.unit_of_work(tenant_id) as work:
            await store.progress(work, run_id, step)
            row = await store.get(work, run_id)
            return row is not None and row["retired_at"] is None and row["status"] == "running"


def _source(row: RowMapping) -> str | StateRef:
    return str(row["content"]) if row["payload"] == "text" else state_ref(row)


def _refuse_gone(run: RowMapping, inputs: Sequence[RowMapping]) -> None:
    for row in inputs:
        if row["payload_sha256"] is None or row["lifecycle"] not in service.learnable(run["replaces"]):
            raise SourceGone(f"version {row['id']} of cube {row['cube_id']} is {row['lifecycle']}")


async def _commit(work: UnitOfWork, run_id: str, fingerprint: str, blob_id: str, trained: Distilled) -> None:
    """The run's one cube. Nothing if another run of this task was first, or if the run is retired."""
    run = await store.lock(work, run_id)
    if run is None or run["retired_at"] is not None or run["status"] != "running":
        LOG.info("distil.dropped", run_id=run_id)
        return
    if run["fingerprint"] != fingerprint:  # begun anew by a process that serves another model
        return
    inputs = await store.inputs(work, run["version_ids"])
    _refuse_gone(run, inputs)
    sensitivity = max((row["sensitivity"] for row in inputs), key=SENSITIVITY.index)
    about = {"run_id": run_id, "rank": run["rank"], "steps": run["steps"], "seed": run["seed"]}
    cube = await changes.create(
        work,
        changes.NewCube(
            kind="parameter",
            payload=Payload("blob", trained.sha256, trained.size_bytes, blob_id=blob_id),
            created_by=CREATED_BY,
            user_id=run["user_id"],
            agent_id=run["agent_id"],
            operation="distil",
            parents=[(row["id"], "distils") for row in inputs],
            origin="consolidation",
            semantic_type=SEMANTIC_TYPE,
            sensitivity=sensitivity,
            fingerprint=fingerprint,
            metadata={"distil": about, "figures": trained.figures},
            reason="distilled",
        ),
    )
    await store.done(work, run_id, cube_id=cube["id"], figures=trained.figures)
    if run["replaces"] is not None:
        try:
            await service.replaced(work, run["replaces"], reason=run["reason"], by=CREATED_BY)
        except NotFound:
            LOG.info("distil.replaced_is_gone", cube_id=run["replaces"])
