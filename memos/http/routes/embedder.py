"""/v1/embedder"""

from fastapi import APIRouter, Request, Response

from memos.embedders.schemas import EmbedderStatus, EmbedderSwitch
from memos.http.deps import Admin, IdempotencyKey, Reader, RuntimeDep, claim_for, problems
from memos.http.stored import stored_response
from memos.idempotency.service import once
from memos.kit.wakeups import OUTBOX

router = APIRouter(prefix="/v1/embedder", tags=["embedder"])


@router.get("", responses=problems())
async def status(runtime: RuntimeDep, caller: Reader) -> EmbedderStatus:
    """Which model embeds memories, which ones their searches use, and how far those that change are."""
    return await runtime.embedders.status(caller.tenant_id)


@router.post("/switch", status_code=202, response_model=EmbedderSwitch, responses=problems(409))
async def switch(request: Request, runtime: RuntimeDep, caller: Admin, key: IdempotencyKey = None) -> Response:
    """Embed anew, in the background, what was embedded by another model than the one in force. It begins by itself
    within a minute of a change; this begins it now. Searches use the old vectors until the new ones are whole."""
    model = await runtime.embedders.in_force()
    answer = await once(
        runtime.database,
        caller.tenant_id,
        claim_for(request, runtime, key, None),
        lambda work: runtime.embedders.switch(work, model),
        status=202,
    )
    runtime.wakeups.wake(OUTBOX)
    return stored_response(answer)
