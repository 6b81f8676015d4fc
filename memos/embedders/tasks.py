"""The tasks `embed(scope)` and `reembed(scope)`, and the schedule that finds what needs them.

`embed` makes what lacks a vector have one: of turns, imports, conversions, and whatever was written while the embedder
was away. `reembed` takes a scope from its model to the one in force:

1. The scope's row is told where it goes (`next_embedder`). From here on `embed` makes vectors of both models.
2. Every memory gets a vector of the next model, after everybody who is more urgent. Searches use the old ones.
3. Under the scope's lock: if nothing is lacking, the row is switched, once, and its revision raised, so that every
   index of it is made anew; else 2 goes on. A search that began before ends with the model that it began with.
4. The vectors of the old model are dropped.

Killed anywhere, it goes on from what is stored. Delivered twice, both find the same rows and store them once.
"""

import time
from dataclasses import dataclass
from typing import Literal

import structlog

from memos.embedders import store
from memos.embedders.filling import Filler
from memos.generation.port import EmbedderUnavailable, Generator
from memos.kit.db import Database
from memos.kit.unit_of_work import UnitOfWork
from memos.outbox import store as outbox
from memos.outbox.schedule import Schedule, register

LOG = structlog.get_logger(__name__)
EMBED = "embed"
REEMBED = "reembed"
SCHEDULE = register(Schedule("embeddings", "embeddings", 60.0))
MOST_SCOPES = 500  # that one look queues
DROPPED_AT_ONCE = 1_000
TOLD_S = 1.0


@dataclass(frozen=True, slots=True)
class EmbedTask:
    """One scope: everything that lacks a vector of its model, or of the one that it goes to."""

    filler: Filler

    async def __call__(self, tenant_id: str, scope_id: str) -> Literal["settled"]:
        async with self.filler.database.unit_of_work(tenant_id) as work:
            scope = await store.get(work, scope_id)
        if scope is None:
            return "settled"
        model = scope["embedder"]
        if model is None:
            model = await self._begun(tenant_id, scope_id, (await self.filler.generator.embed([])).model)
        try:
            if await self.filler.newest(tenant_id, scope_id, model, since=scope["embedded_revision"]):
                async with self.filler.database.unit_of_work(tenant_id) as work:
                    await store.mark(work, scope_id, model, scope["revision"])
        except EmbedderUnavailable:
            if not await self._can_move_on(tenant_id, scope_id, model):
                raise
        if scope["next_embedder"] is not None:
            await self.filler.newest(tenant_id, scope_id, scope["next_embedder"], background=True)
        return "settled"

    async def _begun(self, tenant_id: str, scope_id: str, model: str) -> str:
        """The scope's first model: this one, unless somebody was first."""
        async with self.filler.database.unit_of_work(tenant_id) as work:
            scope = await store.lock(work, scope_id)
            if scope is None or scope["embedder"] is not None:
                return model if scope is None else str(scope["embedder"])
            await store.begin_with(work, scope_id, model)
        return model

    async def _can_move_on(self, tenant_id: str, scope_id: str, model: str) -> bool:
        """Its model is gone for good, as it seems; if another one is in force, that is what its memories need."""
        if (await self.filler.generator.embed([])).model == model:
            return False
        async with self.filler.database.unit_of_work(tenant_id) as work:
            await outbox.record(work, task=REEMBED, subject=scope_id, turn_id=None)
        return True


@dataclass(frozen=True, slots=True)
class ReembedTask:
    """One scope, to the model in force."""

    filler: Filler

    async def __call__(self, tenant_id: str, scope_id: str) -> Literal["settled"]:
        target = (await self.filler.generator.embed([])).model
        had = await self._aimed(tenant_id, scope_id, target)
        if had is not None:
            progress = _Progress(self.filler.database, tenant_id, scope_id)
            await progress.begin(target)
            while not await self._switched(tenant_id, scope_id, target, had):
                if not await self._filled(tenant_id, scope_id, target, had, progress):
                    LOG.info("reembed.overtaken", scope_id=scope_id)
                    return "settled"
        await self._drop(tenant_id, scope_id)
        return "settled"

    async def _aimed(self, tenant_id: str, scope_id: str, target: str) -> str | None:
        """The model that the scope comes from; None: it is there, or has nothing to move."""
        async with self.filler.database.unit_of_work(tenant_id) as work:
            scope = await store.lock(work, scope_id)
            if scope is None:
                return None
            if scope["embedder"] is None:
                await store.begin_with(work, scope_id, target)
                await outbox.record(work, task=EMBED, subject=scope_id, turn_id=None)
                return None
            away = scope["embedder"] != target
            if scope["next_embedder"] != (target if away else None):
                await store.aim(work, scope_id, target if away else None)
        return str(scope["embedder"]) if away else None

    async def _filled(self, tenant_id: str, scope_id: str, target: str, had: str, progress: "_Progress") -> bool:
        """False: somebody aims the scope elsewhere meanwhile."""
        if not await self.filler.newest(tenant_id, scope_id, target, background=True, told=progress.more):
            return False
        return await self.filler.earlier(tenant_id, scope_id, target, had=had)

    async def _switched(self, tenant_id: str, scope_id: str, target: str, had: str) -> bool:
        async with self.filler.database.unit_of_work(tenant_id) as work:
            scope = await store.lock(work, scope_id)
            if scope is None or scope["embedder"] == target:
                return True
            if scope["next_embedder"] != target or not await store.whole(work, scope_id, target, had=had):
                return False
            await store.switch(work, scope_id)
        LOG.info("reembed.switched", scope_id=scope_id, embedder=target)
        return True

    async def _drop(self, tenant_id: str, scope_id: str) -> None:
        while True:
            async with self.filler.database.unit_of_work(tenant_id) as work:
                if await store.drop_others(work, scope_id, DROPPED_AT_ONCE) < DROPPED_AT_ONCE:
                    return


class _Progress:
    """What the job's row says of how far it is."""

    def __init__(self, database: Database, tenant_id: str, scope_id: str) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._scope_id = scope_id
        self._done = self._total = 0
        self._told_at = 0.0

    async def begin(self, model: str) -> None:
        async with self._database.unit_of_work(self._tenant_id) as work:
            self._done, self._total = await store.count(work, self._scope_id, model)
        await self._tell()

    async def more(self, stored: int) -> None:
        self._done += stored
        self._total = max(self._total, self._done)
        if time.monotonic() - self._told_at >= TOLD_S or self._done == self._total:
            await self._tell()

    async def _tell(self) -> None:
        self._told_at = time.monotonic()
        async with self._database.unit_of_work(self._tenant_id) as work:
            await store.tell(work, REEMBED, self._scope_id, self._done, self._total)


@dataclass(frozen=True, slots=True)
class FindUnembedded:
    """Of one tenant: scopes that use another model than the one in force, and scopes in which vectors are missing."""

    database: Database
    generator: Generator

    async def __call__(self, tenant_id: str, schedule_id: str) -> Literal["settled"]:
        async with self.database.unit_of_work(tenant_id) as work:
            for scope_id in await store.behind(work, task=EMBED, limit=MOST_SCOPES):
                await outbox.record(work, task=EMBED, subject=scope_id, turn_id=None)
            embedded = await store.models(work)
        if embedded:
            await queue_outdated(self.database, self.generator, tenant_id)
        return "settled"


async def queue_outdated(database: Database, generator: Generator, tenant_id: str) -> None:
    """Has every scope re-embedded that uses another model than the one in force, some at a time."""
    target = (await generator.embed([])).model
    async with database.unit_of_work(tenant_id) as work:
        await record_outdated(work, target)


async def record_outdated(work: UnitOfWork, target: str) -> int:
    """How many scopes are queued."""
    scopes = await store.outdated(work, target, task=REEMBED, limit=MOST_SCOPES)
    for scope_id in scopes:
        await outbox.record(work, task=REEMBED, subject=scope_id, turn_id=None)
    return len(scopes)
