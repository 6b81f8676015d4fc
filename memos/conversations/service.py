"""Conversations: begin one, roll one back, fork one. Each has exactly one state cube, whose line is never broken:
a rollback appends a version that restores an older state, a fork starts a new line from one.
"""

from collections.abc import Sequence

from sqlalchemy import RowMapping

from memos.conversations import episodes, store
from memos.conversations.schemas import (
    Conversation,
    ConversationCreate,
    ForkRequest,
    Origin,
    RollbackRequest,
    RolledBack,
)
from memos.cubes import changes
from memos.cubes import store as cubes
from memos.cubes.versions import Payload, VersionStep, payload_of, version_columns
from memos.generation.port import ModelIdentity
from memos.idempotency import store as keys
from memos.kit.errors import Conflict, NotFound
from memos.kit.ids import new_id
from memos.kit.unit_of_work import UnitOfWork
from memos.outbox import store as outbox
from memos.turns import store as turns


class NoSuchTurn(Conflict):
    """The conversation has no state after that turn."""

    code = "no_such_turn"
    hint = "Use the seq of a turn listed by GET /v1/conversations/{id}/turns whose status is applied, or 0."


class TurnNotApplied(Conflict):
    """That turn is not in the memory yet."""

    code = "turn_not_applied"
    hint = "Wait as Retry-After says and try again, or go back to an earlier turn."
    retry_after_s = 1.0


def view(row: RowMapping) -> Conversation:
    columns = dict(row)
    parent, seq = columns.pop("parent_id"), columns.pop("parent_seq")
    return Conversation(**columns, forked_from=Origin(conversation_id=parent, at_turn=seq) if parent else None)


async def get(work: UnitOfWork, conversation_id: str) -> Conversation:
    row = await store.get(work, conversation_id)
    if row is None:
        raise NotFound(f"there is no conversation {conversation_id}")
    return view(row)


async def create(work: UnitOfWork, wanted: ConversationCreate, model: ModelIdentity, created_by: str) -> Conversation:
    conversation_id, cube_id = new_id("conv"), new_id("cube")
    await store.insert(
        work,
        id=conversation_id,
        user_id=wanted.user_id,
        agent_id=wanted.agent_id,
        title=wanted.title,
        metadata=wanted.metadata,
        fingerprint=model.fingerprint,
        next_seq=1,
        parent_id=None,
        parent_seq=None,
    )
    first = VersionStep(
        cube_id=cube_id,
        operation="create",
        payload=Payload("start", model.start_sha256, model.start_bytes),
        fingerprint=model.fingerprint,
        conversation_id=conversation_id,
        epoch=0,
        created_by=created_by,
        metadata={"model": model.details},
    )
    await _begin_line(work, first, wanted.user_id, wanted.agent_id)
    return await get(work, conversation_id)


async def rollback(work: UnitOfWork, conversation_id: str, wanted: RollbackRequest, created_by: str) -> RolledBack:
    """Appends a version that restores the state after `to_turn`, in a new epoch; later turns become superseded. Raises
    CubeFrozen or NotLive for a state that takes nothing more in."""
    locked = await _locked(work, conversation_id)
    await open_state(work, conversation_id, by=created_by)
    head = await cubes.head(work, conversation_id)
    await _refuse_pending(work, locked, head, wanted.to_turn)
    line = await cubes.line(work, head["id"])
    target = await _on_line(work, line, locked, wanted.to_turn)
    if target is None:
        raise NoSuchTurn(f"turn {wanted.to_turn} is not in this conversation's present line; a fork may reach it")
    await store.raise_epoch(work, conversation_id, fingerprint=target["fingerprint"], replay_to=0)
    superseded = await turns.supersede_after(
        work, conversation_id=conversation_id, seq=wanted.to_turn, epoch=locked["epoch"]
    )
    await outbox.done_for_turns(work, superseded)
    await keys.release(work, superseded)
    step = VersionStep(
        cube_id=head["cube_id"],
        operation="rollback",
        payload=payload_of(target),
        fingerprint=target["fingerprint"],
        conversation_id=conversation_id,
        epoch=locked["epoch"] + 1,
        created_by=created_by,
        turn_seq=target["turn_seq"],
        metadata={"to_turn": wanted.to_turn},
    )
    columns = version_columns(step, head, at=head["moment"])
    cubes.insert_version(work, columns)
    cubes.insert_edge(work, child_id=columns["id"], parent_id=head["id"], relation="revises")
    cubes.insert_edge(work, child_id=columns["id"], parent_id=target["id"], relation="restores")
    cubes.move_head(
        work, cube_id=head["cube_id"], version_id=columns["id"], number=columns["number"], expected=head["id"]
    )
    # A fork also leaves behind turns that it shares with its parent, whose rows are not its own to mark.
    left = {row["turn_id"] for row in line if row["operation"] == "advance" and row["turn_seq"] > wanted.to_turn}
    await episodes.leave_behind(work, conversation_id, left.union(superseded), by=created_by)
    return RolledBack(conversation=await get(work, conversation_id), superseded_turns=len(left.union(superseded)))


async def open_state(work: UnitOfWork, conversation_id: str, *, by: str) -> None:
    """Makes a conversation's state ready for what is to come, or refuses it before anything is generated: an archived
    one is activated again, and an event says by whom. Raises CubeFrozen or NotLive. Call it holding the conversation's
    lock."""
    state = await cubes.state_of(work, conversation_id)
    if state["lifecycle"] == "archived" and not state["frozen"]:
        cube = await changes.lock(work, state["id"])
        await changes.transition(work, cube, "activated", reason="its conversation goes on", by=by)
    else:
        changes.refuse_unchangeable(state)


async def fork(work: UnitOfWork, conversation_id: str, wanted: ForkRequest, created_by: str) -> Conversation:
    """A new conversation whose state and history begin after `at_turn`; no turn is copied, both then diverge."""
    locked = await _locked(work, conversation_id)
    source = await get(work, conversation_id)
    head = await cubes.head(work, conversation_id)
    await _refuse_pending(work, locked, head, wanted.at_turn)
    target = await _on_line(work, await cubes.line(work, head["id"]), locked, wanted.at_turn)
    if target is None:
        target = await cubes.left_behind(work, conversation_id=conversation_id, seq=wanted.at_turn)
    if target is None:  # a fork that went back behind the place where it began
        began = await cubes.first_version(work, head["cube_id"])
        target = await _on_line(work, await cubes.line(work, began["id"]), locked, wanted.at_turn)
    if target is None:
        raise NoSuchTurn(f"conversation {conversation_id} has no state after turn {wanted.at_turn}")
    fork_id = new_id("conv")
    await store.insert(
        work,
        id=fork_id,
        user_id=source.user_id,
        agent_id=source.agent_id,
        title=wanted.title or source.title,
        metadata=wanted.metadata,
        fingerprint=target["fingerprint"],
        next_seq=wanted.at_turn + 1,
        parent_id=conversation_id,
        parent_seq=wanted.at_turn,
    )
    first = VersionStep(
        cube_id=new_id("cube"),
        operation="fork",
        payload=payload_of(target),
        fingerprint=target["fingerprint"],
        conversation_id=fork_id,
        epoch=0,
        created_by=created_by,
        turn_seq=target["turn_seq"],
        metadata={"at_turn": wanted.at_turn},
    )
    version_id = await _begin_line(work, first, source.user_id, source.agent_id)
    cubes.insert_edge(work, child_id=version_id, parent_id=target["id"], relation="forks")
    await episodes.bring_back(work, await episodes.held_turns(work, fork_id), by=created_by)
    return await get(work, fork_id)


async def _begin_line(work: UnitOfWork, first: VersionStep, user_id: str, agent_id: str | None) -> str:
    columns = version_columns(first, None, at=await cubes.now(work))
    cubes.insert_cube(
        work,
        id=first.cube_id,
        kind="activation",
        user_id=user_id,
        agent_id=agent_id,
        conversation_id=first.conversation_id,
        head_version_id=columns["id"],
    )
    cubes.insert_version(work, columns)
    details = {"conversation_id": first.conversation_id}
    changes.record(
        work, first.cube_id, "create", reason=f"conversation: {first.operation}", by=first.created_by,
        details=details, to="activated",
    )  # fmt: skip
    return str(columns["id"])


async def _locked(work: UnitOfWork, conversation_id: str) -> RowMapping:
    row = await store.lock(work, conversation_id)
    if row is None:
        raise NotFound(f"there is no conversation {conversation_id}")
    return row


async def _refuse_pending(work: UnitOfWork, conversation: RowMapping, head: RowMapping, seq: int) -> None:
    rebuilding = (head["turn_seq"] or 0) < min(seq, conversation["replay_to"])
    if rebuilding or await turns.pending_up_to(work, conversation_id=conversation["id"], seq=seq):
        raise TurnNotApplied(f"turn {seq} or one before it is still being taken in")


async def _on_line(
    work: UnitOfWork, line: Sequence[RowMapping], conversation: RowMapping, seq: int
) -> RowMapping | None:
    """The version that holds the line up to turn `seq`; None if the line has no such turn."""
    if seq >= conversation["next_seq"]:
        return None
    if seq and not any(row["turn_seq"] == seq and row["operation"] == "advance" for row in line):
        return None
    for row in line:
        if (row["turn_seq"] or 0) <= seq and row["operation"] in ("advance", "create", "migrate"):
            version = await cubes.version_by_id(work, row["id"])
            return None if version["payload"] == "erased" else version
    return None
