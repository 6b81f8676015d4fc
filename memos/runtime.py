"""Everything a process needs, built once from the settings and handed down: the composition root. Both the API and the
workers are made of it; which of its parts they start is up to them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric

from memos.audit import sequencer as audit
from memos.audit.service import subject
from memos.backup import ledger
from memos.chats.service import ChatService
from memos.consolidation.run import ConsolidateTask
from memos.consolidation.service import CONSOLIDATE
from memos.cubes.conversions import CONVERT
from memos.cubes.convert_task import ConvertTask
from memos.cubes.recipes.making import Recipes
from memos.deltas.distil import DistilTask
from memos.deltas.service import DISTIL
from memos.embedders import tasks as embedding
from memos.embedders.filling import Filler
from memos.embedders.service import EmbedderService
from memos.erasure.job import EraseTask
from memos.erasure.receipts import Signer
from memos.erasure.service import ERASE
from memos.generation.in_process import InProcessGenerator
from memos.generation.registry import build_generator
from memos.invariants import collector
from memos.invariants import service as invariants
from memos.invariants.registry import Tools
from memos.keys.bootstrap import secret_bytes
from memos.keys.service import KeyService
from memos.kit.blobs import Blobs
from memos.kit.config import Settings
from memos.kit.db import Database
from memos.kit.errors import StartupError, Unavailable
from memos.kit.in_flight import InFlight
from memos.kit.metrics import Metrics, gauge
from memos.kit.tracing import Tracing
from memos.kit.wakeups import Wakeups
from memos.memories.adding import MemoryWriter
from memos.memories.service import RecallService
from memos.outbox.jobs import JobRunner, Task
from memos.outbox.relay import Dispatcher, InProcessDispatcher, Relay
from memos.outbox.schedule import Scheduler, in_force
from memos.outbox.watchdog import Duty, Watchdog
from memos.policies.run import SWEEP_TASK, PolicyTask, SweepTask
from memos.policies.service import RUN_TASK
from memos.processes.service import ServingProcess
from memos.recall import readings
from memos.turns.advance import AdvanceTask
from memos.turns.reaper import Reaper
from memos.turns.service import ADVANCE, TurnService

LOG = structlog.get_logger(__name__)
CRASH_PAUSE_S = 1.0
DRAIN_TIMEOUT_S = 15.0
CRASHED_FOR_S = 10.0  # how long a crash shows in `Background.status`


class Runtime:
    """The parts of one process. `start` verifies the database and begins listening; `stop` undoes it.
    `on_job_progress` is called whenever a job starts, goes on or ends; `process` names this one in traces."""

    def __init__(
        self, settings: Settings, *, on_job_progress: Callable[[], None] = lambda: None, process: str = "api"
    ) -> None:
        if settings.database_url is None:
            raise StartupError("no database is configured", hint="Run `memos serve`, or set MEMOS_DATABASE_URL.")
        self.settings = settings
        self.database = Database(settings.database_url, pool_size=settings.database_pool_size)
        self.blobs = Blobs(settings.effective_blob_url)
        self.generator = build_generator(settings, self.blobs)
        self.wakeups = Wakeups(self.database, between_processes=settings.redis_url is not None)
        self.keys = KeyService(self.database, secret_bytes(settings))
        self.noted_heads = audit.Noted(self.blobs, self.keys.digest_of)
        self.metrics = Metrics()
        self.recall = RecallService(self.database, self.generator, settings)
        self.memories = MemoryWriter(self.database, self.generator, self.wakeups, self.keys.digest_of, settings)
        self.turns = TurnService(self.database, self.generator, self.wakeups, self.metrics, settings, self.recall)
        self.recipes = Recipes(self.database, self.generator, self.blobs)
        self.chats = ChatService(self.database, self.turns, self.generator, self.wakeups, settings)
        self.tools = Tools(self.database, self.blobs, settings, self.noted_heads)
        self.embedders = EmbedderService(self.database, self.generator, settings.embedder)
        self._in_flight = InFlight()
        filler = Filler(self.database, self.generator, self._in_flight)
        tasks: dict[str, Task] = {
            audit.TASK: audit.SequenceTask(self.database, self.noted_heads),
            ADVANCE: AdvanceTask(self.database, self.generator, self.wakeups, self.metrics),
            CONVERT: ConvertTask(self.database, self.generator),
            DISTIL: DistilTask(self.database, self.generator),
            invariants.SCHEDULE.task: invariants.CheckInvariants(self.tools, self.metrics),
            ledger.SCHEDULE.task: ledger.KeepLedger(self.database, settings),
            collector.SCHEDULE.task: collector.CollectBlobs(self.database, self.blobs, self.metrics, settings),
            RUN_TASK: PolicyTask(self.database, self.generator, self.blobs, self.recipes),
            SWEEP_TASK: SweepTask(self.database),
            CONSOLIDATE: ConsolidateTask(self.database, self.generator),
            embedding.SCHEDULE.task: embedding.FindUnembedded(self.database, self.generator),
            embedding.EMBED: embedding.EmbedTask(filler),
            embedding.REEMBED: embedding.ReembedTask(filler),
        }
        self.signer = Signer(secret_bytes(settings))
        tasks[ERASE] = EraseTask(
            self.database, self.generator, self.blobs, self.wakeups, self.signer, self.keys.digest_of, settings
        )
        for name, task in tasks.items():
            tasks[name] = Supplied(task, self.recipes)
        # What an erasure waits for, in every process; not itself, and not a training, which commits nothing it may not.
        # Of embedding it waits for the batch that is in memory.
        for name in tasks.keys() - {ERASE, DISTIL, embedding.EMBED, embedding.REEMBED}:
            tasks[name] = counted(name, tasks[name], self._in_flight)
        self.process = ServingProcess(self.database, self.wakeups, settings, self._let_go)
        self.schedules = in_force(settings, tasks)
        self.tracing = Tracing.configured(settings, process)
        self.jobs = JobRunner(self.database, tasks, self.wakeups, self.metrics, settings, on_job_progress, self.tracing)
        self.metrics.read_from(self._readings)
        readings.show(self.metrics, lambda: self.recall.figures)
        if isinstance(self.generator, InProcessGenerator):
            self.generator.show(self.metrics)

    async def read_blob(self, key: str, sha256: str) -> bytes:
        """A payload, checked against its hash, read off the event loop."""
        return await asyncio.to_thread(self.blobs.get, key, sha256)

    async def start(self) -> None:
        await self.database.verify()
        await self.wakeups.start()
        await self.process.start()

    async def _let_go(self) -> None:
        """Of states in memory: those that this process computes with, and those of the model worker that answers it."""
        if left := await self._in_flight.left(DRAIN_TIMEOUT_S):
            raise Unavailable(f"jobs that began before are still running: {', '.join(left)}")
        self.recall.forget()
        await self.generator.forget(None)

    def subject_of(self, tenant_id: str, user_id: str) -> str:
        """How erasures and the audit log name a user."""
        return subject(self.keys.digest_of, tenant_id, "user", user_id)

    def _readings(self) -> Iterator[Metric]:
        in_use = "Connections of this process to the database, by state."
        yield gauge("memos_database_connections", in_use, "state", self.database.connections())
        most = self.settings.database_pool_size
        yield GaugeMetricFamily("memos_database_connections_max", "Connections that this process may hold.", most)
        yield GaugeMetricFamily("memos_turns_in_flight", "Turns that this process is answering.", self.turns.running)

    async def stop(self) -> None:
        await self.recall.stop()
        await self.process.stop()
        await self.wakeups.stop()
        await self.generator.aclose()
        await self.database.aclose()
        await asyncio.to_thread(self.tracing.close)


@dataclass(frozen=True, slots=True)
class Supplied:
    """A task that finds the payloads it needs, also those that are kept as recipes: it begins again, as a task may."""

    task: Task
    recipes: Recipes

    async def __call__(self, tenant_id: str, subject_id: str) -> Literal["settled", "waiting"]:
        return await self.recipes.whole(tenant_id, lambda: self.task(tenant_id, subject_id))


def counted(name: str, task: Task, in_flight: InFlight) -> Task:
    async def run(tenant_id: str, subject_id: str) -> Literal["settled", "waiting"]:
        with in_flight.one(name):
            return await task(tenant_id, subject_id)

    return run


class Background:
    """The relay, the reaper, the scheduler and the watchdog over one dispatcher. It is the consumer that the watchdog
    restarts; its duty is to dispatch, and in the embedded placement also to run what it dispatched."""

    def __init__(self, runtime: Runtime, dispatcher: Dispatcher, duty: Duty = "dispatch") -> None:
        self._runtime = runtime
        self._dispatcher = dispatcher
        self.relay = Relay(runtime.database, runtime.wakeups, dispatcher, runtime.settings)
        self._reaper = Reaper(runtime.database, runtime.wakeups, runtime.settings)
        self._scheduler = Scheduler(runtime.database, runtime.wakeups, runtime.schedules, runtime.settings)
        patience_s = runtime.settings.watchdog_idle_s
        self.watchdog = Watchdog(runtime.database, self, runtime.metrics, patience_s=patience_s, duty=duty)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._crashed_at: dict[str, float] = {}

    @classmethod
    def in_process(cls, runtime: Runtime) -> "Background":
        return cls(runtime, InProcessDispatcher(runtime.jobs, runtime.wakeups), "both")

    @property
    def progress(self) -> int:
        return self._runtime.jobs.progress + self.relay.progress

    async def restart(self) -> None:
        await self._end("relay")
        try:
            await self._dispatcher.reset()
        finally:
            self._begin("relay")

    async def take_over(self) -> None:
        """Before `start`, by a process that is alone with its database."""
        await self._reaper.take_over()
        await self._runtime.process.take_over()

    async def start(self) -> None:
        for name in ("relay", "reaper", "scheduler", "watchdog"):
            self._begin(name)

    async def stop(self) -> None:
        for name in ("watchdog", "scheduler", "reaper", "relay"):
            await self._end(name)
        await self._dispatcher.aclose()

    def status(self) -> dict[str, Any]:
        """Not ok while one of its loops keeps crashing."""
        recent = time.monotonic() - CRASHED_FOR_S
        crashed = sorted(name for name, when in self._crashed_at.items() if when > recent)
        return {
            "ok": not crashed,
            "crashed": crashed,
            "dispatched": self.relay.dispatched,
            "watchdog_restarts": self.watchdog.restarts,
        }

    def _begin(self, name: str) -> None:
        loops = {
            "relay": self.relay.run,
            "reaper": self._reaper.run,
            "scheduler": self._scheduler.run,
            "watchdog": self.watchdog.run,
        }
        self._tasks[name] = asyncio.create_task(self._keep(name, loops[name]), name=name)

    async def _keep(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """A loop that ends by a bug is reported and begun again: what it is there for cannot wait for a restart."""
        while True:
            try:
                await loop()
            except Exception:
                LOG.exception("background.crashed", loop=name)
                self._crashed_at[name] = time.monotonic()
            await asyncio.sleep(CRASH_PAUSE_S)

    async def _end(self, name: str) -> None:
        task = self._tasks.pop(name)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
