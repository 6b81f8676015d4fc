"""/v1/cubes"""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response

from memos.cubes import service, store
from memos.cubes.schemas import Cube, Kind, Lineage, Version, VersionRecord
from memos.cubes.versions import state_ref
from memos.generation.port import ModelMismatch
from memos.http.deps import AsOf, CubeId, Cursor, Limit, Reader, RuntimeDep, ValidAt, problems
from memos.kernel.lifecycle import Lifecycle
from memos.kit.pages import decode, decode_number, page
from memos.kit.schema import Page
from memos.timemachine import service as past
from memos.timemachine.schemas import CubeThen

router = APIRouter(prefix="/v1/cubes", tags=["cubes"])
Number = Annotated[int, Path(ge=0, le=2**31 - 1)]
SAFETENSORS = "application/vnd.safetensors"
TEXT = "text/plain"


@router.get("", responses=problems())
async def listing(
    runtime: RuntimeDep,
    caller: Reader,
    kind: Kind | None = None,
    lifecycle: Lifecycle | None = None,
    user_id: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")] = None,
    conversation_id: Annotated[str | None, Query(pattern=r"^conv_[0-9a-f]{32}$")] = None,
    as_of: AsOf = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Cube] | Page[CubeThen]:
    """Newest first; with `as_of`, those that were there then, as they were."""
    if as_of is not None:
        chosen = {"kind": kind, "lifecycle": lifecycle, "user_id": user_id, "conversation_id": conversation_id}
        return await past.page_then(runtime.database, caller.tenant_id, as_of, cursor=cursor, limit=limit, **chosen)
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        rows = await store.list_cubes(
            work,
            kind=kind,
            lifecycle=lifecycle,
            user_id=user_id,
            conversation_id=conversation_id,
            before=decode(cursor, "cube"),
            limit=limit + 1,
        )
    return page(rows, limit, "id", service.cube_view)


@router.get("/{cube_id}", responses=problems(404))
async def get(
    runtime: RuntimeDep, caller: Reader, cube_id: CubeId, as_of: AsOf = None, valid_at: ValidAt = None
) -> Cube | CubeThen:
    """As it is; with `as_of` or `valid_at`, as it was, with what it said."""
    if as_of is not None or valid_at is not None:
        return await past.cube_then(runtime.database, caller.tenant_id, cube_id, as_of, valid_at)
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        return await service.get(work, cube_id)


@router.get("/{cube_id}/versions", responses=problems(404))
async def versions(
    runtime: RuntimeDep, caller: Reader, cube_id: CubeId, limit: Limit = 50, cursor: Cursor = None
) -> Page[Version]:
    """Newest first."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        await service.get(work, cube_id)
        rows = await store.list_versions(work, cube_id=cube_id, before=decode_number(cursor), limit=limit + 1)
    return page(rows, limit, "number", service.version_view)


@router.get("/{cube_id}/versions/{number}", responses=problems(404))
async def version(runtime: RuntimeDep, caller: Reader, cube_id: CubeId, number: Number) -> VersionRecord:
    """One version, with the health of its memory and the slots that were written."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        return service.record_view(await service.version_row(work, cube_id, number))


@router.get(
    "/{cube_id}/versions/{number}/payload",
    response_class=Response,
    responses={
        200: {
            "content": {
                SAFETENSORS: {"schema": {"type": "string", "format": "binary"}},
                TEXT: {"schema": {"type": "string"}},
            }
        },
        **problems(404, 409),
    },
)
async def payload(runtime: RuntimeDep, caller: Reader, cube_id: CubeId, number: Number) -> Response:
    """The bytes of a version, checked against its hash: safetensors for a state."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        row = await service.version_row(work, cube_id, number)
    if row["payload"] == "text":
        # The service's own bookkeeping: whoever may read may not therefore change the row.
        async with runtime.database.unit_of_work(str(caller.tenant_id)) as work:
            store.note_read(work, cube_id=cube_id, place=caller.key_id)
        return Response(row["content"], media_type=TEXT)
    if row["thinned"]:
        await runtime.recipes.remake(str(caller.tenant_id), [row["id"]])
        async with runtime.database.unit_of_work(caller.tenant_id) as work:
            row = await service.version_row(work, cube_id, number)
    key = state_ref(row).blob_key
    if key is None and row["fingerprint"] != (serving := (await runtime.generator.identity()).fingerprint):
        raise ModelMismatch.between(row["fingerprint"], serving)
    body = (
        await runtime.generator.start_payload() if key is None else await runtime.read_blob(key, row["payload_sha256"])
    )
    return Response(body, media_type=SAFETENSORS, headers={"ETag": f'"{row["payload_sha256"]}"'})


@router.get("/{cube_id}/lineage", responses=problems(404))
async def lineage(
    runtime: RuntimeDep,
    caller: Reader,
    cube_id: CubeId,
    direction: Literal["up", "down", "both"] = "both",
    depth: Annotated[int, Query(ge=1, le=1000)] = 10,
) -> Lineage:
    """What it came from (up) and what came of it (down)."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        return await service.lineage(work, cube_id, direction, depth)
