"""/v1/deltas"""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from memos.deltas import service, store
from memos.deltas.schemas import DeltaCreate, DeltaRun, RunStatus
from memos.http.deps import App, Cursor, IdempotencyKey, Limit, Reader, RunId, RuntimeDep, claim_for, problems
from memos.http.stored import stored_response
from memos.idempotency.service import once
from memos.kit.pages import decode, page
from memos.kit.schema import Page
from memos.kit.wakeups import OUTBOX

router = APIRouter(prefix="/v1/deltas", tags=["deltas"])


@router.post("", status_code=202, response_model=DeltaRun, responses=problems(404, 409))
async def create(
    request: Request, runtime: RuntimeDep, caller: App, body: DeltaCreate, key: IdempotencyKey = None
) -> Response:
    """Train a delta that knows what these cubes hold. It becomes a parameter cube and is mounted at once."""
    answer = await once(
        runtime.database,
        caller.tenant_id,
        claim_for(request, runtime, key, body),
        lambda work: service.create(work, body, caller.key_id),
        status=202,
    )
    runtime.wakeups.wake(OUTBOX)
    return stored_response(answer)


@router.get("", responses=problems())
async def listing(
    runtime: RuntimeDep,
    caller: Reader,
    status: RunStatus | None = None,
    user_id: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[DeltaRun]:
    """Runs, newest first."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        rows = await store.listing(work, status=status, user_id=user_id, before=decode(cursor, "run"), limit=limit + 1)
    return page(rows, limit, "id", service.view)


@router.get("/{delta_id}", responses=problems(404))
async def get(runtime: RuntimeDep, caller: Reader, delta_id: RunId) -> DeltaRun:
    """A run: how far it is, what it found, which cube it made."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        return await service.get(work, delta_id)
