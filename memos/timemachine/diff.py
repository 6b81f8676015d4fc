"""What differs between two versions of a cube. Texts are compared here; tensors by whoever can read them, the model
worker, so that no tensor passes through this process.
"""

import asyncio
from dataclasses import asdict

from sqlalchemy import RowMapping

from memos.cubes.service import get, version_row
from memos.cubes.versions import blob_key, payload_of, state_ref
from memos.generation.engine import Difference
from memos.generation.port import Generator, TensorsRef
from memos.kernel.difference import text_difference
from memos.kit.db import Database
from memos.kit.errors import Conflict
from memos.timemachine.schemas import CubeDiff, SlotMoved, TensorMoved, TextDiff, TextOperation


class NotComparable(Conflict):
    """The two versions hold things of different kinds."""

    code = "not_comparable"
    hint = "Compare two texts, or two tensors."


async def versions(
    database: Database, generator: Generator, tenant_id: str, cube_id: str, numbers: tuple[int, int], limit: int
) -> CubeDiff:
    """Raises NotFound, PayloadErased, NotComparable; of the generator ModelMismatch, StateUnreadable, ModelUnavailable.
    `limit` bounds the tensors and the slots that are named."""
    async with database.unit_of_work(tenant_id) as work:
        cube = await get(work, cube_id)
        before, after = [await version_row(work, cube_id, number) for number in numbers]
    for row in (before, after):
        payload_of(row)  # refuses what was erased
    made = CubeDiff(
        cube_id=cube_id,
        kind=cube.kind,
        from_version=numbers[0],
        to_version=numbers[1],
        same=before["payload_sha256"] == after["payload_sha256"],
    )
    if before["payload"] == after["payload"] == "text":
        names = tuple(f"version {number}" for number in numbers)
        found = await asyncio.to_thread(text_difference, before["content"], after["content"], (names[0], names[1]))
        made.text = TextDiff(
            unified=found.unified,
            operations=[TextOperation(**asdict(operation)) for operation in found.operations],
            coarse=found.coarse,
        )
        return made
    if "text" in (before["payload"], after["payload"]):
        raise NotComparable(f"version {numbers[0]} holds {before['payload']}, version {numbers[1]} {after['payload']}")
    moved = await _moved(generator, cube.kind, before, after)
    made.tensors = [TensorMoved(**asdict(tensor)) for tensor in moved.tensors[:limit]]
    made.slots = [SlotMoved(**asdict(slot)) for slot in moved.slots[:limit]] if cube.kind == "activation" else None
    return made


async def _moved(generator: Generator, kind: str, before: RowMapping, after: RowMapping) -> Difference:
    if kind == "activation":
        return await generator.diff(state_ref(before), state_ref(after))
    refs = [TensorsRef(row["payload_sha256"], blob_key(row["blob_id"])) for row in (before, after)]
    return await generator.diff_tensors(*refs)
