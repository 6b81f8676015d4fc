"""/v1/users/{user_id}/memory: what was known of a user."""

from fastapi import APIRouter

from memos.http.deps import AsOf, Cursor, Limit, Reader, RuntimeDep, UserOf, problems
from memos.kit.schema import Page
from memos.timemachine import service
from memos.timemachine.schemas import CubeThen

router = APIRouter(prefix="/v1/users", tags=["time machine"])


@router.get("/{user_id:path}/memory", responses=problems())
async def memory(
    runtime: RuntimeDep, caller: Reader, user_id: UserOf, as_of: AsOf = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[CubeThen]:
    """All cubes of a user with what they said, newest first: as they are, or as they were at `as_of`."""
    return await service.page_then(
        runtime.database, caller.tenant_id, as_of, cursor=cursor, limit=limit, user_id=user_id
    )
