"""What happens to a job whose task ended in an error. The rule, in full:

* **Transient** errors are those a wait can mend without a hand: whatever is `Unavailable` (the database, the model
  worker, the blob store is down or full), except a state that is there and cannot be read. They never count as a failed
  try. The job is tried again after a delay that doubles from half a second to ten, so an outage of any length up to a
  day leaves no failed job behind, and a mended part is in use again within 10 s: sooner than a turn that waits for the
  memory gives up. Meanwhile `/v1/jobs` shows the job as queued, with the error, `transient: true`, how many tries and
  since when. After a day without one good try the job is failed all the same: nobody is coming.
* **Lasting** errors say something about the job itself: a damaged or missing state, another model, a bug. Each counts.
  After `job_max_attempts` of them (8; about half a minute) the job is `failed`, keeps its error, and waits for an
  admin, for a rollback of its conversation, or for its conversation's move to another model. Later jobs of the same
  subject wait behind it, since they could not succeed.
* A worker that goes silent in the middle of a job counts as a lasting error of that job: one that kills its worker
  each time must not do so for ever.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from memos.generation.port import StateUnreadable
from memos.kit.blobs import BlobCorrupt, BlobMissing
from memos.kit.errors import MemosError, Unavailable

UNREADABLE = (StateUnreadable, BlobMissing, BlobCorrupt)
FIRST_DELAY_S = 0.25
MOST_DELAY_S = 60.0
TRANSIENT_FIRST_DELAY_S = 0.5
TRANSIENT_MOST_DELAY_S = 10.0
TRANSIENT_FOR = timedelta(days=1)


class WorkerLost(MemosError):
    """The worker that ran this job went silent, again and again."""

    code = "worker_lost"
    hint = "Look at what killed the workers (memory, a crash), then retry the job."


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to write into the job's row."""

    status: Literal["queued", "failed"]
    counted: bool
    delay_s: float
    error: dict[str, Any]


def is_transient(error: Exception) -> bool:
    return isinstance(error, Unavailable) and not isinstance(error, UNREADABLE)


def judge(
    error: Exception, *, failures: int, previous: dict[str, Any] | None, most_attempts: int, now: datetime | None = None
) -> Verdict:
    """`failures` and `previous` (its error) are what the row holds from earlier tries."""
    problem = error.problem() if isinstance(error, MemosError) else MemosError(type(error).__name__).problem()
    if not is_transient(error):
        tries = failures + 1
        delay_s = min(MOST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(failures, 16))
        status: Literal["queued", "failed"] = "failed" if tries >= most_attempts else "queued"
        return Verdict(status, True, delay_s, problem | {"transient": False})
    now = now or datetime.now(UTC)
    before = previous if previous and previous.get("transient") else {}
    tries, since = int(before.get("tries", 0)) + 1, str(before.get("since", now.isoformat()))
    delay_s = min(TRANSIENT_MOST_DELAY_S, TRANSIENT_FIRST_DELAY_S * 2.0 ** min(tries - 1, 16))
    too_long = now - datetime.fromisoformat(since) >= TRANSIENT_FOR
    return Verdict(
        "failed" if too_long else "queued",
        False,
        delay_s,
        problem | {"transient": True, "tries": tries, "since": since},
    )
