"""Writes memories: one, the messages of a conversation, or thousands; all of a request in one transaction.

* Vectors are made before the transaction begins, and lie in it: what is acknowledged is durable, and found by its words
  and its meaning. While the embedder is away it is found by its words, and a job makes the vectors.
* Small requests that arrive while one is being committed share the next transaction: one commit, and one round trip,
  serve all of them. If it fails, each is written alone, so nobody pays for another's mistake.
* What a living memory of the owner says already is counted there (`repeats`) and not stored again. The scope's lock is
  held from the first row on, so what is compared is all there is.
* A batch of more than `MOST_AT_ONCE` texts without vectors is durable, and found by its words, when it is answered; its
  vectors are a job's, and GET /v1/memories/batches/{id} says how far it is.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from memos.audit.recording import Recording
from memos.cubes.bulk.rows import NewText
from memos.generation.port import Generator, ModelUnavailable
from memos.idempotency.service import Claim, StoredAnswer, answered, once
from memos.kernel.access import Actor
from memos.kernel.lifecycle import LIVE
from memos.kit.actor import TenantView
from memos.kit.config import Settings
from memos.kit.db import Database
from memos.kit.errors import Unavailable
from memos.kit.unit_of_work import UnitOfWork
from memos.kit.wakeups import OUTBOX, Wakeups
from memos.memories import life, store
from memos.memories.drafts import Draft, TextOrMessages, drafts, unit_vector
from memos.memories.episodes import EMBED
from memos.memories.sameness import key_of
from memos.memories.schemas import AddedMemories, Memory, MemoryItem, MemoryUpdate
from memos.memories.service import WrongDimensions
from memos.memories.writing import MOST_AT_ONCE, Wanted, write
from memos.outbox import store as outbox

MOST_TOGETHER = 20  # texts of a request that shares a transaction
MOST_GROUPED = 50  # requests in one
MODEL_FOR_S = 30.0  # how long the embedder in force is remembered
_Group: TypeAlias = tuple[str, Actor, str, str | None]  # tenant, actor, author, model


@dataclass(slots=True)
class _Waiting:
    """A request that waits for the next transaction, and what tells of it in the audit log."""

    wanted: Wanted
    told: asyncio.Future[AddedMemories]
    recording: Recording | None


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
        self._waiting: dict[_Group, list[_Waiting]] = {}
        self._flushing: dict[_Group, asyncio.Task[None]] = {}

    async def add(
        self, tenant_id: str, items: Sequence[MemoryItem], *, actor: Actor, by: str, claim: Claim
    ) -> StoredAnswer:
        """Raises what `drafts` raises, WrongDimensions, NotYours, what a key raises; for what is superseded NotFound,
        WrongKind or DifferentOwners."""
        made = drafts(items, actor, self._most_chars)
        if claim.key is not None and any(draft.new.vector is None for draft in made):
            stored = await answered(self._database, tenant_id, claim)
            if stored is not None:
                return stored
        model = await self._embed(made, later=len(made) > MOST_AT_ONCE)
        wanted = Wanted(made, actor, by, model)
        if claim.key is None and len(made) <= MOST_TOGETHER and not any(draft.supersedes for draft in made):
            added = await self._together(tenant_id, wanted)
            answer = StoredAnswer(201, added.model_dump_json().encode())
        else:

            async def effect(work: UnitOfWork) -> AddedMemories:
                return (await write(work, [wanted], self._digest))[0]

            answer = await once(self._database, tenant_id, claim, effect)
        if wanted.open:
            self._wakeups.wake(OUTBOX)
        return answer

    async def _together(self, tenant_id: str, wanted: Wanted) -> AddedMemories:
        """In one transaction with whatever else of this author came while the last one was being committed."""
        group = (str(tenant_id), wanted.actor, wanted.by, wanted.model)
        told: asyncio.Future[AddedMemories] = asyncio.get_running_loop().create_future()
        witnesses = tenant_id.witnesses if isinstance(tenant_id, TenantView) else None
        recording = witnesses if isinstance(witnesses, Recording) else None
        self._waiting.setdefault(group, []).append(_Waiting(wanted, told, recording))
        if group not in self._flushing:
            self._flushing[group] = asyncio.create_task(self._flush(group))
        return await told

    async def _flush(self, group: _Group) -> None:
        try:
            while waiting := self._waiting.pop(group, []):
                for start in range(0, len(waiting), MOST_GROUPED):
                    some = [one for one in waiting[start : start + MOST_GROUPED] if not one.told.done()]
                    try:
                        await self._commit(group, some)
                    except Exception as error:
                        await self._one_by_one(group, some, error)
        finally:
            del self._flushing[group]

    async def _one_by_one(self, group: _Group, some: Sequence[_Waiting], error: Exception) -> None:
        """What one of them did wrong, or ran into, is no matter of the others."""
        for one in some:
            if len(some) > 1 and not isinstance(error, Unavailable):  # whether that was committed is not known
                try:
                    again = replace(one, wanted=one.wanted.anew())
                    await self._commit(group, [again])
                    continue
                except Exception as own:
                    error = own
            if not one.told.done():
                one.told.set_exception(error)

    async def _commit(self, group: _Group, some: Sequence[_Waiting]) -> None:
        tenant_id, actor, _, _ = group
        async with self._database.unit_of_work(TenantView(tenant_id, actor)) as work:
            added = await write(work, [one.wanted for one in some], self._digest)
            for one in some:
                if one.recording is not None:
                    one.recording.write(work, one.wanted.made)
        for one, answer in zip(some, added, strict=True):
            if one.recording is not None:
                one.recording.recorded = True
            if not one.told.done():
                one.told.set_result(answer)

    async def update(
        self, tenant_id: str, cube_id: str, wanted: MemoryUpdate, *, expected: int | None, by: str
    ) -> Memory:
        """A changed text with its new vector. Raises WrongDimensions and what `memos.memories.life.update` raises."""
        if wanted.embedding is not None and not wanted.text:
            raise TextOrMessages("an embedding goes with a text")
        draft = Draft(NewText(wanted.text, None, None, vector=unit_vector(wanted.embedding)))
        model = await self._embed([draft], later=False) if wanted.text else None
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
