"""Background work over REST: each job is a row of the outbox."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from memos.kit.schema import Answer

JobStatus = Literal["queued", "running", "done", "failed"]


class JobProgress(Answer):
    done: int
    total: int


class Job(Answer):
    id: str
    task: str
    subject: str
    turn_id: str | None
    status: JobStatus
    dispatches: int
    failures: int
    error: dict[str, Any] | None
    progress: JobProgress | None = Field(description="Of a job that can tell how far it is, as it last told.")
    available_at: datetime
    created_at: datetime
    done_at: datetime | None
