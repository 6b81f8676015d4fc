"""Writes memories: one, the messages of a conversation, or thousands; all of a request in one transaction.

* Vectors are made before the transaction begins, and lie in it: what is acknowledged is durable, and found by its words
  and its meaning. While the embedder is away it is found by its words, and a job makes the vectors.
* What a living memory of the owner says already is counted there (`repeats`) and not stored again. The scope's lock is
  held from the first row on, so what is compared is all there is.
* A batch of more than `MOST_AT_ONCE` texts without vectors is durable, and found by its words, when it is answered; its
  vectors are a job's, and GET /v1/memories/batches/{id} says how far it is.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import RowMapping

from memos.access import service as access
from memos.cubes import changes
from memos.cubes import store as cubes
from memos.cubes.bulk import rows as bulk
from memos.cubes.bulk.rows import NewText
from memos.cubes.bulk.store import remember
from memos.cubes.life import DifferentOwners, WrongKind
from memos.generation.port import Generator, ModelUnavailable
from memos.idempotency.service import Claim, StoredAnswer, answered, once
from memos.kernel.access import Actor
from memos.kernel.lifecycle import LIVE
from memos.kit.config import Settings
from memos.kit.db import Database
from memos.kit.ids import new_id
from memos.kit.unit_of_work import NotYours, UnitOfWork
from memos.kit.wakeups import OUTBOX, Wakeups
from memos.memories import life, store
from memos.memories.drafts import Draft, drafts, unit_vector
from memos.memories.episodes import EMBED
from memos.memories.sameness import key_of, says_the_same
from memos.memories.schemas import Added, AddedMemories, Memory, MemoryItem, MemoryUpdate
from memos.memories.service import WrongDimensions
from memos.outbox import store as outbox

MOST_AT_ONCE = 1_000
IN_THREAD = 100  # texts from which on preparing them is worth a thread
MODEL_FOR_S = 30.0  # how long the embedder in force is remembered
REASON = "remembered"


@dataclass(slots=True)
class _Written:
    """What came of one request so far. `answers` by place; `open`: scopes in which vectors are missing."""

    answers: list[Added | None]
    scopes: dict[str, RowMapping] = field(default_factory=dict)
    revisions: set[int] = field(default_factory=set)
    open: set[str] = field(default_factory=set)
    made: list[str] = field(default_factory=list)


class MemoryWriter:
    """One for a process."""

    def __init__(
        self,
        database: Database,
        generator: Generator,
        wakeups: Wakeups,
        digest: Callable[[bytes], bytes],
        settings: Settings,
    ) -> None:
        self._database = database
        self._generator = generator
        self._wakeups = wakeups
        self._digest = digest
        self._most_chars = settings.max_input_chars
        self._model: tuple[float, str, int] | None = None

    async def add(
        self, tenant_id: str, items: Sequence[MemoryItem], *, actor: Actor, by: str, claim: Claim
    ) -> StoredAnswer:
        """Raises TooLarge, Ownerless, WrongDimensions, NotYours, what a key raises; for what is superseded NotFound,
        WrongKind or DifferentOwners."""
        stored = await answered(self._database, tenant_id, claim)
        if stored is not None:
            return stored
        wanted = drafts(items, actor, self._most_chars)
        model = await self._embed(wanted, later=len(wanted) > MOST_AT_ONCE)

        async def effect(work: UnitOfWork) -> AddedMemories:
            return await self._write(work, wanted, actor=actor, by=by, model=model)

        answer = await once(self._database, tenant_id, claim, effect)
        if model is None:
            self._wakeups.wake(OUTBOX)
        return answer

    async def update(
        self, tenant_id: str, cube_id: str, wanted: MemoryUpdate, *, expected: int | None, by: str
    ) -> Memory:
        """A changed text with its new vector. Raises WrongDimensions and what `memos.memories.life.update` raises."""
        draft = Draft(NewText(wanted.text or "", None, None, vector=unit_vector(wanted.embedding)))
        model = await self._embed([draft], later=wanted.text is None) if wanted.text is not None else None
        async with self._database.unit_of_work(tenant_id) as work:
            memory = await life.update(work, cube_id, wanted, expected=expected, by=by, most_chars=self._most_chars)
            if wanted.model_fields_set & life.REVISING:
                await self._after_revision(work, cube_id, draft, model)
        self._wakeups.wake(OUTBOX)
        return memory

    async def _after_revision(self, work: UnitOfWork, cube_id: str, draft: Draft, model: str | None) -> None:
        """A new version has no key and no vector yet."""
        held = await store.for_vector(work, cube_id)
        new = NewText(
            held["content"],
            held["user_id"],
            held["agent_id"],
            semantic_type=held["semantic_type"],
            visibility=held["visibility"],
            sensitivity=held["sensitivity"],
            valid_from=held["valid_from"],
            metadata=held["metadata"],
        )
        if held["lifecycle"] in LIVE:
            await store.set_key(
                work, cube_id, key_of(self._digest, work.tenant_id, new, held["metadata"].get("thread"))
            )
        vector = draft.new.vector
        if vector is not None and model is not None:
            await store.add_vector(
                work,
                version_id=held["head_version_id"],
                scope_id=held["scope_id"],
                model=model,
                dimensions=len(vector),
                vector=vector.astype("<f4").tobytes(),
            )
            await store.set_embedder(work, [held["scope_id"]], model)
        if vector is None or held["embedder"] not in (None, model) or held["next_embedder"] is not None:
            await outbox.record(work, task=EMBED, subject=held["scope_id"], turn_id=None)

    async def _embed(self, wanted: Sequence[Draft], *, later: bool) -> str | None:
        """Gives every draft its vector, and says by which model; None: not all have one, `later` or because the
        embedder is away. Raises WrongDimensions for a given one that is of another model."""
        missing = [draft for draft in wanted if draft.new.vector is None]
        given = [draft.new.vector for draft in wanted if draft.new.vector is not None]
        try:
            model, size = await self._in_force()
            if any(len(vector) != size for vector in given):
                raise WrongDimensions(f"the embedding model makes vectors of {size} numbers")
            if missing and not later:
                made = await self._generator.embed([draft.new.text for draft in missing], model)
                for draft, vector in zip(missing, made.vectors, strict=True):
                    draft.new.vector = vector
        except ModelUnavailable:
            for draft in wanted:  # of which model given ones are is not known
                draft.new.vector = None
            return None
        return model

    async def _in_force(self) -> tuple[str, int]:
        """The embedding model and its dimensions."""
        now = time.monotonic()
        if self._model is None or self._model[0] < now - MODEL_FOR_S:
            said = await self._generator.embed([])
            self._model = (now, said.model, said.dimensions)
        return self._model[1:]

    async def _write(
        self, work: UnitOfWork, wanted: Sequence[Draft], *, actor: Actor, by: str, model: str | None
    ) -> AddedMemories:
        replaced = await _lock_replaced(work, wanted, actor)
        written = _Written([None] * len(wanted))
        for start in range(0, len(wanted), MOST_AT_ONCE):
            some = dict(enumerate(wanted[start : start + MOST_AT_ONCE], start))
            await self._write_some(work, some, written, by=by, model=model)
        for place, old in replaced.items():
            if (added := written.answers[place]) is not None and not added.duplicate:
                child = wanted[place].new.version_id
                cubes.insert_edge(work, child_id=child, parent_id=old["head_version_id"], relation="supersedes")
        if model is not None and (fresh := [id for id, row in written.scopes.items() if row["embedder"] is None]):
            await store.set_embedder(work, fresh, model)
        for scope_id in sorted(written.open):
            await outbox.record(work, task=EMBED, subject=scope_id, turn_id=None)
        memories = [added for added in written.answers if added is not None]
        batch_id = _note_batch(work, written, memories, by) if written.open and len(wanted) > MOST_AT_ONCE else None
        revision = max(written.revisions) if len(written.revisions) == 1 else None
        return AddedMemories(memories=memories, embedded=not written.open, revision=revision, batch_id=batch_id)

    async def _write_some(
        self, work: UnitOfWork, some: dict[int, Draft], written: _Written, *, by: str, model: str | None
    ) -> None:
        for draft in some.values():
            draft.new.key = key_of(self._digest, work.tenant_id, draft.new, draft.thread)
        rest = await self._insert(work, some, written, by=by, model=model)
        if not rest:
            return
        again: list[str] = []
        beside: dict[int, Draft] = {}
        for place, held in (await _held(work, rest, model)).items():
            new = rest[place].new
            if held is not None and says_the_same(
                new.text, new.vector, held["content"], bulk.vector_of(held["vector"])
            ):
                written.answers[place] = Added(id=held["id"], version=held["head_number"], duplicate=True)
                again.append(held["id"])
            else:
                new.key = key_of(self._digest, work.tenant_id, new, rest[place].thread, exact=True)
                beside[place] = rest[place]
        left = await self._insert(work, beside, written, by=by, model=model) if beside else {}
        for place, held in (await _held(work, left, model)).items():
            if held is None:  # it is there and not to be seen: the actor gets one of their own
                left[place].new.key = None
                await self._insert(work, {place: left[place]}, written, by=by, model=model)
            else:
                written.answers[place] = Added(id=held["id"], version=held["head_number"], duplicate=True)
                again.append(held["id"])
        if again:
            await store.count_repeats(work, again)

    async def _insert(
        self, work: UnitOfWork, some: dict[int, Draft], written: _Written, *, by: str, model: str | None
    ) -> dict[int, Draft]:
        """Writes these and says which of them were left out, because a living memory has their key."""
        texts = [draft.new for draft in some.values()]
        if len(texts) > IN_THREAD:
            prepared = await asyncio.to_thread(bulk.prepare, texts, by=by)
        else:
            prepared = bulk.prepare(texts, by=by)
        made = {row["cube_id"]: row for row in await remember(work, prepared, by=by, reason=REASON, model=model)}
        rest: dict[int, Draft] = {}
        for place, draft in some.items():
            row = made.get(draft.new.cube_id)
            if row is None:
                rest[place] = draft
                continue
            written.answers[place] = Added(id=draft.new.cube_id, version=0, duplicate=False)
            written.scopes[row["scope_id"]] = row
            written.revisions.add(row["revision"])
            written.made.append(draft.new.cube_id)
            lacking = row["embedder"] not in (None, model) or row["next_embedder"] not in (None, model)
            if draft.new.vector is None or lacking:
                written.open.add(row["scope_id"])
        return rest


async def _lock_replaced(work: UnitOfWork, wanted: Sequence[Draft], actor: Actor) -> dict[int, RowMapping]:
    """What is superseded, by the place of what supersedes it, in the order of ids. Raises NotFound, WrongKind,
    DifferentOwners, NotYours."""
    found: dict[int, RowMapping] = {}
    for place, draft in sorted(enumerate(wanted), key=lambda one: one[1].supersedes or ""):
        if draft.supersedes is None:
            continue
        cube = await changes.lock(work, draft.supersedes)
        if cube["kind"] != "plaintext":
            raise WrongKind(f"cube {cube['id']} is {cube['kind']}")
        if not await access.may(work, actor, cube, "write"):
            raise NotYours
        mine = (cube["user_id"], None if cube["user_id"] else cube["agent_id"])
        if mine != (draft.new.user_id, None if draft.new.user_id else draft.new.agent_id):
            raise DifferentOwners("a memory supersedes one of its own owner")
        found[place] = cube
    return found


async def _held(work: UnitOfWork, some: dict[int, Draft], model: str | None) -> dict[int, RowMapping | None]:
    """The living memories that have the keys of these."""
    keyed = [(place, draft.new) for place, draft in some.items() if draft.new.key is not None]
    if not keyed:
        return dict.fromkeys(some)
    asked = [(new.user_id, new.agent_id, new.key or b"") for _, new in keyed]
    found = await store.held(work, asked, model)
    return {place: found.get(number) for number, (place, _) in enumerate(keyed)}


def _note_batch(work: UnitOfWork, written: _Written, memories: Sequence[Added], by: str) -> str:
    batch_id = new_id("batch")
    duplicates = sum(added.duplicate for added in memories)
    store.insert_batch(
        work, id=batch_id, cube_ids=written.made, scope_ids=sorted(written.scopes), duplicates=duplicates, by=by
    )
    return batch_id
