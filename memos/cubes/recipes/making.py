"""States that are kept as a recipe: the payload was dropped because replaying its turn gives it again, byte for byte.

Whoever needs such a payload meets `PayloadThinned`, and `Recipes.whole` makes it again and lets the caller start over:
the nearest ancestor whose payload is there, and from it turn after turn, each result checked against the hash that its
version committed to. Nothing else of the version changes, so its place in the chain is what it was.

Notable choices

* A version never changes when it is thinned: the row of its object says so.
* What was made again is kept for an hour, so that a reader who begins now ends in peace.
* What does not come out as it was is refused, loudly, and the recipe stays as it is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog
from sqlalchemy import RowMapping

from memos.cubes.recipes import store
from memos.cubes.versions import PayloadThinned, blob_key
from memos.generation.port import Generator, ModelMismatch, StateRef
from memos.kit.blobs import Blobs
from memos.kit.db import Database
from memos.kit.errors import MemosError

LOG = structlog.get_logger(__name__)
MOST_TURNS = 2_000  # replayed at once
ROUNDS = 8  # of starting over
KEPT_S = 3600.0
T = TypeVar("T")


class CannotRemake(MemosError):
    """A state that is kept as a recipe could not be made again as it was."""

    code = "cannot_remake"
    hint = "Read a later version; `memos doctor` names what of its recipe is missing."


@dataclass(frozen=True, slots=True)
class Recipes:
    database: Database
    generator: Generator
    blobs: Blobs

    async def whole(self, tenant_id: str, call: Callable[[], Awaitable[T]]) -> T:
        """What `call` gives once every payload that it asks for is there. It may be called several times, and must
        leave nothing behind when it raises."""
        for _ in range(ROUNDS):
            try:
                return await call()
            except PayloadThinned as missing:
                await self.remake(str(tenant_id), missing.version_ids)
        return await call()

    async def remake(self, tenant_id: str, version_ids: Sequence[str]) -> None:
        """Puts the payloads of these versions back, and those on the way to them. Raises CannotRemake, ModelMismatch
        for a state of a model that does not serve, ModelUnavailable."""
        for version_id in version_ids:
            async with self.database.unit_of_work(tenant_id) as work:
                line = await store.line(work, version_id, MOST_TURNS)
            await self._replay(tenant_id, version_id, line)

    async def _replay(self, tenant_id: str, version_id: str, line: Sequence[RowMapping]) -> None:
        if not line or line[0]["thinned"]:
            raise CannotRemake(f"nothing is left from which version {version_id} could be made again")
        base, steps = line[0], line[1:]
        serving = (await self.generator.identity()).fingerprint
        if steps and serving != base["fingerprint"]:
            raise ModelMismatch.between(base["fingerprint"], serving)
        state = _ref(base)
        for step in steps:
            state = await self._step(tenant_id, state, step)
        if steps:
            LOG.info("recipes.remade", version_id=version_id, turns=len(steps))

    async def _step(self, tenant_id: str, state: StateRef, step: RowMapping) -> StateRef:
        if step["input"] is None or step["output"] is None:
            raise CannotRemake(f"the turn that made version {step['id']} has no words any more")
        key = blob_key(step["blob_id"])
        for _ in range(ROUNDS):
            made = await self.generator.advance(state, step["input"], step["output"], key)
            if made.sha256 != step["payload_sha256"]:
                await asyncio.to_thread(self.blobs.delete, key)
                raise CannotRemake(f"replaying its turn does not give version {step['id']} any more")
            async with self.database.unit_of_work(tenant_id) as work:
                # Under the row's lock: whoever was about to drop it either has, or finds it wanted.
                await store.lock(work, step["blob_id"])
                if await asyncio.to_thread(self.blobs.size_bytes, key) is not None:
                    await store.wanted(work, step["blob_id"], KEPT_S)
                    return _ref(step)
        raise CannotRemake(f"version {step['id']} is dropped as often as it is made")


def _ref(row: RowMapping) -> StateRef:
    key = None if row["blob_id"] is None else blob_key(row["blob_id"])
    return StateRef(row["fingerprint"], row["payload_sha256"], key)
