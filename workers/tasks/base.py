"""What every task of ours is made of: the one runtime of its process, and the same report whatever the task.

Each process of the pool builds its runtime when its first task needs it, after the fork, and keeps it for all later
ones; nothing of it exists in the process that forks. Refuses to retry: the outbox lease does (see `workers.app`).
"""

from functools import cached_property
from typing import Any

import structlog
from celery import Task
from celery.signals import worker_process_shutdown

from memos.kit.config import Settings
from memos.kit.logs import configure_logs
from workers.beacon import Beacon
from workers.loop import RuntimeLoop

LOG = structlog.get_logger(__name__)


class MemosTask(Task):  # type: ignore[misc]
    """One instance per task and process."""

    abstract = True
    max_retries = 0

    @cached_property
    def loop(self) -> RuntimeLoop:
        """Raises Unavailable while the database is down; the next task tries again."""
        settings = Settings()
        configure_logs(settings)
        return RuntimeLoop(settings, Beacon.from_environment().jobs)

    def on_failure(self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        # Jobs write their own failures down; what arrives here could not be, and its lease brings it back.
        LOG.warning("task.failed", task=self.name, message=task_id, error=type(exc).__name__, reason=str(exc))


@worker_process_shutdown.connect(dispatch_uid="memos-runtime-stop")  # type: ignore[untyped-decorator]
def _stop(**_: Any) -> None:
    from workers.app import app

    for task in app.tasks.values():
        if isinstance(task, MemosTask) and "loop" in vars(task):
            task.loop.close()
