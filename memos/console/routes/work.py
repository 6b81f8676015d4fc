"""Background work with retry, and the audit log with its verification."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from memos.console.pages import go, show
from memos.console.routing import ConsoleRoute
from memos.console.session import PATH
from memos.console.visitor import Acting, Visiting
from memos.http.deps import Cursor, JobId
from memos.http.routes import audit, jobs
from memos.kit.schema import WITHOUT_NUL

router = APIRouter(prefix=PATH, route_class=ConsoleRoute, include_in_schema=False)
PER_PAGE = 50
MOST_LINKS = 50_000
STATUSES = ("queued", "running", "failed", "done")
Word = Annotated[str | None, Query(max_length=200, pattern=WITHOUT_NUL)]


@router.get("/jobs")
async def job_list(
    request: Request,
    visitor: Visiting,
    status: Annotated[str | None, Query(pattern="^(|queued|running|done|failed)$")] = None,
    cursor: Cursor = None,
) -> Response:
    chosen: Any = status or None
    page = await visitor.call(jobs.listing, status=chosen, limit=PER_PAGE, cursor=cursor)
    return show(request, "jobs.html", page=page, status=chosen, statuses=STATUSES)


@router.get("/jobs/{job_id}")
async def job(request: Request, visitor: Visiting, job_id: JobId) -> Response:
    found = await visitor.call(jobs.get, job_id=job_id)
    return show(request, "job.html", job=found)


@router.post("/jobs/{job_id}/retry")
async def retry(visitor: Acting, job_id: JobId) -> Response:
    await visitor.call(jobs.retry, job_id=job_id)
    return go(f"{PATH}/jobs/{job_id}", "retried")


@router.get("/audit")
async def log(
    request: Request,
    visitor: Visiting,
    kind: Annotated[str | None, Query(pattern="^(|read|change)$")] = None,
    action: Word = None,
    actor: Word = None,
    subject: Word = None,
    user_id: Word = None,
    cursor: Cursor = None,
) -> Response:
    chosen: Any = {
        "kind": kind or None,
        "action": action or None,
        "actor": actor or None,
        "subject": subject or None,
        "user_id": user_id or None,
    }
    page = await visitor.call(audit.listing, limit=PER_PAGE, cursor=cursor, **chosen)
    return show(request, "audit.html", page=page, chosen=chosen)


@router.get("/audit/verify")
async def verify(
    request: Request,
    visitor: Visiting,
    after: Annotated[str | None, Query(pattern=f"^{audit.PLACE}$")] = None,
) -> Response:
    found = await visitor.call(audit.verification, after=after, most=MOST_LINKS)
    part = request.headers.get("hx-request") is not None
    return show(request, "_chain.html" if part else "chain.html", found=found)
