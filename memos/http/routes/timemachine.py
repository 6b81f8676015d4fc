"""The time machine beside the calls that take `as_of`: a user's memory; diff, rollback and fork of a cube; the merge of
two conversations' states."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from memos.http.deps import (
    App,
    AsOf,
    ConversationId,
    CubeId,
    Cursor,
    IdempotencyKey,
    Limit,
    Reader,
    RuntimeDep,
    UserOf,
    claim_for,
    problems,
)
from memos.http.stored import stored_response
from memos.idempotency.service import once
from memos.kit.schema import Page
from memos.kit.wakeups import OUTBOX
from memos.timemachine import diff, merge, restore, service
from memos.timemachine.schemas import (
    CubeDiff,
    CubeFork,
    CubeRollback,
    CubeRolledBack,
    CubeThen,
    Forked,
    MergeRequest,
    StatesMerged,
)
from memos.turns.service import conversation_channel

router = APIRouter(prefix="/v1", tags=["time machine"])
From = Annotated[int, Query(alias="from", ge=0, le=2**31 - 1, description="The number of a version.")]
To = Annotated[int, Query(ge=0, le=2**31 - 1, description="The number of a version.")]
Most = Annotated[int, Query(ge=1, le=10_000, description="The most tensors, and the most slots, to name.")]


@router.get("/users/{user_id:path}/memory", responses=problems())
async def memory(
    runtime: RuntimeDep, caller: Reader, user_id: UserOf, as_of: AsOf = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[CubeThen]:
    """All cubes of a user with what they said, newest first: as they are, or as they were at `as_of`."""
    return await service.page_then(
        runtime.database, caller.tenant_id, as_of, cursor=cursor, limit=limit, user_id=user_id
    )


@router.get("/cubes/{cube_id}/diff", responses=problems(404, 409))
async def difference(
    runtime: RuntimeDep, caller: Reader, cube_id: CubeId, from_version: From, to: To, limit: Most = 100
) -> CubeDiff:
    """What differs between two versions: words of a text, slots of a state, tensors of a delta."""
    numbers = (from_version, to)
    return await runtime.recipes.whole(
        caller.tenant_id,
        lambda: diff.versions(runtime.database, runtime.generator, caller.tenant_id, cube_id, numbers, limit),
    )


@router.post("/cubes/{cube_id}/rollback", status_code=201, response_model=CubeRolledBack, responses=problems(404, 409))
async def rollback(
    request: Request, runtime: RuntimeDep, caller: App, cube_id: CubeId, body: CubeRollback, key: IdempotencyKey = None
) -> Response:
    """Appends a version that holds again what an older one held. A conversation's state goes back with its turns."""
    answer = await runtime.recipes.whole(
        caller.tenant_id,
        lambda: once(
            runtime.database,
            caller.tenant_id,
            claim_for(request, runtime, key, body),
            lambda work: restore.rollback(work, cube_id, body, caller.key_id),
        ),
    )
    return stored_response(answer)


@router.post("/cubes/{cube_id}/fork", status_code=201, response_model=Forked, responses=problems(404, 409))
async def fork(
    request: Request, runtime: RuntimeDep, caller: App, cube_id: CubeId, body: CubeFork, key: IdempotencyKey = None
) -> Response:
    """A new cube that begins with what a version held. Both then go their own ways."""
    answer = await runtime.recipes.whole(
        caller.tenant_id,
        lambda: once(
            runtime.database,
            caller.tenant_id,
            claim_for(request, runtime, key, body),
            lambda work: restore.fork(work, cube_id, body, caller.key_id),
        ),
    )
    return stored_response(answer)


@router.post(
    "/conversations/{conversation_id}/merge", status_code=201, response_model=StatesMerged, responses=problems(404, 409)
)
async def merge_states(
    request: Request,
    runtime: RuntimeDep,
    caller: App,
    conversation_id: ConversationId,
    body: MergeRequest,
    key: IdempotencyKey = None,
) -> Response:
    """Takes in what another conversation of the same user was told since both were one; the other is not changed."""
    claim = claim_for(request, runtime, key, body)
    answer = await runtime.recipes.whole(
        caller.tenant_id,
        lambda: merge.merge(
            runtime.database, runtime.generator, caller.tenant_id, conversation_id, body, claim, caller.key_id
        ),
    )
    runtime.wakeups.wake(conversation_channel(conversation_id))
    runtime.wakeups.wake(OUTBOX)
    return stored_response(answer)
