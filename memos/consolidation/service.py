"""Asks for consolidations and reads them; decides about what they propose."""

from sqlalchemy import RowMapping

from memos.consolidation import store
from memos.consolidation.schemas import (
    Consolidation,
    ConsolidationCreate,
    ConsolidationPlan,
    ConsolidationStep,
    Proposal,
)
from memos.cubes import changes
from memos.deltas import service as deltas
from memos.kit.errors import Conflict, NotFound
from memos.kit.ids import new_id
from memos.kit.unit_of_work import UnitOfWork
from memos.outbox import store as outbox

CONSOLIDATE = "consolidate"  # the task


class AlreadyDecided(Conflict):
    """The proposal was decided about."""

    code = "already_decided"
    hint = "GET /v1/proposals shows what was decided, and the run that came of it."


class ProposalOutdated(Conflict):
    """The memory has changed since it was proposed."""

    code = "proposal_outdated"
    hint = "Dismiss it; the next consolidation proposes what is stable by then."


def view(row: RowMapping) -> Consolidation:
    return Consolidation(**{name: row[name] for name in Consolidation.model_fields})


def step_view(row: RowMapping) -> ConsolidationStep:
    return ConsolidationStep(**{name: row[name] for name in ConsolidationStep.model_fields})


def proposal_view(row: RowMapping) -> Proposal:
    return Proposal(**{name: row[name] for name in Proposal.model_fields})


async def request(work: UnitOfWork, wanted: ConsolidationCreate, created_by: str) -> Consolidation:
    """Queues a run over the user's memories."""
    run_id = new_id("run")
    store.insert_run(
        work,
        id=run_id,
        user_id=wanted.user_id,
        dry_run=wanted.dry_run,
        wanted=wanted.model_dump(mode="json", exclude={"user_id"}),  # a name stands in one column, for erasure to find
        created_by=created_by,
    )
    await outbox.record(work, task=CONSOLIDATE, subject=run_id, turn_id=None)
    return view(await _run(work, run_id))


async def get(work: UnitOfWork, run_id: str) -> ConsolidationPlan:
    run = view(await _run(work, run_id))
    steps = [step_view(row) for row in await store.steps(work, run_id)]
    return ConsolidationPlan(**run.model_dump(), steps=steps)


async def accept(work: UnitOfWork, proposal_id: str, by: str) -> Proposal:
    """Has a delta trained on the memory, for its user. Raises AlreadyDecided, ProposalOutdated, and what
    `memos.deltas.service.request` raises."""
    proposal = await _open(work, proposal_id)
    cube = await changes.lock(work, proposal["cube_id"])
    if cube["head_version_id"] != proposal["version_id"] or cube["lifecycle"] != "activated":
        raise ProposalOutdated
    run = await deltas.request(
        work,
        version_ids=[proposal["version_id"]],
        user_id=proposal["user_id"],
        agent_id=None,
        by=by,
        reason="an accepted proposal",
    )
    await store.decide(work, proposal_id, status="accepted", by=by, delta_run_id=run.id)
    return await _proposal(work, proposal_id)


async def dismiss(work: UnitOfWork, proposal_id: str, by: str) -> Proposal:
    """It is not made again for this version. Raises AlreadyDecided."""
    await _open(work, proposal_id)
    await store.decide(work, proposal_id, status="dismissed", by=by, delta_run_id=None)
    return await _proposal(work, proposal_id)


async def _run(work: UnitOfWork, run_id: str) -> RowMapping:
    row = await store.get_run(work, run_id)
    if row is None:
        raise NotFound(f"there is no consolidation {run_id}")
    return row


async def _open(work: UnitOfWork, proposal_id: str) -> RowMapping:
    row = await store.lock_proposal(work, proposal_id)
    if row is None:
        raise NotFound(f"there is no proposal {proposal_id}")
    if row["status"] != "open":
        raise AlreadyDecided(f"proposal {proposal_id} is {row['status']}")
    return row


async def _proposal(work: UnitOfWork, proposal_id: str) -> Proposal:
    row = await store.lock_proposal(work, proposal_id)
    if row is None:
        raise NotFound(f"there is no proposal {proposal_id}")
    return proposal_view(row)
