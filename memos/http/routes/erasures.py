"""/v1/erasures"""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from memos.erasure import service, store
from memos.erasure.schemas import Erasure, ErasureCreate, ErasureItem, ReceiptCheck, ReceiptChecked
from memos.http.deps import Admin, Cursor, ErasureId, IdempotencyKey, Limit, RuntimeDep, claim_for, problems
from memos.http.stored import stored_response
from memos.idempotency.service import once
from memos.kit.pages import decode, decode_place, encode
from memos.kit.schema import Page
from memos.kit.wakeups import OUTBOX

router = APIRouter(prefix="/v1/erasures", tags=["erasures"])


@router.post("", status_code=202, response_model=Erasure, responses=problems(404, 409))
async def create(
    request: Request, runtime: RuntimeDep, caller: Admin, body: ErasureCreate, key: IdempotencyKey = None
) -> Response:
    """Erase what is named and everything that came of it, or with `dry_run` say what that would be."""
    answer = await once(
        runtime.database,
        caller.tenant_id,
        claim_for(request, runtime, key, body),
        lambda work: service.request(work, body, caller.key_id, runtime.subject_of),
        status=202,
    )
    runtime.wakeups.wake(OUTBOX)
    return stored_response(answer)


@router.get("", responses=problems())
async def listing(runtime: RuntimeDep, caller: Admin, limit: Limit = 50, cursor: Cursor = None) -> Page[Erasure]:
    """Newest first, dry runs included."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        rows = await store.listing(work, before=decode(cursor, "erase"), limit=limit + 1)
        shown = [await service.view(work, row) for row in rows[:limit]]
    return Page(items=shown, next_cursor=encode(rows[limit - 1]["id"]) if len(rows) > limit else None)


@router.post("/verify", responses=problems())
async def verify(runtime: RuntimeDep, caller: Admin, body: ReceiptCheck) -> ReceiptChecked:
    """Check a receipt: its signatures, that nothing it names is left, and that every chain is whole."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        return await service.check(work, runtime.blobs, runtime.keys.digest_of, runtime.signer, body.receipt)


@router.get("/{erasure_id}", responses=problems(404))
async def get(runtime: RuntimeDep, caller: Admin, erasure_id: ErasureId) -> Erasure:
    """Where it stands, what it reaches, and its receipt."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        return await service.get(work, erasure_id)


@router.get("/{erasure_id}/items", responses=problems(404))
async def items(
    runtime: RuntimeDep,
    caller: Admin,
    erasure_id: ErasureId,
    of: Annotated[str | None, Query(max_length=50, pattern=r"^[a-z_]*$", description="Of one store only.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ErasureItem]:
    """Everything that is reached, each with why; by store and id."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        await service.get(work, erasure_id)
        rows = await store.items(work, erasure_id, store=of, after=decode_place(cursor), limit=limit + 1)
    more = encode(f"{rows[limit - 1]['store']} {rows[limit - 1]['id']}") if len(rows) > limit else None
    return Page(items=[service.item_view(row) for row in rows[:limit]], next_cursor=more)
