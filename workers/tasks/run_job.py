"""The one task: run one job of the outbox, by the same runner as the embedded placement."""

from memos.kit.doors import ClaimedJob
from workers.app import app
from workers.tasks.base import MemosTask


@app.task(bind=True, base=MemosTask, name="memos.run_job")  # type: ignore[untyped-decorator]
def run_job(self: MemosTask, job_id: str, tenant_id: str, task: str, subject: str) -> None:
    """Ids only. May run twice, late or out of order."""
    self.loop.run(ClaimedJob(job_id, tenant_id, task, subject))
