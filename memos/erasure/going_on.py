"""What stays goes on: a conversation in an epoch without what was erased, a cube from its newest version that is whole.

Erasure goes before being frozen: what holds something erased is thawed, and an event says by which erasure.
"""

from memos.conversations import store as conversations
from memos.conversations.epochs import take_out
from memos.cubes import changes
from memos.cubes import store as cubes
from memos.cubes.versions import VersionStep, payload_of, version_columns
from memos.erasure import store
from memos.erasure.stores import store as reached
from memos.generation.port import ModelIdentity
from memos.kit.unit_of_work import UnitOfWork
from memos.outbox import store as outbox
from memos.turns.service import ADVANCE


async def go_on(work: UnitOfWork, erasure_id: str, conversation_id: str, model: ModelIdentity) -> None:
    """Lets a conversation go. If its state had seen anything erased, the advance task makes it anew (decision 0007)."""
    locked = await conversations.lock_held(work, conversation_id)
    await store.release_conversation(work, erasure_id, conversation_id)
    if locked is None or locked["erased_by"] is not None:
        return
    affected = set(await reached.planned(work, erasure_id, "versions"))
    head = await cubes.head(work, conversation_id)
    if head["id"] in affected or (head["turn_seq"] or 0) < locked["replay_to"]:
        if await store.thaw(work, head["cube_id"]):
            changes.record(work, head["cube_id"], "unfreeze", reason="an erasure rebuilds it", by=erasure_id)
        await take_out(work, locked, model, affected, erasure_id)
    await outbox.record(work, task=ADVANCE, subject=conversation_id, turn_id=None)
    await outbox.nudge(work, conversation_id)


async def go_back(work: UnitOfWork, erasure_id: str, cube_id: str, version_id: str) -> None:
    """Appends to a cube that lost its newest versions one that restores an older one, whatever its lifecycle."""
    await store.release_cube(work, erasure_id, cube_id)
    if await store.thaw(work, cube_id):
        changes.record(work, cube_id, "unfreeze", reason="an erasure takes it back", by=erasure_id)
    cube = await changes.lock(work, cube_id)
    head, kept = [await cubes.version_by_id(work, version) for version in (cube["head_version_id"], version_id)]
    if head["payload"] != "erased":
        return  # done already
    step = VersionStep(
        cube_id=cube_id,
        operation="rollback",
        payload=payload_of(kept),
        created_by=erasure_id,
        fingerprint=kept["fingerprint"],
        metadata={**kept["metadata"], "to_version": kept["number"]},
        valid_from=kept["valid_from"],
        valid_to=kept["valid_to"],
    )
    columns = version_columns(step, head, at=head["moment"])
    cubes.insert_version(work, columns)
    cubes.insert_edge(work, child_id=columns["id"], parent_id=head["id"], relation="revises")
    cubes.insert_edge(work, child_id=columns["id"], parent_id=kept["id"], relation="restores")
    cubes.move_head(work, cube_id=cube_id, version_id=columns["id"], number=columns["number"], expected=head["id"])
