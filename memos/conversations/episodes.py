"""Which turns a conversation holds, and what becomes of their episodes (the memories that turns become) when a rollback
leaves them behind: they are archived, an event says why, and a fork that reaches them brings them back into recall.

Notable choices:

* A turn may be held by several conversations: forks share it and copy nothing. Its episodes stay in recall as long as
  one of them holds it.
* What somebody froze stays as it is, and what somebody else archived is not brought back.
"""

from collections.abc import Collection

from memos.conversations import store
from memos.cubes import changes
from memos.cubes import store as cubes
from memos.kit.unit_of_work import UnitOfWork

LEFT_BEHIND = "its turn was rolled back"
REACHED_AGAIN = "a fork holds its turn"


async def held_turns(work: UnitOfWork, conversation_id: str) -> frozenset[str]:
    """The turns of the present line; while it is being rebuilt for another model, also those still to be taken in."""
    conversation = await store.get_row(work, conversation_id)
    head = await cubes.head(work, conversation_id)
    line = list(await cubes.line(work, head["id"]))
    if (head["turn_seq"] or 0) < conversation["replay_to"]:
        source = await cubes.migrated_from(work, cube_id=head["cube_id"], epoch=conversation["epoch"])
        line += await cubes.line(work, source)
    return frozenset(row["turn_id"] for row in line if row["operation"] == "advance")


async def leave_behind(work: UnitOfWork, conversation_id: str, turn_ids: Collection[str], *, by: str) -> None:
    """Takes the episodes of turns out of recall that no conversation of the family holds any more, `conversation_id`
    having just let go of them."""
    left = set(turn_ids)
    for other in await store.family(work, conversation_id):
        if other != conversation_id and left:
            left -= await held_turns(work, other)
    if left:
        found = await store.lock_episodes(work, sorted(left), lifecycle="activated")
        await store.move_episodes(work, [row["id"] for row in found], to="archived")
        for row in found:
            changes.record(
                work, row["id"], "transition", reason=LEFT_BEHIND, by=by, details={"turn_id": row["turn_id"]},
                of="activated", to="archived",
            )  # fmt: skip


async def bring_back(work: UnitOfWork, turn_ids: Collection[str], *, by: str) -> None:
    """Puts the episodes of turns back into recall that a rollback took out of it."""
    found = [
        row
        for row in await store.lock_episodes(work, sorted(turn_ids), lifecycle="archived")
        if row["reason"] == LEFT_BEHIND
    ]
    await store.move_episodes(work, [row["id"] for row in found], to="activated")
    for row in found:
        changes.record(
            work, row["id"], "transition", reason=REACHED_AGAIN, by=by, details={"turn_id": row["turn_id"]},
            of="archived", to="activated",
        )  # fmt: skip
