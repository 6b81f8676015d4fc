"""/v1/policies"""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from memos.http.deps import (
    Admin,
    Cursor,
    IdempotencyKey,
    Limit,
    PolicyId,
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
from memos.policies import service, store
from memos.policies.schemas import Policy, PolicyCreate, PolicyDecision, PolicyPatch, PolicyRun, RunRequest

router = APIRouter(prefix="/v1/policies", tags=["policies"])


@router.post("", status_code=201, response_model=Policy, responses=problems(409))
async def create(
    request: Request, runtime: RuntimeDep, caller: Admin, body: PolicyCreate, key: IdempotencyKey = None
) -> Response:
    """Make a rule. It archives or expires what it decides about; one with `action: erase` erases, and says so."""
    return stored_response(
        await once(
            runtime.database,
            caller.tenant_id,
            claim_for(request, runtime, key, body),
            lambda work: service.create(work, body, caller.key_id),
        )
    )


@router.get("", responses=problems())
async def listing(
    runtime: RuntimeDep,
    caller: Reader,
    user_id: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Policy]:
    """Newest first; the last one is built in: what is past its own `expires_at` expires."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        rows = await store.listing(work, user_id=user_id, before=decode(cursor, "rule"), limit=limit + 1)
    return page(rows, limit, "id", service.view)


@router.get("/{policy_id}", responses=problems(404))
async def get(runtime: RuntimeDep, caller: Reader, policy_id: PolicyId) -> Policy:
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        return await service.get(work, policy_id)


@router.patch("/{policy_id}", responses=problems(404, 409))
async def change(runtime: RuntimeDep, caller: Admin, policy_id: PolicyId, body: PolicyPatch) -> Policy:
    """Change a rule from its next run on."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        return await service.change(work, policy_id, body)


@router.delete("/{policy_id}", responses=problems(404, 409))
async def remove(runtime: RuntimeDep, caller: Admin, policy_id: PolicyId) -> Policy:
    """Remove a rule. What it has done stays done, and its decisions stay on record."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        return await service.remove(work, policy_id)


@router.post("/{policy_id}/run", status_code=202, response_model=PolicyRun, responses=problems(404))
async def run(
    request: Request,
    runtime: RuntimeDep,
    caller: Admin,
    policy_id: PolicyId,
    body: RunRequest,
    key: IdempotencyKey = None,
) -> Response:
    """Run a rule now. With `dry_run` every decision is listed with its reason, and nothing changes."""
    answer = await once(
        runtime.database,
        caller.tenant_id,
        claim_for(request, runtime, key, body),
        lambda work: service.request_run(work, policy_id, dry_run=body.dry_run, created_by=caller.key_id),
        status=202,
    )
    runtime.wakeups.wake(OUTBOX)
    return stored_response(answer)


@router.get("/{policy_id}/runs", responses=problems(404))
async def runs(
    runtime: RuntimeDep, caller: Reader, policy_id: PolicyId, limit: Limit = 50, cursor: Cursor = None
) -> Page[PolicyRun]:
    """Newest first; also of a rule that was removed."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        await service.refuse_unknown(work, policy_id)
        rows = await store.runs(work, policy_id=policy_id, before=decode(cursor, "run"), limit=limit + 1)
    return page(rows, limit, "id", service.run_view)


@router.get("/{policy_id}/runs/{run_id}", responses=problems(404))
async def get_run(runtime: RuntimeDep, caller: Reader, policy_id: PolicyId, run_id: RunId) -> PolicyRun:
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        return await service.get_run(work, policy_id, run_id)


@router.get("/{policy_id}/decisions", responses=problems(404))
async def decisions(
    runtime: RuntimeDep,
    caller: Reader,
    policy_id: PolicyId,
    run_id: Annotated[str | None, Query(pattern=r"^run_[0-9a-f]{32}$")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[PolicyDecision]:
    """What it decided, why, and how that ended; newest first, and also of a rule that was removed."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        await service.refuse_unknown(work, policy_id)
        rows = await store.decisions(
            work, policy_id=policy_id, run_id=run_id, before=decode(cursor, "dec"), limit=limit + 1
        )
    return page(rows, limit, "id", service.decision_view)
