"""/v1/consolidations and /v1/proposals"""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from memos.consolidation import service, store
from memos.consolidation.schemas import (
    Consolidation,
    ConsolidationCreate,
    ConsolidationPlan,
    Proposal,
    ProposalStatus,
)
from memos.http.deps import (
    Admin,
    App,
    Cursor,
    IdempotencyKey,
    Limit,
    ProposalId,
    Reader,
    RunId,
    RuntimeDep,
    claim_for,
    problems,
)
from memos.http.stored import stored_response
from memos.idempotency.service import once
from memos.kit.pages import decode, page
from memos.kit.schema import Page
from memos.kit.wakeups import OUTBOX

router = APIRouter(tags=["consolidation"])
OfUser = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")]


@router.post("/v1/consolidations", status_code=202, response_model=Consolidation, responses=problems(409))
async def request(
    request: Request, runtime: RuntimeDep, caller: App, body: ConsolidationCreate, key: IdempotencyKey = None
) -> Response:
    """Consolidate a user's memories: near-duplicates merge, the later of two statements that exclude each other holds,
    episodes are said in facts, and what is often read and stable is proposed for a delta. Nothing is lost."""
    answer = await once(
        runtime.database,
        caller.tenant_id,
        claim_for(request, runtime, key, body),
        lambda work: service.request(work, body, caller.key_id),
        status=202,
    )
    runtime.wakeups.wake(OUTBOX)
    return stored_response(answer)


@router.get("/v1/consolidations", responses=problems())
async def listing(
    runtime: RuntimeDep, caller: Reader, user_id: OfUser = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[Consolidation]:
    """Newest first."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        rows = await store.runs(work, user_id=user_id, before=decode(cursor, "run"), limit=limit + 1)
    return page(rows, limit, "id", service.view)


@router.get("/v1/consolidations/{consolidation_id}", responses=problems(404))
async def get(runtime: RuntimeDep, caller: Reader, consolidation_id: RunId) -> ConsolidationPlan:
    """A run, its plan, and what became of each step."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        return await service.get(work, consolidation_id)


@router.get("/v1/proposals", responses=problems())
async def proposals(
    runtime: RuntimeDep,
    caller: Reader,
    status: ProposalStatus | None = None,
    user_id: OfUser = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Proposal]:
    """What consolidations propose, newest first."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        rows = await store.proposals(
            work, status=status, user_id=user_id, before=decode(cursor, "prop"), limit=limit + 1
        )
    return page(rows, limit, "id", service.proposal_view)


@router.post("/v1/proposals/{proposal_id}/accept", response_model=Proposal, responses=problems(404, 409))
async def accept(
    request: Request, runtime: RuntimeDep, caller: Admin, proposal_id: ProposalId, key: IdempotencyKey = None
) -> Response:
    """Have a delta trained on the memory, for its user."""
    answer = await once(
        runtime.database,
        caller.tenant_id,
        claim_for(request, runtime, key, None),
        lambda work: service.accept(work, proposal_id, caller.key_id),
        status=200,
    )
    runtime.wakeups.wake(OUTBOX)
    return stored_response(answer)


@router.post("/v1/proposals/{proposal_id}/dismiss", response_model=Proposal, responses=problems(404, 409))
async def dismiss(
    request: Request, runtime: RuntimeDep, caller: Admin, proposal_id: ProposalId, key: IdempotencyKey = None
) -> Response:
    """Leave the memory as it is. It is not proposed again until it changes."""
    return stored_response(
        await once(
            runtime.database,
            caller.tenant_id,
            claim_for(request, runtime, key, None),
            lambda work: service.dismiss(work, proposal_id, caller.key_id),
            status=200,
        )
    )
