"""/v1/cubes: what makes and changes cubes. Reading them is in `cubes`, going back and forth in time `timemachine`."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel

from memos.cubes import conversions, life, service, store
from memos.cubes.schemas import (
    Conversion,
    ConvertRequest,
    Cube,
    CubeCreate,
    CubeEvent,
    CubeMetadata,
    CubeUpdate,
    FreezeRequest,
    MergeRequest,
    MoveRequest,
    Split,
    SplitRequest,
    TransitionRequest,
    Version,
    VersionCreate,
)
from memos.http.deps import (
    App,
    CubeId,
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
from memos.keys.service import Principal
from memos.kit.pages import decode, page
from memos.kit.schema import Answer, Body, Page
from memos.kit.unit_of_work import UnitOfWork
from memos.kit.wakeups import OUTBOX
from memos.runtime import Runtime

router = APIRouter(prefix="/v1/cubes", tags=["cubes"])
IfMatch = Annotated[
    str,
    Header(
        alias="If-Match",
        pattern=r'^("[0-9]{1,9}"|[0-9]{1,9})$',
        description="The number of the newest version that you know of: if there is a newer one, this is a 409.",
    ),
]


class _Revision(Body):
    """All that a key is claimed for."""

    expected: int
    version: VersionCreate


async def _once(
    request: Request,
    runtime: Runtime,
    caller: Principal,
    key: str | None,
    body: BaseModel,
    effect: Callable[[UnitOfWork], Awaitable[Answer]],
    status: int = 200,
) -> Response:
    claim = claim_for(request, runtime, key, body)
    answer = await once(runtime.database, caller.tenant_id, claim, effect, status=status)
    return stored_response(answer)


@router.post("", status_code=201, response_model=Cube, responses=problems(409))
async def create(
    request: Request, runtime: RuntimeDep, caller: App, body: CubeCreate, key: IdempotencyKey = None
) -> Response:
    """Remember a text as a cube of its own."""
    most = runtime.settings.max_input_chars
    return await _once(
        request, runtime, caller, key, body,
        lambda work: life.create(work, body, by=caller.key_id, most_chars=most), 201,
    )  # fmt: skip


@router.post("/merge", status_code=201, response_model=Cube, responses=problems(404, 409))
async def merge(
    request: Request, runtime: RuntimeDep, caller: App, body: MergeRequest, key: IdempotencyKey = None
) -> Response:
    """One plaintext cube from several of one owner. They stay, as `merged`, and lineage leads back to them."""
    most = runtime.settings.max_input_chars
    return await _once(
        request, runtime, caller, key, body,
        lambda work: life.merge(work, body, by=caller.key_id, most_chars=most), 201,
    )  # fmt: skip


@router.patch("/{cube_id}", responses=problems(404, 409))
async def update(runtime: RuntimeDep, caller: App, cube_id: CubeId, body: CubeUpdate) -> Cube:
    """Change what the cube is labelled with; its text changes by a new version. The old values stay in its events."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        return await life.update(work, cube_id, body, by=caller.key_id)


@router.post("/{cube_id}/versions", status_code=201, response_model=Version, responses=problems(404, 409))
async def revise(
    request: Request,
    runtime: RuntimeDep,
    caller: App,
    cube_id: CubeId,
    body: VersionCreate,
    if_match: IfMatch,
    key: IdempotencyKey = None,
) -> Response:
    """A new version of a plaintext cube, if the newest is still the one you know of."""
    expected, most = int(if_match.strip('"')), runtime.settings.max_input_chars
    return await _once(
        request, runtime, caller, key, _Revision(expected=expected, version=body),
        lambda work: life.revise(work, cube_id, body, expected=expected, by=caller.key_id, most_chars=most), 201,
    )  # fmt: skip


@router.post("/{cube_id}/transition", response_model=Cube, responses=problems(404, 409))
async def transition(
    request: Request,
    runtime: RuntimeDep,
    caller: App,
    cube_id: CubeId,
    body: TransitionRequest,
    key: IdempotencyKey = None,
) -> Response:
    """Archive a cube, activate it again, or let it expire."""
    return await _once(
        request, runtime, caller, key, body, lambda work: life.transition(work, cube_id, body, by=caller.key_id)
    )


@router.post("/{cube_id}/freeze", response_model=Cube, responses=problems(404, 409))
async def freeze(
    request: Request,
    runtime: RuntimeDep,
    caller: App,
    cube_id: CubeId,
    body: FreezeRequest,
    key: IdempotencyKey = None,
) -> Response:
    """Keep a cube exactly as it is, or let it change again. A frozen state takes no turn in."""
    return await _once(
        request, runtime, caller, key, body, lambda work: life.freeze(work, cube_id, body, by=caller.key_id)
    )


@router.post("/{cube_id}/split", status_code=201, response_model=Split, responses=problems(404, 409))
async def split(
    request: Request,
    runtime: RuntimeDep,
    caller: App,
    cube_id: CubeId,
    body: SplitRequest,
    key: IdempotencyKey = None,
) -> Response:
    """A plaintext cube of its own for each part. The source is archived."""
    most = runtime.settings.max_input_chars
    return await _once(
        request, runtime, caller, key, body,
        lambda work: life.split(work, cube_id, body, by=caller.key_id, most_chars=most), 201,
    )  # fmt: skip


@router.post("/{cube_id}/convert", status_code=201, response_model=Conversion, responses=problems(404, 409))
async def convert(
    request: Request,
    runtime: RuntimeDep,
    caller: App,
    cube_id: CubeId,
    body: ConvertRequest,
    key: IdempotencyKey = None,
) -> Response:
    """A cube of another kind from this one, which stays as it is."""
    model = await runtime.generator.identity()
    answer = await _once(
        request, runtime, caller, key, body,
        lambda work: conversions.convert(work, cube_id, body, model=model, by=caller.key_id), 201,
    )  # fmt: skip
    runtime.wakeups.wake(OUTBOX)
    return answer


@router.post("/{cube_id}/promote", status_code=201, response_model=Conversion, responses=problems(404, 409))
async def promote(
    request: Request,
    runtime: RuntimeDep,
    caller: App,
    cube_id: CubeId,
    body: MoveRequest,
    key: IdempotencyKey = None,
) -> Response:
    """Convert toward the faster kind: plaintext, activation, parameter. The source is archived when that is done."""
    return await _move(request, runtime, caller, cube_id, body, key, "promote")


@router.post("/{cube_id}/demote", status_code=201, response_model=Conversion, responses=problems(404, 409))
async def demote(
    request: Request,
    runtime: RuntimeDep,
    caller: App,
    cube_id: CubeId,
    body: MoveRequest,
    key: IdempotencyKey = None,
) -> Response:
    """Convert back to plaintext. The source is archived."""
    return await _move(request, runtime, caller, cube_id, body, key, "demote")


async def _move(
    request: Request,
    runtime: Runtime,
    caller: Principal,
    cube_id: str,
    body: MoveRequest,
    key: str | None,
    direction: conversions.Direction,
) -> Response:
    model = await runtime.generator.identity()
    answer = await _once(
        request, runtime, caller, key, body,
        lambda work: conversions.move(
            work, cube_id, direction, reason=body.reason, model=model, by=caller.key_id
        ), 201,
    )  # fmt: skip
    runtime.wakeups.wake(OUTBOX)
    return answer


@router.get("/{cube_id}/events", responses=problems(404))
async def events(
    runtime: RuntimeDep, caller: Reader, cube_id: CubeId, limit: Limit = 50, cursor: Cursor = None
) -> Page[CubeEvent]:
    """What happened to a cube besides its versions, newest first: only ever added to."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        await service.get(work, cube_id)
        rows = await store.events(work, cube_id=cube_id, before=decode(cursor, "event"), limit=limit + 1)
    return page(rows, limit, "id", service.event_view)


@router.get("/{cube_id}/metadata", responses=problems(404))
async def metadata(runtime: RuntimeDep, caller: Reader, cube_id: CubeId) -> CubeMetadata:
    """What it is, who may see it, how it is used, and where it is from."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        return await service.metadata(work, cube_id)
