"""Begins an epoch whose state is made anew by the ordinary advance task: for another model, or without what was erased.

One appended version stands for it. It is a start state, or restores an older state that is whole; its `converts` edge
names the version whose line is to be taken in again, and `replay_to` the turn up to which (decision 0007).
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import RowMapping

from memos.conversations import store
from memos.cubes import store as cubes
from memos.cubes.versions import Payload, VersionStep, payload_of, version_columns
from memos.generation.port import ModelIdentity
from memos.kit.errors import NotFound
from memos.kit.unit_of_work import UnitOfWork


async def move_to_model(work: UnitOfWork, conversation_id: str, model: ModelIdentity, created_by: str) -> None:
    """Pins a conversation to another model: a new epoch begins, at that model's start state.

    The turns of the present line are then taken in again, in order, by the advance task. Older states stay readable.
    """
    locked = await store.lock(work, conversation_id)
    if locked is None:
        raise NotFound(f"there is no conversation {conversation_id}")
    if locked["fingerprint"] == model.fingerprint:
        return
    head = await cubes.head(work, conversation_id)
    source, replay_to = await _to_take_in(work, locked, head)
    metadata = {"model": model.details, "from": head["fingerprint"]}
    await _begin(work, locked, head, model, None, source, replay_to, created_by, metadata)


async def take_out(
    work: UnitOfWork, locked: RowMapping, model: ModelIdentity, affected: Collection[str], created_by: str
) -> None:
    """Rebuilds a state without the turns that were erased. `affected` are the versions that saw one of them; the newest
    of the line before those is where the new epoch begins, if it is of the model that serves, else its start state."""
    head = await cubes.head(work, locked["id"])
    source, _ = await _to_take_in(work, locked, head)
    line = await cubes.line(work, head["id"])
    kept = await _newest_whole(work, line, affected) if locked["fingerprint"] == model.fingerprint else None
    reached = 0 if kept is None else kept["turn_seq"] or 0
    ahead = [row for row in await cubes.line(work, source) if to_take_in(row, reached)]
    replay_to = max((row["turn_seq"] for row in ahead), default=0)
    metadata = {"model": model.details, "from": head["fingerprint"], "erasure": created_by}
    await _begin(work, locked, head, model, kept, source, replay_to, created_by, metadata)


def to_take_in(row: RowMapping, reached: int) -> bool:
    """Whether a version of an old line stands for a turn that a rebuild has still to take in."""
    return row["operation"] == "advance" and row["turn_seq"] > reached and not row["turn_erased"]


async def _to_take_in(work: UnitOfWork, locked: RowMapping, head: RowMapping) -> tuple[str, int]:
    """The version whose line holds every turn of the state, and up to which turn."""
    if (head["turn_seq"] or 0) < locked["replay_to"]:
        # In the middle of a rebuild: what that one was to take in is still to be taken in.
        source = await cubes.migrated_from(work, cube_id=head["cube_id"], epoch=locked["epoch"])
        return source, locked["replay_to"]
    return head["id"], head["turn_seq"] or 0


async def _newest_whole(work: UnitOfWork, line: Sequence[RowMapping], affected: Collection[str]) -> RowMapping | None:
    for row in line:
        if row["id"] not in affected:
            version = await cubes.version_by_id(work, row["id"])
            if version["payload"] != "erased":
                return version
    return None


async def _begin(
    work: UnitOfWork,
    locked: RowMapping,
    head: RowMapping,
    model: ModelIdentity,
    kept: RowMapping | None,
    source: str,
    replay_to: int,
    created_by: str,
    metadata: dict[str, Any],
) -> None:
    await store.raise_epoch(work, locked["id"], fingerprint=model.fingerprint, replay_to=replay_to)
    start = Payload("start", model.start_sha256, model.start_bytes)
    step = VersionStep(
        cube_id=head["cube_id"],
        operation="migrate",
        payload=start if kept is None else payload_of(kept),
        fingerprint=model.fingerprint,
        conversation_id=locked["id"],
        epoch=locked["epoch"] + 1,
        created_by=created_by,
        turn_seq=None if kept is None else kept["turn_seq"],
        metadata=metadata,
    )
    columns = version_columns(step, head, at=head["moment"])
    cubes.insert_version(work, columns)
    cubes.insert_edge(work, child_id=columns["id"], parent_id=source, relation="converts")
    if kept is not None:
        cubes.insert_edge(work, child_id=columns["id"], parent_id=kept["id"], relation="restores")
    cubes.move_head(
        work, cube_id=head["cube_id"], version_id=columns["id"], number=columns["number"], expected=head["id"]
    )
