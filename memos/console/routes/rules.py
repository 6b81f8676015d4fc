"""What works on memory by itself: policies with their runs and decisions, consolidations with their plans and
proposals, and the deltas that were trained."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from memos.console.pages import go, show
from memos.console.routing import ConsoleRoute
from memos.console.session import PATH
from memos.console.visitor import Acting, Visiting, filled
from memos.http.deps import Cursor, PolicyId, ProposalId, RunId
from memos.http.routes import consolidations, deltas, policies
from memos.kit.schema import WITHOUT_NUL
from memos.policies.schemas import RunRequest

router = APIRouter(prefix=PATH, route_class=ConsoleRoute, include_in_schema=False)
PER_PAGE = 40
OfUser = Annotated[str | None, Query(max_length=200, pattern=WITHOUT_NUL)]


@router.get("/policies")
async def policy_list(request: Request, visitor: Visiting, cursor: Cursor = None) -> Response:
    page = await visitor.call(policies.listing, limit=PER_PAGE, cursor=cursor)
    return show(request, "policies.html", page=page)


@router.get("/policies/{policy_id}")
async def policy(request: Request, visitor: Visiting, policy_id: PolicyId, cursor: Cursor = None) -> Response:
    found = await visitor.call(policies.get, policy_id=policy_id)
    runs = await visitor.call(policies.runs, policy_id=policy_id, limit=PER_PAGE, cursor=None)
    decisions = await visitor.call(policies.decisions, policy_id=policy_id, limit=PER_PAGE, cursor=cursor)
    return show(request, "policy.html", policy=found, runs=runs, page=decisions)


@router.post("/policies/{policy_id}/run")
async def dry_run(visitor: Acting, policy_id: PolicyId) -> Response:
    """Only dry: what it would decide, without doing it."""
    body = filled(RunRequest, dry_run=True)
    await visitor.call(policies.run, policy_id=policy_id, body=body, key=visitor.key)
    return go(f"{PATH}/policies/{policy_id}", "dry-run")


@router.get("/consolidations")
async def consolidation_list(
    request: Request, visitor: Visiting, user_id: OfUser = None, cursor: Cursor = None
) -> Response:
    page = await visitor.call(consolidations.listing, user_id=user_id or None, limit=PER_PAGE, cursor=cursor)
    proposals = await visitor.call(
        consolidations.proposals, user_id=user_id or None, status=None, limit=PER_PAGE, cursor=None
    )
    return show(request, "consolidations.html", page=page, proposals=proposals, user_id=user_id)


@router.get("/consolidations/{run_id}")
async def consolidation(request: Request, visitor: Visiting, run_id: RunId) -> Response:
    found = await visitor.call(consolidations.get, consolidation_id=run_id)
    return show(request, "consolidation.html", run=found)


@router.post("/proposals/{proposal_id}/accept")
async def accept(visitor: Acting, proposal_id: ProposalId) -> Response:
    await visitor.call(consolidations.accept, proposal_id=proposal_id, key=visitor.key)
    return go(f"{PATH}/consolidations", "proposal-accepted")


@router.post("/proposals/{proposal_id}/dismiss")
async def dismiss(visitor: Acting, proposal_id: ProposalId) -> Response:
    await visitor.call(consolidations.dismiss, proposal_id=proposal_id, key=visitor.key)
    return go(f"{PATH}/consolidations", "proposal-dismissed")


@router.get("/deltas")
async def delta_list(
    request: Request,
    visitor: Visiting,
    status: Annotated[str | None, Query(pattern="^(|queued|running|done|failed)$")] = None,
    user_id: OfUser = None,
    cursor: Cursor = None,
) -> Response:
    chosen: Any = {"status": status or None, "user_id": user_id or None}
    page = await visitor.call(deltas.listing, limit=PER_PAGE, cursor=cursor, **chosen)
    return show(request, "deltas.html", page=page, chosen=chosen)


@router.get("/deltas/{run_id}")
async def delta(request: Request, visitor: Visiting, run_id: RunId) -> Response:
    found = await visitor.call(deltas.get, delta_id=run_id)
    return show(request, "delta.html", delta=found)
