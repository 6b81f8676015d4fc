"""/v1/keys and /v1/tenants"""

from fastapi import APIRouter

from memos.http.deps import Admin, Cursor, KeyId, Limit, Operator, RuntimeDep, problems
from memos.keys import store
from memos.keys.schemas import Key, KeyCreate, NewKey, NewTenant, TenantCreate
from memos.kit.pages import decode, page
from memos.kit.schema import Page

router = APIRouter(tags=["keys"])


@router.post("/v1/keys", status_code=201, responses=problems())
async def create(runtime: RuntimeDep, caller: Admin, body: KeyCreate) -> NewKey:
    """Make a key. Its secret is in this answer and nowhere else."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        return await runtime.keys.create(
            work,
            name=body.name,
            scopes=list(body.scopes),
            user_id=body.user_id,
            agent_id=body.agent_id,
            roles=body.roles,
        )


@router.get("/v1/keys", responses=problems())
async def listing(runtime: RuntimeDep, caller: Admin, limit: Limit = 50, cursor: Cursor = None) -> Page[Key]:
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        rows = await store.listing(work, before=decode(cursor, "key"), limit=limit + 1)
    return page(rows, limit, "id", lambda row: Key(**row))


@router.delete("/v1/keys/{key_id}", responses=problems(404))
async def revoke(runtime: RuntimeDep, caller: Admin, key_id: KeyId) -> Key:
    """Revoke a key: the next request with it is refused, in every process."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        return await runtime.keys.revoke(work, key_id)


@router.post("/v1/tenants", status_code=201, responses=problems())
async def create_tenant(runtime: RuntimeDep, caller: Operator, body: TenantCreate) -> NewTenant:
    """Make a tenant with an admin key of its own. Nothing of yours is visible to it, nor the other way round."""
    return await runtime.keys.create_tenant(body, scopes=["admin"])
