"""What is known of embedding models: which one is in force, whether those in use are there, how far a switch is."""

import asyncio
import time
from dataclasses import dataclass

from sqlalchemy import RowMapping

from memos.embedders import store
from memos.embedders.schemas import EmbedderStatus, EmbedderSwitch, EmbeddingModel, ModelInUse, Switching
from memos.embedders.tasks import REEMBED, record_outdated
from memos.generation.port import Generator, ModelUnavailable
from memos.kit.db import Database
from memos.kit.unit_of_work import UnitOfWork

ASKED_FOR_S = 10.0  # how long an answer about a model serves
PATIENCE_S = 5.0
MOST_SHOWN = 100


@dataclass(frozen=True, slots=True)
class _Known:
    at: float
    model: str
    reason: str | None


class EmbedderService:
    """One for a process."""

    def __init__(self, database: Database, generator: Generator, configured: str | None) -> None:
        self._database = database
        self._generator = generator
        self._configured = configured or "default"
        self._known: dict[str | None, _Known] = {}

    async def status(self, tenant_id: str) -> EmbedderStatus:
        """Asks for models that are in use, which loads one that is not loaded."""
        async with self._database.unit_of_work(tenant_id) as work:
            models = await store.models(work)
            moving = await store.switching(work, task=REEMBED, limit=MOST_SHOWN)
        force = await self._ask(None)
        in_use = []
        for row in models:
            known = force if row["model"] == force.model else await self._ask(row["model"])
            in_use.append(ModelInUse(**_view(known), scopes=row["scopes"]))
        return EmbedderStatus(
            in_force=EmbeddingModel(**_view(force)),
            in_use=in_use,
            switching=[_switching(row) for row in moving],
            dense_off=any(not model.available for model in in_use),
        )

    async def in_force(self) -> str:
        """The id of the model in force. Raises ModelUnavailable."""
        return (await self._generator.embed([])).model

    async def switch(self, work: UnitOfWork, model: str) -> EmbedderSwitch:
        """Queues what has to be embedded anew for this model, which is the one in force."""
        return EmbedderSwitch(model=model, queued=await record_outdated(work, model))

    async def _ask(self, model: str | None) -> _Known:
        """None: the one in force."""
        known = self._known.get(model)
        if known is not None and time.monotonic() - known.at < ASKED_FOR_S:
            return known
        found, reason = model or self._configured, None
        try:
            async with asyncio.timeout(PATIENCE_S):
                found = (await self._generator.embed([], model)).model
        except ModelUnavailable as error:
            reason = error.message
        except TimeoutError:
            reason = f"no answer in {PATIENCE_S:.0f} s"
        self._known[model] = _Known(time.monotonic(), found, reason)
        return self._known[model]


def _view(known: _Known) -> dict[str, object]:
    return {"model": known.model, "available": known.reason is None, "reason": known.reason}


def _switching(row: RowMapping) -> Switching:
    progress = row["progress"] or {}
    return Switching(
        scope_id=row["scope_id"],
        embedder=row["embedder"],
        next_embedder=row["next_embedder"],
        status=row["status"],
        done=progress.get("done"),
        total=progress.get("total"),
        error=row["error"],
    )
