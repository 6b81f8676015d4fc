"""Makes one memory of two that went their own ways: what another conversation was told since both were one comes into
this one. The other is not changed.

How is chosen by name from `STRATEGIES`:

* `replay` keeps facts. The other's turns are taken over as turns of this conversation and go into its state one by one,
  by the ordinary advance task; each such version is linked to the other's by `merges`. They survive a change of model.
* `average` is one computation whatever the number of turns: slot by slot the mean of both states, weighted by how far
  each drifted from their common ancestor. Where both wrote into one slot, facts blur; no turn is taken over, so a state
  that is rebuilt for another model, or without an erased turn, has only this conversation's own.

A turn is taken over once: it remembers which turn it was first said as, through any number of merges.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import RowMapping

from memos.conversations import service as conversations
from memos.conversations import store as conversation_rows
from memos.conversations.schemas import Conversation
from memos.conversations.service import TurnNotApplied
from memos.cubes import store as cubes
from memos.cubes.changes import HeadMoved
from memos.cubes.versions import Payload, VersionStep, blob_key, state_ref, version_columns
from memos.generation.port import Advanced, Generator, ModelIdentity, ModelMismatch, StateRef
from memos.idempotency.service import Claim, StoredAnswer, answered, once
from memos.kit.db import Database
from memos.kit.errors import Conflict, NotFound
from memos.kit.ids import new_id
from memos.kit.unit_of_work import UnitOfWork
from memos.outbox import store as outbox
from memos.timemachine.schemas import MergeRequest, StatesMerged
from memos.turns import store as turns
from memos.turns.service import ADVANCE


class NothingToMerge(Conflict):
    """This conversation holds every turn of the other already."""

    code = "nothing_to_merge"
    hint = "Say something in the other conversation first."


class OtherUser(Conflict):
    """The two conversations belong to different users."""

    code = "other_user"
    hint = "Memories of different users are not merged; import the turns that both may know."


@dataclass(frozen=True, slots=True)
class Sides:
    """Both conversations, locked. `fresh`: of the other's line, the versions whose turns this one does not hold, oldest
    first; `base`: the newest version of this line that both came through, None for the start."""

    conversation: Conversation
    head: RowMapping
    other: RowMapping
    base: RowMapping | None
    fresh: Sequence[RowMapping]


class Strategy(Protocol):
    async def prepare(
        self, database: Database, generator: Generator, tenant_id: str, conversation_id: str, wanted: MergeRequest
    ) -> "Prepared | None":
        """What must be computed before the transaction; with none open."""
        ...

    async def apply(
        self, work: UnitOfWork, sides: Sides, prepared: "Prepared | None", by: str
    ) -> tuple[list[int], int | None]:
        """The seqs of the turns taken over, and the number of the version that was made."""
        ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """A state that was made of these two heads, durable in the blob store."""

    head_id: str
    other_id: str
    blob_id: str
    result: Advanced


class Replay:
    """Takes the other's turns in."""

    async def prepare(
        self, database: Database, generator: Generator, tenant_id: str, conversation_id: str, wanted: MergeRequest
    ) -> Prepared | None:
        return None

    async def apply(
        self, work: UnitOfWork, sides: Sides, prepared: Prepared | None, by: str
    ) -> tuple[list[int], int | None]:
        versions = {row["turn_id"]: row["id"] for row in sides.fresh}
        said = {row["id"]: row for row in await turns.get_many(work, list(versions))}
        made = await turns.insert_merged(
            work, sides.conversation.id, [(said[turn_id], version_id) for turn_id, version_id in versions.items()]
        )
        await outbox.record_many(work, task=ADVANCE, subject=sides.conversation.id, turn_ids=list(made))
        return sorted(made.values()), None


class Average:
    """Weighs both states against their common ancestor, slot by slot."""

    async def prepare(
        self, database: Database, generator: Generator, tenant_id: str, conversation_id: str, wanted: MergeRequest
    ) -> Prepared | None:
        model = await generator.identity()
        blob_id = new_id("blob")
        async with database.unit_of_work(tenant_id) as work:
            sides = await both(work, conversation_id, wanted, model)
            cubes.insert_blob(work, blob_id, conversation_id)
        start = StateRef(model.fingerprint, model.start_sha256)
        base = start if sides.base is None else state_ref(sides.base)
        result = await generator.merge(base, state_ref(sides.head), state_ref(sides.other), blob_key(blob_id))
        return Prepared(sides.head["id"], sides.other["id"], blob_id, result)

    async def apply(
        self, work: UnitOfWork, sides: Sides, prepared: Prepared | None, by: str
    ) -> tuple[list[int], int | None]:
        if prepared is None or (prepared.head_id, prepared.other_id) != (sides.head["id"], sides.other["id"]):
            raise HeadMoved(
                "one of the two states moved on while they were being merged", hint="Send the same request again."
            )
        head, result = sides.head, prepared.result
        step = VersionStep(
            cube_id=head["cube_id"],
            operation="merge",
            payload=Payload("blob", result.sha256, result.size_bytes, blob_id=prepared.blob_id),
            fingerprint=head["fingerprint"],
            conversation_id=sides.conversation.id,
            epoch=sides.conversation.epoch,
            created_by=by,
            turn_seq=head["turn_seq"],
            metadata={"health": result.health, "strategy": "average"},
        )
        columns = version_columns(step, head, at=head["moment"])
        cubes.insert_version(work, columns)
        # The line of the state goes on through its own past; what came from the other is beside it.
        cubes.insert_edge(work, child_id=columns["id"], parent_id=head["id"], relation="advances")
        cubes.insert_edge(work, child_id=columns["id"], parent_id=sides.other["id"], relation="merges")
        cubes.move_head(
            work, cube_id=head["cube_id"], version_id=columns["id"], number=columns["number"], expected=head["id"]
        )
        return [], columns["number"]


STRATEGIES: Mapping[str, Strategy] = {"replay": Replay(), "average": Average()}


async def merge(
    database: Database,
    generator: Generator,
    tenant_id: str,
    conversation_id: str,
    wanted: MergeRequest,
    claim: Claim,
    by: str,
) -> StoredAnswer:
    """Raises NotFound, OtherUser, NothingToMerge, TurnNotApplied, ModelMismatch, HeadMoved; CubeFrozen or NotLive for a
    state that takes nothing more in."""
    stored = await answered(database, tenant_id, claim)
    if stored is not None:
        return stored
    strategy = STRATEGIES[wanted.strategy]
    model = await generator.identity()
    prepared = await strategy.prepare(database, generator, tenant_id, conversation_id, wanted)

    async def effect(work: UnitOfWork) -> StatesMerged:
        sides = await both(work, conversation_id, wanted, model)
        await conversations.open_state(work, conversation_id, by=by)
        seqs, version = await strategy.apply(work, sides, prepared, by)
        return StatesMerged(
            conversation=await conversations.get(work, conversation_id),
            from_conversation_id=wanted.from_conversation_id,
            strategy=wanted.strategy,
            merged_turns=len(sides.fresh),
            turns=seqs,
            version=version,
        )

    return await once(database, tenant_id, claim, effect)


async def both(work: UnitOfWork, conversation_id: str, wanted: MergeRequest, model: ModelIdentity) -> Sides:
    """Locks both conversations, and finds what the other holds that this one does not."""
    names = (conversation_id, wanted.from_conversation_id)
    if names[0] == names[1]:
        raise NothingToMerge("a conversation holds all that it holds", hint="Name another conversation.")
    for name in sorted(names):  # one order for all, so that no two merges wait for each other
        if await conversation_rows.lock(work, name) is None:
            raise NotFound(f"there is no conversation {name}")
    ours, theirs = [await conversations.get(work, name) for name in names]
    if ours.user_id != theirs.user_id:
        raise OtherUser
    for one in (ours, theirs):
        if one.fingerprint != model.fingerprint:
            raise ModelMismatch.between(one.fingerprint, model.fingerprint)
        if one.pending_turns:
            raise TurnNotApplied(f"conversation {one.id} has {one.pending_turns} turns that are not in its memory yet")
    head, other = [await cubes.head(work, name) for name in names]
    our_line, their_line = [await _turns(work, row["id"]) for row in (head, other)]
    first_said = await turns.first_said(work, [row["turn_id"] for row in (*our_line, *their_line)])
    held = {first_said[row["turn_id"]] for row in our_line}
    held |= await _averaged_in(work, head["id"])
    fresh = [row for row in their_line if first_said[row["turn_id"]] not in held and not row["turn_erased"]]
    if not fresh:
        raise NothingToMerge(f"conversation {ours.id} holds every turn of {theirs.id}")
    common = None
    for our, their in zip(our_line, their_line, strict=False):
        if first_said[our["turn_id"]] != first_said[their["turn_id"]]:
            break
        common = our
    base = None if common is None else await cubes.version_by_id(work, common["id"])
    return Sides(ours, head, other, base, fresh)


async def _turns(work: UnitOfWork, version_id: str) -> list[RowMapping]:
    """The versions of a state's line that took a turn in, oldest first."""
    return [row for row in reversed(await cubes.line(work, version_id)) if row["operation"] == "advance"]


async def _averaged_in(work: UnitOfWork, version_id: str) -> set[str]:
    """The turns, as first said, that came into a state by averaging: those of the states that it was averaged with."""
    found: set[str] = set()
    waiting, seen = [version_id], set()
    while waiting:
        line = await cubes.line(work, waiting.pop())
        mixed = [row["id"] for row in line if row["operation"] == "merge" and row["id"] not in seen]
        seen.update(mixed)
        for parent in await cubes.parents(work, mixed, ["merges"]):
            waiting.append(parent["id"])
            turn_ids = [row["turn_id"] for row in await _turns(work, parent["id"])]
            found.update((await turns.first_said(work, turn_ids)).values())
    return found
