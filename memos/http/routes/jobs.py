"""/v1/jobs"""

from fastapi import APIRouter

from memos.http.deps import Admin, Cursor, JobId, Limit, Reader, RuntimeDep, problems
from memos.jobs import service
from memos.jobs.schemas import Job, JobStatus
from memos.kit.pages import decode, page
from memos.kit.schema import Page
from memos.kit.wakeups import OUTBOX
from memos.outbox import store

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.get("", responses=problems())
async def listing(
    runtime: RuntimeDep, caller: Reader, status: JobStatus | None = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[Job]:
    """Background work, newest first."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        rows = await store.listing(work, status=status, before=decode(cursor, "job"), limit=limit + 1)
    return page(rows, limit, "id", lambda row: Job(**row))


@router.get("/{job_id}", responses=problems(404))
async def get(runtime: RuntimeDep, caller: Reader, job_id: JobId) -> Job:
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        return await service.get(work, job_id)


@router.post("/{job_id}/retry", responses=problems(404, 409))
async def retry(runtime: RuntimeDep, caller: Admin, job_id: JobId) -> Job:
    """Queue a failed job again, with a fresh count of tries."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        job = await service.retry(work, job_id)
        work.after_commit(lambda: runtime.wakeups.wake(OUTBOX))
    return job
