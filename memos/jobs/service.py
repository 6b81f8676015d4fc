"""Reads background work and lets an admin retry what failed."""

from memos.jobs.schemas import Job
from memos.kit.errors import Conflict, NotFound
from memos.kit.unit_of_work import UnitOfWork
from memos.outbox import store


class JobNotFailed(Conflict):
    """Only a failed job can be retried."""

    code = "job_not_failed"
    hint = "A queued or running job is retried by itself; a done one needs nothing."


async def get(work: UnitOfWork, job_id: str) -> Job:
    row = await store.get(work, job_id)
    if row is None:
        raise NotFound(f"there is no job {job_id}")
    return Job(**row)


async def retry(work: UnitOfWork, job_id: str) -> Job:
    if not await store.retry(work, job_id):
        job = await get(work, job_id)
        raise JobNotFailed(f"job {job_id} is {job.status}")
    return await get(work, job_id)
