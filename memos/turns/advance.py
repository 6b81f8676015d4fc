"""Takes answered turns into a conversation's state, strictly in order: the task `advance(conversation)`.

The task names the conversation and not the change, so it may run twice, late or out of order: each step reads the
head, computes from it with no transaction open, and commits only if the head is still the one it read (DESIGN 6).
Whoever loses that race drops its result and looks again.
"""

from dataclasses import dataclass
from typing import Literal

import structlog
from sqlalchemy import RowMapping

from memos.conversations import store as conversations
from memos.conversations.epochs import to_take_in
from memos.cubes import store as cubes
from memos.cubes.changes import CubeFrozen
from memos.cubes.versions import Payload, VersionStep, blob_key, state_ref, version_columns, written_column
from memos.generation.port import Advanced, Generator, ModelMismatch, StateUnreadable
from memos.kit.db import Database
from memos.kit.ids import new_id
from memos.kit.metrics import Metrics
from memos.kit.unit_of_work import UnitOfWork
from memos.kit.wakeups import Wakeups
from memos.outbox import store as outbox
from memos.turns import store
from memos.turns.service import conversation_channel

LOG = structlog.get_logger(__name__)
CREATED_BY = "task:advance"

Progress = Literal["settled", "waiting"]


@dataclass(frozen=True, slots=True)
class AdvanceTask:
    """`settled`: nothing is left to take in. `waiting`: an earlier turn is still being answered."""

    database: Database
    generator: Generator
    wakeups: Wakeups
    metrics: Metrics

    async def __call__(self, tenant_id: str, conversation_id: str) -> Progress:
        while True:
            async with self.database.unit_of_work(tenant_id) as work:
                head = await cubes.head(work, conversation_id)
                if (await conversations.get_row(work, conversation_id))["erasing_by"] is not None:
                    return "waiting"  # the erasure records a job of its own, or nudges this one, when it lets go
                turn = await _next_turn(work, conversation_id, head)
                if turn is None:
                    return "settled"
                if turn["status"] == "accepted":
                    return "waiting"
                if head["frozen"]:  # freezing is refused while turns are pending, so somebody went past the service
                    raise CubeFrozen(f"cube {head['cube_id']} is frozen and turn {turn['id']} is pending")
                blob_id = new_id("blob")
                cubes.insert_blob(work, blob_id, conversation_id)
            model, result = await self._compute(head, turn, blob_id)
            if await self._commit(tenant_id, conversation_id, head, turn, blob_id, result):
                self._report(model, conversation_id, turn, result.health)
            else:
                LOG.info("advance.dropped", conversation_id=conversation_id, turn_id=turn["id"])

    async def _compute(self, head: RowMapping, turn: RowMapping, blob_id: str) -> tuple[str, Advanced]:
        """The name of the model that computed it, and the new state."""
        model = await self.generator.identity()
        if model.fingerprint != head["fingerprint"]:
            raise ModelMismatch.between(head["fingerprint"], model.fingerprint)
        try:
            made = await self.generator.advance(state_ref(head), turn["input"], turn["output"], blob_key(blob_id))
        except StateUnreadable as error:
            raise error.of_version(head["id"]) from error
        return str(model.details.get("model", "unknown")), made

    def _report(self, model: str, conversation_id: str, turn: RowMapping, health: dict[str, float]) -> None:
        """The figures of the new memory; an alarm when its slots have come to hold the same."""
        self.metrics.memory_advanced(model, health)
        if health.get("collapsed", 0.0) > 0:
            LOG.warning(
                "memory.collapsed", conversation_id=conversation_id, turn_id=turn["id"], model=model, health=health,
                hint="This memory can no longer tell one fact from another: roll back to an earlier turn.",
            )  # fmt: skip

    async def _commit(
        self, tenant_id: str, conversation_id: str, head: RowMapping, turn: RowMapping, blob_id: str, result: Advanced
    ) -> bool:
        """False, and nothing changed, if the head moved or the turn was superseded meanwhile."""
        async with self.database.unit_of_work(tenant_id) as work:
            locked = await conversations.lock_held(work, conversation_id)
            now = await cubes.head(work, conversation_id)
            if locked is None or locked["erasing_by"] is not None or now["id"] != head["id"]:
                return False
            step = VersionStep(
                cube_id=head["cube_id"],
                operation="advance",
                payload=Payload("blob", result.sha256, result.size_bytes, blob_id=blob_id),
                fingerprint=head["fingerprint"],
                conversation_id=conversation_id,
                epoch=locked["epoch"],
                created_by=CREATED_BY,
                turn_id=turn["id"],
                turn_seq=turn["seq"],
                metadata={"health": result.health},
                written=written_column(result.written),
            )
            columns = version_columns(step, now, at=now["moment"])
            cubes.insert_version(work, columns)
            ours = turn["conversation_id"] == conversation_id  # a fork also rebuilds from turns of its parent
            if ours and not await store.apply(
                work, turn_id=turn["id"], version_id=columns["id"], number=columns["number"]
            ):
                raise RuntimeError(f"turn {turn['id']} left the line while its head was locked")
            cubes.insert_edge(work, child_id=columns["id"], parent_id=head["id"], relation="advances")
            if turn["merged_version_id"] is not None:  # said in another conversation, whose state holds it there
                cubes.insert_edge(work, child_id=columns["id"], parent_id=turn["merged_version_id"], relation="merges")
            cubes.move_head(
                work, cube_id=head["cube_id"], version_id=columns["id"], number=columns["number"], expected=head["id"]
            )
            cubes.count_read(work, head["cube_id"])
            await outbox.done_for_turns(work, [turn["id"]])
            work.after_commit(lambda: self.wakeups.wake(conversation_channel(conversation_id)))
        return True


async def _next_turn(work: UnitOfWork, conversation_id: str, head: RowMapping) -> RowMapping | None:
    """The turn after the head's: after a change of model those that the old line held, then those still pending."""
    conversation = await conversations.get_row(work, conversation_id)
    reached = head["turn_seq"] or 0
    if reached < conversation["replay_to"]:
        source = await cubes.migrated_from(work, cube_id=head["cube_id"], epoch=conversation["epoch"])
        line = await cubes.line(work, source)
        ahead = [row for row in line if to_take_in(row, reached)]
        if ahead:
            return await store.get(work, min(ahead, key=lambda row: row["turn_seq"])["turn_id"])
    return await store.next_unsettled(work, conversation_id)
