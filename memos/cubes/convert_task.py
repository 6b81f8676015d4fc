"""Makes a state from a text: the task `convert(cube)`.

The cube is there already, `generated`, and its newest version says how many pieces of the text it has taken in; each
step takes one more in, computed with no transaction open, and commits only if the newest version is still the one it
began from. So the task may run twice, late, or again after a kill, and goes on where it stopped. With the last piece
the cube becomes `activated`, in the same transaction.
"""

from dataclasses import dataclass
from typing import Literal

import structlog
from sqlalchemy import RowMapping

from memos.cubes import changes, store
from memos.cubes.conversions import retire
from memos.cubes.pieces import pieces_of
from memos.cubes.versions import Payload, blob_key, state_ref, written_column
from memos.generation.port import Advanced, Generator, ModelIdentity, StateUnreadable
from memos.kit.db import Database
from memos.kit.ids import new_id
from memos.kit.unit_of_work import UnitOfWork

LOG = structlog.get_logger(__name__)
CREATED_BY = "task:convert"


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done next: to take `piece` in after `head`."""

    head: RowMapping
    source: RowMapping
    piece: str
    blob_id: str


@dataclass(frozen=True, slots=True)
class ConvertTask:
    database: Database
    generator: Generator

    async def __call__(self, tenant_id: str, cube_id: str) -> Literal["settled", "waiting"]:
        while True:
            model = await self.generator.identity()
            async with self.database.unit_of_work(tenant_id) as work:
                step = await _next_step(work, cube_id, model)
            if step is None:
                return "settled"
            try:
                made = await self.generator.advance(state_ref(step.head), step.piece, "", blob_key(step.blob_id))
            except StateUnreadable as error:
                raise error.of_version(step.head["id"]) from error
            async with self.database.unit_of_work(tenant_id) as work:
                if not await _take(work, cube_id, step, made):
                    LOG.info("convert.dropped", cube_id=cube_id, version_id=step.head["id"])


async def _next_step(work: UnitOfWork, cube_id: str, model: ModelIdentity) -> Step | None:
    """None if nothing is left to do: the cube is made, or is no longer to be."""
    cube = await store.get_cube(work, cube_id)
    if cube is None or cube["lifecycle"] != "generated":
        return None
    head = await store.version_by_id(work, cube["head_version_id"])
    making = head["metadata"]["conversion"]
    began = await store.first_version(work, cube_id)
    sources = await store.parents(work, [began["id"]], ["converts"])
    pieces = pieces_of(sources[0]["content"] or "") if sources else []
    if len(pieces) != making["pieces"]:  # the source was erased meanwhile, and with it what this was to hold
        await changes.transition(
            work, await changes.lock(work, cube_id), "archived", reason="its source is gone", by=CREATED_BY
        )
        return None
    if head["fingerprint"] != model.fingerprint:
        head = await _begin_again(work, cube_id, sources[0]["id"], making, model)
        making = head["metadata"]["conversion"]
    blob_id = new_id("blob")
    store.insert_blob(work, blob_id)
    return Step(head, sources[0], pieces[making["taken"]], blob_id)


async def _begin_again(
    work: UnitOfWork, cube_id: str, source_id: str, making: dict[str, object], model: ModelIdentity
) -> RowMapping:
    """The model was changed meanwhile: what its predecessor took in is of no use to it."""
    return await changes.append(
        work,
        await changes.lock(work, cube_id),
        operation="convert",
        payload=Payload("start", model.start_sha256, model.start_bytes),
        by=CREATED_BY,
        parents=[(source_id, "converts")],
        fingerprint=model.fingerprint,
        metadata={"model": model.details, "conversion": making | {"taken": 0}},
    )


async def _take(work: UnitOfWork, cube_id: str, step: Step, made: Advanced) -> bool:
    """False, and nothing changed, if the cube has moved on."""
    cube = await changes.lock(work, cube_id)
    if cube["lifecycle"] != "generated" or cube["head_version_id"] != step.head["id"]:
        return False
    making = step.head["metadata"]["conversion"]
    taken = making["taken"] + 1
    await changes.append(
        work,
        cube,
        operation="convert",
        payload=Payload("blob", made.sha256, made.size_bytes, blob_id=step.blob_id),
        by=CREATED_BY,
        fingerprint=step.head["fingerprint"],
        relation="advances",
        metadata={"health": made.health, "conversion": making | {"taken": taken}},
        written=written_column(made.written),
    )
    if taken == making["pieces"]:
        await changes.transition(work, await changes.lock(work, cube_id), "activated", reason="made", by=CREATED_BY)
        if making["archive"]:
            await retire(work, step.source["cube_id"], into=cube_id, reason="promote", by=CREATED_BY)
    return True
