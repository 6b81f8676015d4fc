"""What a transaction does to remember: writes what is new, counts what is not, and says which vectors are missing.

Several requests may share one transaction. Their memories are written in the order of their owners, so that two
transactions that write to the same owners never wait for each other in a circle; of one owner, in the order of arrival.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import RowMapping

from memos.access import service as access
from memos.cubes import changes
from memos.cubes import store as cubes
from memos.cubes.bulk import rows as bulk
from memos.cubes.bulk.store import remember
from memos.cubes.life import DifferentOwners, WrongKind
from memos.kernel.access import Actor
from memos.kit.ids import new_id
from memos.kit.unit_of_work import NotYours, UnitOfWork
from memos.memories import store
from memos.memories.drafts import Draft
from memos.memories.episodes import EMBED
from memos.memories.sameness import key_of, says_the_same
from memos.memories.schemas import AddedMemories, AddedMemory
from memos.outbox import store as outbox

MOST_AT_ONCE = 1_000
IN_THREAD = 100  # texts from which on preparing them is worth a thread
REASON = "remembered"
Digest = Callable[[bytes], bytes]


@dataclass(slots=True)
class Wanted:
    """One request, and what came of it so far. `model` is that of the vectors; None: there are none yet. `open`: scopes
    in which some are missing."""

    drafts: Sequence[Draft]
    actor: Actor
    by: str
    model: str | None
    answers: list[AddedMemory | None] = field(default_factory=list)
    scopes: dict[str, RowMapping] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    made: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.answers = [None] * len(self.drafts)

    def anew(self) -> "Wanted":
        """The same once more, after a transaction that was rolled back."""
        return Wanted(self.drafts, self.actor, self.by, self.model)

    @property
    def large(self) -> bool:
        return len(self.drafts) > MOST_AT_ONCE


@dataclass(frozen=True, slots=True)
class Slot:
    """One draft of a request."""

    wanted: Wanted
    place: int

    @property
    def draft(self) -> Draft:
        return self.wanted.drafts[self.place]

    def repeats(self, held: RowMapping) -> str:
        self.wanted.answers[self.place] = AddedMemory(id=held["id"], version=held["head_number"], duplicate=True)
        return str(held["id"])


async def write(work: UnitOfWork, requests: Sequence[Wanted], digest: Digest) -> list[AddedMemories]:
    """All of them by one author and with vectors of one model. Raises for what is superseded NotFound, WrongKind,
    DifferentOwners or NotYours."""
    replaced = [await _lock_replaced(work, wanted) for wanted in requests]
    slots = [Slot(wanted, place) for wanted in requests for place in range(len(wanted.drafts))]
    slots.sort(key=lambda slot: (slot.draft.new.user_id or "", slot.draft.new.agent_id or ""))
    for start in range(0, len(slots), MOST_AT_ONCE):
        await _write_some(work, slots[start : start + MOST_AT_ONCE], digest)
    for wanted, old in zip(requests, replaced, strict=True):
        _replace(work, wanted, old)
    model = requests[0].model
    scopes = {id: row for wanted in requests for id, row in wanted.scopes.items()}
    fresh = [id for id, row in scopes.items() if row["embedder"] is None]
    if model is not None and fresh:
        await store.set_embedder(work, fresh, model)
    for scope_id in sorted(set().union(*(wanted.open for wanted in requests))):
        await outbox.record(work, task=EMBED, subject=scope_id, turn_id=None)
    return [_answer(work, wanted) for wanted in requests]


def _answer(work: UnitOfWork, wanted: Wanted) -> AddedMemories:
    memories = [added for added in wanted.answers if added is not None]
    batch_id = None
    if wanted.open and wanted.large:
        batch_id = new_id("batch")
        store.insert_batch(
            work,
            id=batch_id,
            cube_ids=wanted.made,
            scope_ids=sorted(wanted.scopes),
            duplicates=sum(added.duplicate for added in memories),
            by=wanted.by,
        )
    revisions = [row["revision"] for row in wanted.scopes.values()]
    return AddedMemories(
        memories=memories,
        embedded=not wanted.open,
        revision=revisions[0] if len(revisions) == 1 else None,
        batch_id=batch_id,
    )


async def _write_some(work: UnitOfWork, slots: Sequence[Slot], digest: Digest) -> None:
    model = slots[0].wanted.model
    for slot in slots:
        slot.draft.new.key = key_of(digest, work.tenant_id, slot.draft.new, slot.draft.thread)
    rest = await _insert(work, slots)
    if not rest:
        return
    again: list[str] = []
    beside: list[Slot] = []
    for slot, held in await _held(work, rest, model):
        new = slot.draft.new
        if held is not None and says_the_same(new.text, new.vector, held["content"], bulk.vector_of(held["vector"])):
            again.append(slot.repeats(held))
        else:
            new.key = key_of(digest, work.tenant_id, new, slot.draft.thread, exact=True)
            beside.append(slot)
    left = await _insert(work, beside) if beside else []
    for slot, held in await _held(work, left, model):
        if held is None:  # it is there and not to be seen: the actor gets one of their own
            slot.draft.new.key = None
            await _insert(work, [slot])
        else:
            again.append(slot.repeats(held))
    if again:
        await store.count_repeats(work, again)


async def _insert(work: UnitOfWork, slots: Sequence[Slot]) -> list[Slot]:
    """Writes these and says which of them were left out, because a living memory has their key."""
    by, model = slots[0].wanted.by, slots[0].wanted.model
    texts = [slot.draft.new for slot in slots]
    if len(texts) > IN_THREAD:
        prepared = await asyncio.to_thread(bulk.prepare, texts, by=by)
    else:
        prepared = bulk.prepare(texts, by=by)
    made = {row["cube_id"]: row for row in await remember(work, prepared, by=by, reason=REASON, model=model)}
    rest: list[Slot] = []
    for slot in slots:
        wanted, new = slot.wanted, slot.draft.new
        row = made.get(new.cube_id)
        if row is None:
            rest.append(slot)
            continue
        wanted.answers[slot.place] = AddedMemory(id=new.cube_id, version=0, duplicate=False)
        wanted.scopes[row["scope_id"]] = row
        wanted.made.append(new.cube_id)
        other = row["embedder"] not in (None, model) or row["next_embedder"] not in (None, model)
        if new.vector is None or other:
            wanted.open.add(row["scope_id"])
    return rest


async def _held(work: UnitOfWork, slots: Sequence[Slot], model: str | None) -> Iterable[tuple[Slot, RowMapping | None]]:
    """With each the living memory that has its key."""
    keyed = [slot for slot in slots if slot.draft.new.key is not None]
    if not keyed:
        return [(slot, None) for slot in slots]
    news = [slot.draft.new for slot in keyed]
    found = await store.held(work, [(new.user_id, new.agent_id, new.key or b"") for new in news], model)
    return [(slot, found.get(number)) for number, slot in enumerate(keyed)]


async def _lock_replaced(work: UnitOfWork, wanted: Wanted) -> dict[int, RowMapping]:
    """What is superseded, by the place of what supersedes it, in the order of ids."""
    found: dict[int, RowMapping] = {}
    for place, draft in sorted(enumerate(wanted.drafts), key=lambda one: one[1].supersedes or ""):
        if draft.supersedes is None:
            continue
        cube = await changes.lock(work, draft.supersedes)
        if cube["kind"] != "plaintext":
            raise WrongKind(f"cube {cube['id']} is {cube['kind']}")
        if not await access.may(work, wanted.actor, cube, "write"):
            raise NotYours
        mine = (cube["user_id"], None if cube["user_id"] else cube["agent_id"])
        if mine != (draft.new.user_id, None if draft.new.user_id else draft.new.agent_id):
            raise DifferentOwners("a memory supersedes one of its own owner")
        found[place] = cube
    return found


def _replace(work: UnitOfWork, wanted: Wanted, replaced: dict[int, RowMapping]) -> None:
    for place, old in replaced.items():
        added = wanted.answers[place]
        if added is not None and not added.duplicate:
            child = wanted.drafts[place].new.version_id
            cubes.insert_edge(work, child_id=child, parent_id=old["head_version_id"], relation="supersedes")
