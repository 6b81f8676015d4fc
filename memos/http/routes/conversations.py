"""/v1/conversations"""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from memos.conversations import service, store
from memos.conversations.schemas import (
    Conversation,
    ConversationCreate,
    ForkRequest,
    RollbackRequest,
    RolledBack,
)
from memos.http.deps import (
    App,
    AsOf,
    ConversationId,
    Cursor,
    IdempotencyKey,
    Limit,
    Reader,
    RuntimeDep,
    claim_for,
    problems,
)
from memos.http.stored import stored_response
from memos.idempotency.service import once
from memos.kit.pages import decode, page
from memos.kit.schema import Page
from memos.kit.wakeups import OUTBOX
from memos.timemachine import service as past
from memos.timemachine.schemas import ConversationThen
from memos.turns.service import conversation_channel

router = APIRouter(prefix="/v1/conversations", tags=["conversations"])


@router.post("", status_code=201, response_model=Conversation, responses=problems(409))
async def create(
    request: Request, runtime: RuntimeDep, caller: App, body: ConversationCreate, key: IdempotencyKey = None
) -> Response:
    """Begin a conversation. It is pinned to the model that serves now."""
    model = await runtime.generator.identity()
    return stored_response(
        await once(
            runtime.database,
            caller.tenant_id,
            claim_for(request, runtime, key, body),
            lambda work: service.create(work, body, model, caller.key_id),
        )
    )


@router.get("", responses=problems())
async def listing(
    runtime: RuntimeDep,
    caller: Reader,
    user_id: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Conversation]:
    """Newest first."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        rows = await store.listing(work, user_id=user_id, before=decode(cursor, "conv"), limit=limit + 1)
    return page(rows, limit, "id", service.view)


@router.get("/{conversation_id}", responses=problems(404))
async def get(
    runtime: RuntimeDep, caller: Reader, conversation_id: ConversationId, as_of: AsOf = None
) -> Conversation | ConversationThen:
    """As it is; with `as_of`, as it was: its state, and the turns that it held."""
    if as_of is not None:
        return await past.conversation_then(runtime.database, caller.tenant_id, conversation_id, as_of)
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        return await service.get(work, conversation_id)


@router.post("/{conversation_id}/rollback", response_model=RolledBack, responses=problems(404, 409))
async def rollback(
    request: Request,
    runtime: RuntimeDep,
    caller: App,
    conversation_id: ConversationId,
    body: RollbackRequest,
    key: IdempotencyKey = None,
) -> Response:
    """Go back to the state after a turn. Appends a version; later turns stay listed as superseded."""
    answer = await runtime.recipes.whole(
        caller.tenant_id,
        lambda: once(
            runtime.database,
            caller.tenant_id,
            claim_for(request, runtime, key, body),
            lambda work: service.rollback(work, conversation_id, body, caller.key_id),
            status=200,
        ),
    )
    runtime.wakeups.wake(conversation_channel(conversation_id))
    runtime.wakeups.wake(OUTBOX)
    return stored_response(answer)


@router.post("/{conversation_id}/fork", status_code=201, response_model=Conversation, responses=problems(404, 409))
async def fork(
    request: Request,
    runtime: RuntimeDep,
    caller: App,
    conversation_id: ConversationId,
    body: ForkRequest,
    key: IdempotencyKey = None,
) -> Response:
    """A new conversation that shares this one's past up to a turn. Both then diverge."""
    answer = await runtime.recipes.whole(
        caller.tenant_id,
        lambda: once(
            runtime.database,
            caller.tenant_id,
            claim_for(request, runtime, key, body),
            lambda work: service.fork(work, conversation_id, body, caller.key_id),
        ),
    )
    return stored_response(answer)
