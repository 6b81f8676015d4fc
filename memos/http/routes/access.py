"""/v1/cubes/{id}/grants and /v1/tokens"""

from fastapi import APIRouter, Request, Response

from memos.access import service
from memos.access.schemas import Grant, GrantCreate, grant_view
from memos.cubes import store as cubes
from memos.http.deps import (
    App,
    CubeId,
    Cursor,
    GrantId,
    IdempotencyKey,
    Limit,
    Reader,
    RuntimeDep,
    claim_for,
    problems,
)
from memos.http.stored import stored_response
from memos.idempotency.service import once
from memos.keys.schemas import NewToken, TokenCreate
from memos.kit.errors import NotFound
from memos.kit.pages import decode, page
from memos.kit.schema import Page

router = APIRouter()


@router.post(
    "/v1/cubes/{cube_id}/grants", status_code=201, response_model=Grant, responses=problems(404, 409), tags=["grants"]
)
async def create(
    request: Request, runtime: RuntimeDep, caller: App, cube_id: CubeId, body: GrantCreate, key: IdempotencyKey = None
) -> Response:
    """Let a user, an agent or a role read or change a cube. An owner's cube becomes a shared one."""
    return stored_response(
        await once(
            runtime.database,
            caller.tenant_id,
            claim_for(request, runtime, key, body),
            lambda work: service.grant(work, caller.actor, cube_id, body, caller.key_id),
        )
    )


@router.get("/v1/cubes/{cube_id}/grants", responses=problems(404), tags=["grants"])
async def listing(
    runtime: RuntimeDep, caller: Reader, cube_id: CubeId, limit: Limit = 50, cursor: Cursor = None
) -> Page[Grant]:
    """Newest first, those taken back included."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        cube = await cubes.get_cube(work, cube_id)
        if cube is None:
            raise NotFound(f"there is no cube {cube_id}")
        rows = await service.grants(work, caller.actor, cube, before=decode(cursor, "grant"), limit=limit + 1)
    return page(rows, limit, "id", grant_view)


@router.delete("/v1/cubes/{cube_id}/grants/{grant_id}", responses=problems(404), tags=["grants"])
async def revoke(runtime: RuntimeDep, caller: App, cube_id: CubeId, grant_id: GrantId) -> Grant:
    """Take a grant back: the next request is refused."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        return await service.revoke(work, caller.actor, cube_id, grant_id, caller.key_id)


@router.post("/v1/tokens", status_code=201, responses=problems(), tags=["tokens"])
async def make_token(runtime: RuntimeDep, caller: App, body: TokenCreate) -> NewToken:
    """Make a token limited to one user, for a browser. It ends by itself, or with the key that made it."""
    return runtime.keys.token(caller, body)
