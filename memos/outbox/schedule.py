"""What runs by itself: a task that every tenant needs again and again.

A feature registers a `Schedule` while its module loads. The scheduler, a background loop beside the relay, looks at
every tenant and queues the job of each schedule that is due and whose last job has ended. Any number of processes may
look: a schedule has one row in Postgres, whoever moves its `last_at` has the row's lock, and the job is queued in the
same statement, so that each run is queued once and a process that dies in between has queued nothing.

Notable choices:

* A schedule has one job for ever (`outbox.schedule_id` is unique), which is queued anew each time: a table of jobs that
  grows with time would be nobody's to clear. A job that failed for good is tried again when its schedule is next due.
* A run that takes longer than the interval is followed by one more, not by as many as it missed; nor does a service
  that was down for a week catch up.
* A new tenant's first run is one interval after it was first seen: there is nothing to check in an empty house.

The task is called as any other, with the tenant and a subject, which here is the schedule's own id.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import structlog

from memos.kit.config import Settings
from memos.kit.db import Database
from memos.kit.doors import tenant_ids
from memos.kit.errors import StartupError, Unavailable
from memos.kit.wakeups import OUTBOX, Wakeups
from memos.outbox import store

LOG = structlog.get_logger(__name__)
SCHEDULES: dict[str, "Schedule"] = {}


@dataclass(frozen=True, slots=True)
class Schedule:
    """`task` is one of the runtime's tasks; it is queued for every tenant once per `every_s`."""

    name: str
    task: str
    every_s: float


def register(schedule: Schedule) -> Schedule:
    """To be called while the module that brings the task loads."""
    if SCHEDULES.setdefault(schedule.name, schedule) != schedule:
        raise ValueError(f"there are two schedules called {schedule.name}")
    return schedule


def in_force(settings: Settings, tasks: Collection[str]) -> dict[str, Schedule]:
    """The registered schedules at the intervals that are configured. Raises StartupError for a name that is none."""
    unknown = sorted(settings.schedule_every_s.keys() - SCHEDULES.keys())
    if unknown:
        raise StartupError(
            f"there is no schedule {unknown[0]!r}", hint=f"schedule_every_s may name {', '.join(sorted(SCHEDULES))}."
        )
    chosen = {}
    for name, schedule in SCHEDULES.items():
        if schedule.task not in tasks:
            raise ValueError(f"schedule {name} wants the task {schedule.task}, which nobody brings")
        every_s = settings.schedule_every_s.get(name, schedule.every_s)
        if every_s > 0:
            chosen[name] = replace(schedule, every_s=every_s)
    return chosen


class Scheduler:
    """Looks for what is due once per `schedule_poll_s`."""

    def __init__(
        self, database: Database, wakeups: Wakeups, schedules: Mapping[str, Schedule], settings: Settings
    ) -> None:
        self._database = database
        self._wakeups = wakeups
        self._schedules = list(schedules.values())
        self._every_s = settings.schedule_poll_s

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            if self._every_s and self._schedules:
                try:
                    await self.look()
                except Unavailable as error:
                    LOG.warning("scheduler.unavailable", reason=error.message)
            await asyncio.sleep(self._every_s or 60.0)

    async def look(self) -> int:
        """How many jobs were queued."""
        queued = 0
        for tenant_id in await tenant_ids(self._database):
            async with self._database.unit_of_work(tenant_id) as work:
                queued += await store.queue_due(work, [(s.name, s.task, s.every_s) for s in self._schedules])
        if queued:
            self._wakeups.wake(OUTBOX)
        return queued
