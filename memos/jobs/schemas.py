"""Background work over REST: each job is a row of the outbox."""

from datetime import datetime
from typing import Any, Literal

from memos.kit.schema import Answer

JobStatus = Literal["queued", "running", "done", "failed"]


class Job(Answer):
    id: str
    task: str
    subject: str
    turn_id: str | None
    status: JobStatus
    dispatches: int
    failures: int
    error: dict[str, Any] | None
    available_at: datetime
    created_at: datetime
    done_at: datetime | None
