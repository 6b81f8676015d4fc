"""Explains an answer (P10): which versions it read and what it wrote, which turns the state it read had taken in, and
which slots of that state it read most, with the turn and the words that each slot is from.

Notable choices:

* Which slots were read is not kept: the model computes it anew, from the state, the input and the answer, when somebody
  asks. No turn pays for it. A model that is away, or is another than the one that answered, takes only this part away.
* Which turn last wrote a slot is found by walking the line of versions (`cubes.store.slot_origins`).
"""

from dataclasses import dataclass

from sqlalchemy import RowMapping

from memos.conversations import store as conversations
from memos.cubes import store as cubes
from memos.cubes.versions import blob_key, state_ref
from memos.generation.engine import SlotRead
from memos.generation.port import DeltaRef, Generator, StateRef, StateUnreadable
from memos.kit.db import Database
from memos.kit.errors import MemosError, NotFound
from memos.kit.unit_of_work import UnitOfWork
from memos.turns import store
from memos.turns.history import get_row
from memos.turns.schemas import Explanation, ReadSlot, SlotOrigin, SlotsUnavailable, VersionRead

NO_ANSWER = SlotsUnavailable(code="no_answer", detail="The turn read no memory, or has no answer.")


@dataclass(frozen=True, slots=True)
class _Answered:
    """What the model needs to say what it read."""

    version_id: str
    state: StateRef
    text: str
    output: str
    recalled: tuple[str, ...]
    deltas: tuple[DeltaRef, ...]


async def explain(database: Database, generator: Generator, tenant_id: str, turn_id: str) -> Explanation:
    async with database.unit_of_work(tenant_id) as work:
        told, answered = await _known(work, turn_id)
    if answered is None:
        told.slots_unavailable = NO_ANSWER
        return told
    try:
        reads = await generator.reads(
            answered.state, answered.text, answered.output, answered.recalled, answered.deltas
        )
    except MemosError as refusal:
        error = refusal.of_version(answered.version_id) if isinstance(refusal, StateUnreadable) else refusal
        told.slots_unavailable = SlotsUnavailable(code=error.code, detail=error.message)
        return told
    async with database.unit_of_work(tenant_id) as work:
        told.slots = await _with_origins(work, answered.version_id, reads)
    return told


async def _known(work: UnitOfWork, turn_id: str) -> tuple[Explanation, _Answered | None]:
    turn = await get_row(work, turn_id)
    conversation = await conversations.get(work, turn["conversation_id"])
    if conversation is None:
        raise NotFound(f"there is no conversation {turn['conversation_id']}")
    rows = await store.reads(work, turn_id)
    base = await cubes.version_by_id(work, turn["base_version_id"]) if turn["base_version_id"] else None
    line = await cubes.line(work, base["id"]) if base is not None else []
    wrote = None
    if turn["written_version_id"]:
        version = await cubes.version_by_id(work, turn["written_version_id"])
        wrote = VersionRead(
            version_id=version["id"], cube_id=version["cube_id"], number=version["number"], kind="activation",
            rank=0, score=None,
        )  # fmt: skip
    told = Explanation(
        turn_id=turn_id,
        seq=turn["seq"],
        status=turn["status"],
        read=[_read(row) for row in rows],
        wrote=wrote,
        lag=turn["lag"],
        finish_reason=turn["finish_reason"],
        timings_ms=turn["timings_ms"],
        state_turns=sorted(row["turn_seq"] for row in line if row["operation"] == "advance"),
        model=conversation["fingerprint"],
    )
    if base is None or not turn["output"]:
        return told, None
    memories = [row for row in rows if row["kind"] == "plaintext" and row["text"] is not None]
    newest_first = sorted(memories, key=lambda row: (row["since"], row["begun_at"], row["cube_id"]), reverse=True)
    recalled = tuple(row["text"] for row in newest_first)  # as the answer was given them
    deltas = tuple(
        DeltaRef(row["fingerprint"], row["payload_sha256"], blob_key(row["blob_id"]))
        for row in rows
        if row["kind"] == "parameter" and row["blob_id"] is not None
    )
    return told, _Answered(base["id"], state_ref(base), turn["input"], turn["output"], recalled, deltas)


def _read(row: RowMapping) -> VersionRead:
    read = VersionRead(**{name: row[name] for name in VersionRead.model_fields})
    if row["kind"] != "plaintext":
        read.text = None
    return read


async def _with_origins(work: UnitOfWork, version_id: str, reads: tuple[SlotRead, ...]) -> list[ReadSlot]:
    origins = await cubes.slot_origins(work, version_id, [(read.layer, read.slot) for read in reads])
    return [
        ReadSlot(
            layer=read.layer,
            slot=read.slot,
            share=read.share,
            written_at=SlotOrigin(**{name: origin[name] for name in SlotOrigin.model_fields})
            if (origin := origins.get((read.layer, read.slot)))
            else None,
        )
        for read in reads
    ]
