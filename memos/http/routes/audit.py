"""/v1/audit"""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from memos.audit import store
from memos.audit.schemas import AuditEntry, AuditVerification, Kind
from memos.audit.service import subject as subject_of
from memos.audit.verification import PLACE, place, verify
from memos.http.deps import Admin, Cursor, Limit, RuntimeDep, problems
from memos.kit.pages import decode, page
from memos.kit.schema import WITHOUT_NUL, Moment, Page

router = APIRouter(prefix="/v1/audit", tags=["audit"])


def _text(description: str) -> Any:
    return Query(max_length=200, pattern=WITHOUT_NUL, description=description)


Actor = Annotated[str | None, _text("The id of a key, a task, or a digest.")]
Action = Annotated[str | None, _text("As entries name it.")]
Subject = Annotated[str | None, _text("An id, or a digest.")]
UserId = Annotated[str | None, _text("A user of yours: what names them, or touched what is theirs.")]
Since = Annotated[Moment | None, Query(description="From this moment on.")]
Until = Annotated[Moment | None, Query(description="Before this moment.")]

After = Annotated[str | None, Query(pattern=f"^{PLACE}$", description="SEQ:HASH of a `head` that you trust.")]


@router.get("", responses=problems())
async def listing(
    runtime: RuntimeDep,
    caller: Admin,
    kind: Kind | None = None,
    actor: Actor = None,
    action: Action = None,
    subject: Subject = None,
    user_id: UserId = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[AuditEntry]:
    """Who read and who changed what, newest first."""
    digest = None if user_id is None else subject_of(runtime.keys.digest_of, caller.tenant_id, "user", user_id)
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        rows = await store.listing(
            work,
            kind=kind,
            actor=actor,
            action=action,
            subject=subject,
            user_id=user_id,
            user_digest=digest,
            since=since,
            until=until,
            before=decode(cursor, "audit"),
            limit=limit + 1,
        )
    return page(rows, limit, "id", lambda row: AuditEntry(**row))


@router.get("/verify", responses=problems())
async def verification(
    runtime: RuntimeDep,
    caller: Admin,
    after: Annotated[
        str | None, Query(pattern=f"^{PLACE}$", description="SEQ:HASH of a `head` that you trust.")
    ] = None,
    most: Annotated[int, Query(ge=1, le=200_000, description="Links to check in this call.")] = 50_000,
) -> AuditVerification:
    """Walk the chain: the first place at which it is not whole, and the rows that are not in it yet."""
    return await verify(runtime.database, runtime.noted_heads, caller.tenant_id, after=place(after), most=most)
