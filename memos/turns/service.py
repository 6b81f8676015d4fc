"""Takes turns (DESIGN section 6). Three transactions, none of them open while the model computes:

    accept   claim the key, take a place in the line, hold a lease           -> committed, the turn exists
    pin      choose the state version to read; `latest` waits for it first
    (generate on the model; the tokens are provisional)
    answer   the answer, what it read, the key's stored body, an outbox row  -> committed, then acknowledged

Whatever fails in between fails the turn, frees its key and lets the turns behind it go on. If this process dies, the
lease lapses and the reaper does the same.
"""

import asyncio
import contextlib
import secrets
import time
from collections import defaultdict
from typing import Any

import structlog
from sqlalchemy import RowMapping

from memos.conversations import store as conversations
from memos.conversations.epochs import move_to_model
from memos.conversations.service import open_state
from memos.cubes import store as cubes
from memos.cubes.versions import state_ref
from memos.deltas import mounting
from memos.generation.port import DeltaUnreadable, Finished, GenerateRequest, Generator, ModelIdentity, StateUnreadable
from memos.idempotency import store as keys
from memos.idempotency.service import Claim, StoredAnswer, claim
from memos.kernel.turn import TurnStatus
from memos.kit.config import Settings
from memos.kit.db import Database
from memos.kit.errors import MemosError, NotFound, TooLarge, TooMany, Unavailable
from memos.kit.ids import new_id
from memos.kit.metrics import Metrics
from memos.kit.unit_of_work import UnitOfWork
from memos.kit.wakeups import OUTBOX, Wakeups
from memos.memories.episodes import Said, record_turns
from memos.memories.sight import viewer_of
from memos.outbox import store as outbox
from memos.turns import store
from memos.turns.errors import LeaseLapsed, MemoryBehind, TurnLost
from memos.turns.recalling import Recalled, Searches, TurnRecall, own_words
from memos.turns.run import Choose, Timings, TurnRun
from memos.turns.schemas import TurnCreate
from memos.turns.views import answered_view

LOG = structlog.get_logger(__name__)
MIGRATED_BY = "task:migrate"  # who makes the version that begins another model's epoch: no caller asked for it
ADVANCE = "advance"  # the task that takes answered turns into the state
POLL_S = 0.25  # how long a lost wake-up can delay a waiting turn
HEARTBEAT_S = 1.0  # how often leases are renewed and cancel requests from other processes are seen


def conversation_channel(conversation_id: str) -> str:
    return f"conversation:{conversation_id}"


class TurnService:
    """All turns under way in this process. Needs `start()` and `stop()`."""

    def __init__(
        self,
        database: Database,
        generator: Generator,
        wakeups: Wakeups,
        metrics: Metrics,
        settings: Settings,
        searches: Searches | None = None,
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._generator = generator
        self._wakeups = wakeups
        self._recall = TurnRecall(searches, metrics, settings)
        self._settings = settings
        self._owner = f"api-{secrets.token_hex(8)}"
        self._running: dict[str, TurnRun] = {}
        self._beginning = 0
        self._heartbeat: asyncio.Task[None] | None = None

    @property
    def running(self) -> int:
        return len(self._running)

    async def start(self) -> None:
        self._heartbeat = asyncio.create_task(self._renew_forever())

    async def stop(self, grace_s: float = 10.0) -> None:
        """Lets turns under way finish, up to the grace time; the rest fail and free their keys."""
        tasks = {run.task for run in self._running.values() if run.task is not None}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            await asyncio.gather(self._heartbeat, return_exceptions=True)

    async def begin(
        self, tenant_id: str, conversation: str | Choose, wanted: TurnCreate, wanted_claim: Claim
    ) -> TurnRun | StoredAnswer:
        """Accepts a turn and starts answering it, or finds the answer that its key already has. `conversation`: its id,
        or what chooses it."""
        if len(wanted.input) > self._settings.max_input_chars:
            most = self._settings.max_input_chars
            raise TooLarge(f"the input has {len(wanted.input)} characters; {most} is the most")
        if len(self._running) + self._beginning >= self._settings.max_concurrent_turns:
            raise TooMany("this process is answering as many turns as it may")
        self._beginning += 1
        try:
            return await self._begin(tenant_id, conversation, wanted, wanted_claim)
        finally:
            self._beginning -= 1

    async def _begin(
        self, tenant_id: str, conversation: str | Choose, wanted: TurnCreate, wanted_claim: Claim
    ) -> TurnRun | StoredAnswer:
        timings = Timings()
        model = await self._generator.identity()
        turn_id, token = new_id("turn"), secrets.token_hex(16)
        async with self._database.unit_of_work(tenant_id) as work:
            stored = await claim(work, wanted_claim, turn_id=turn_id)
            if stored is not None:
                return stored
            conversation_id = conversation if isinstance(conversation, str) else await conversation(work, turn_id)
            place = await self._accept(
                work,
                model,
                {
                    "id": turn_id,
                    "conversation_id": conversation_id,
                    "fingerprint": model.fingerprint,
                    "input": wanted.input,
                    "consistency": wanted.consistency,
                    "key": wanted_claim.key,
                    "most_pending": self._settings.max_pending_turns,
                    "lease_owner": self._owner,
                    "lease_token": token,
                    "lease_s": self._settings.lease_s,
                },
            )
        timings.mark("accept")
        run = TurnRun(
            turn_id, tenant_id, conversation_id, place["user_id"], place["agent_id"],
            viewer_of(work.actor, place["user_id"], place["agent_id"]),
            own_words(model, conversation_id, place["parent_id"]), place["seq"], place["created_at"], token, wanted,
            wanted_claim, timings,
        )  # fmt: skip
        self._running[turn_id] = run
        run.task = asyncio.create_task(self._take(run))
        return run

    async def _accept(self, work: UnitOfWork, model: ModelIdentity, columns: dict[str, Any]) -> RowMapping:
        """The turn's place in the line. An archived state is activated for it; a conversation of another model first
        moves to this one (DESIGN 6b)."""
        conversation_id = columns["conversation_id"]
        place = await store.accept(work, **columns)
        if place is not None:
            return place
        locked = await conversations.lock(work, conversation_id)
        if locked is None:
            raise NotFound(f"there is no conversation {conversation_id}")
        await open_state(work, conversation_id, by=columns["id"])
        if locked["fingerprint"] != model.fingerprint:
            await move_to_model(work, conversation_id, model, created_by=MIGRATED_BY)
            await outbox.record(work, task=ADVANCE, subject=conversation_id, turn_id=None)
            work.after_commit(lambda: self._wake(conversation_id))
        place = await store.accept(work, **columns)
        if place is None:
            raise TooMany("this conversation has as many unapplied turns as it may")
        return place

    def cancel(self, turn_id: str) -> bool:
        """Stops a turn of this process; False if it is not here."""
        run = self._running.get(turn_id)
        if run is not None:
            run.cancel.set()
        return run is not None

    async def settled(self, turn_id: str, timeout_s: float) -> None:
        """Returns when a turn of this process has ended, however it ended, or after the timeout."""
        run = self._running.get(turn_id)
        if run is not None and run.task is not None:
            await asyncio.wait({run.task}, timeout=timeout_s)

    async def _take(self, run: TurnRun) -> None:
        structlog.contextvars.bind_contextvars(turn_id=run.turn_id, conversation_id=run.conversation_id)  # of this task
        try:
            async with asyncio.timeout(self._settings.turn_timeout_s + self._settings.turn_wait_s):
                base = await self._read(run)
                finished = await self._generate(run, base) if base is not None else None
                run.timings.mark("generate")
            run.finish(await self._answer(run, base, finished))
            run.timings.mark("answer")  # too late for what the answer tells, and in time for the metrics
            run.ended = "cancelled" if finished is None or finished.reason == "cancelled" else "answered"
        except TimeoutError:
            await self._fail(run, Unavailable("the answer took longer than turn_timeout_s"))
        except MemosError as error:
            await self._fail(run, error)
        except asyncio.CancelledError:
            await self._fail(run, Unavailable("this process is shutting down"))
            raise
        except Exception:
            LOG.exception("turn.failed")
            await self._fail(run, MemosError())
        finally:
            del self._running[run.turn_id]
            self._metrics.turn_ended(run.ended, run.timings.phases, run.timings.so_far_s)
            LOG.info("turn.ended", status=run.ended, took_ms=round(run.timings.so_far_s * 1000, 1))

    async def _read(self, run: TurnRun) -> RowMapping | None:
        """What the answer is made from: the state, and beside it what is recalled, which is looked for meanwhile."""
        recalling = asyncio.create_task(self._recalled(run))
        try:
            base = await self._pin(run)
            run.timings.mark("wait")
            if base is None:
                return None
            # An earlier turn was answered after we looked: what it said is to be found too.
            run.recalled = await self._recalled(run) if run.waited else await recalling
            run.timings.mark("recall")
            return base
        finally:
            recalling.cancel()

    async def _recalled(self, run: TurnRun) -> Recalled:
        return await self._recall.recall(
            run.tenant_id, run.viewer, question=run.wanted.input, top_k=run.wanted.recall.top_k, own=run.own
        )

    async def _pin(self, run: TurnRun) -> RowMapping | None:
        """The state to read. None if the turn was cancelled while it waited."""
        deadline = time.monotonic() + self._settings.turn_wait_s
        while True:
            base = await store.pin(self._database.single(run.tenant_id), run.turn_id)
            if base["turn_status"] != "accepted":
                raise _why_lost(base["turn_status"])
            behind = base["behind"] if run.wanted.consistency == "latest" else 0
            if not behind and base["number"] >= (run.wanted.min_version or 0):
                await self._make_anew(run, base)
                return base
            if run.cancel.is_set():
                return None
            left = deadline - time.monotonic()
            if left <= 0:
                raise MemoryBehind(
                    f"{base['behind']} earlier turns are not in the memory yet; it stands at version {base['number']}"
                )
            run.waited = True
            await self._wakeups.wait(conversation_channel(run.conversation_id), min(POLL_S, left))

    async def _make_anew(self, run: TurnRun, base: RowMapping) -> None:
        """Queues the deltas of another model to be made for this one; until then nobody mounts them."""
        stale = mounting.stale(base["deltas"])
        if not stale:
            return
        async with self._database.unit_of_work(str(run.tenant_id)) as work:
            await mounting.make_anew(work, stale, base["fingerprint"])
            work.after_commit(lambda: self._wakeups.wake(OUTBOX))

    async def _generate(self, run: TurnRun, base: RowMapping) -> Finished | None:
        """How the generation ended; None if it was cancelled. The text is in `run`."""
        consume = asyncio.create_task(self._consume(run, base))
        cancelled = asyncio.create_task(run.cancel.wait())
        try:
            await asyncio.wait({consume, cancelled}, return_when=asyncio.FIRST_COMPLETED)
            return consume.result() if consume.done() else None
        finally:
            cancelled.cancel()
            consume.cancel()
            # Its outcome has been told above, or nobody wants it any more: this only sees it end.
            with contextlib.suppress(asyncio.CancelledError, MemosError):
                await consume

    async def _consume(self, run: TurnRun, base: RowMapping) -> Finished | None:
        request = GenerateRequest(
            state=state_ref(base),
            text=run.wanted.input,
            system=run.wanted.system,
            recalled=run.recalled.texts,
            notes=run.recalled.notes,
            max_tokens=run.wanted.max_tokens,
            temperature=run.wanted.temperature,
            seed=run.wanted.seed,
            top_k=run.wanted.top_k or 0,
            top_p=1.0 if run.wanted.top_p is None else run.wanted.top_p,
            stop=tuple(run.wanted.stop or ()),
            deltas=tuple(delta.ref for delta in mounting.mounted(base["deltas"])),
        )
        try:
            async with contextlib.aclosing(self._generator.generate(request)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Finished):
                        return piece
                    run.say(piece.text)
        except StateUnreadable as error:
            raise error.of_version(base["id"]) from error
        except DeltaUnreadable as error:
            raise error.of_cube([delta.cube_id for delta in mounting.mounted(base["deltas"])]) from error
        raise Unavailable("the model ended its answer without saying so")

    async def _answer(self, run: TurnRun, base: RowMapping | None, finished: Finished | None) -> StoredAnswer:
        output, finish = run.so_far(finished)
        turn = answered_view(run, base, output, finish)
        body = turn.model_dump_json().encode()
        async with self._database.unit_of_work(run.tenant_id) as work:
            ours = await store.answer(
                work,
                id=run.turn_id,
                lease_token=run.lease_token,
                status=turn.status,
                output=output,
                finish_reason=finish.reason,
                base_version_id=base["id"] if base is not None else None,
                base_number=turn.memory.state_version,
                lag=turn.memory.lag,
                prompt_tokens=finish.prompt_tokens,
                completion_tokens=finish.completion_tokens,
                timings_ms=turn.timings_ms,
                recall=run.recalled.record,
            )
            if not ours:
                raise _why_lost((await store.pin(work, run.turn_id))["turn_status"])
            if base is not None:
                store.record_read(work, turn_id=run.turn_id, version_id=base["id"], rank=0, score=None)
                store.record_memories(work, turn_id=run.turn_id, reads=run.recalled.reads)
                cubes.count_reads(work, run.recalled.cube_ids)
                for rank, delta in enumerate(mounting.mounted(base["deltas"]), 1):
                    store.record_read(work, turn_id=run.turn_id, version_id=delta.version_id, rank=rank, score=None)
                    cubes.count_read(work, delta.cube_id)
            if run.claim.key is not None:
                keys.finish(work, key=run.claim.key, status=201, body=body)
            if turn.status == "answered":
                await outbox.record(work, task=ADVANCE, subject=run.conversation_id, turn_id=run.turn_id)
                record_turns(work, [_said(run, output)], by=run.turn_id)
            else:
                await outbox.nudge(work, run.conversation_id)
            work.after_commit(lambda: self._wake(run.conversation_id))
        return StoredAnswer(201, body)

    async def _fail(self, run: TurnRun, error: MemosError) -> None:
        """Fails the turn and frees its key. If even that cannot be written, the reaper will do it."""
        try:
            async with self._database.unit_of_work(run.tenant_id) as work:
                await store.fail(work, turn_id=run.turn_id, lease_token=run.lease_token, error=error.problem())
                await keys.release(work, [run.turn_id])
                await outbox.nudge(work, run.conversation_id)
                work.after_commit(lambda: self._wake(run.conversation_id))
        except Unavailable as failure:
            LOG.warning("turn.left_to_reaper", turn_id=run.turn_id, reason=failure.message)
        finally:
            run.fail(error)  # whatever else goes wrong, the client is not left waiting

    def _wake(self, conversation_id: str) -> None:
        self._wakeups.wake(OUTBOX)
        self._wakeups.wake(conversation_channel(conversation_id))

    async def _renew_forever(self) -> None:
        """Renews the leases of turns that take long, and sees what other processes asked of them."""
        every = min(HEARTBEAT_S, self._settings.lease_s / 3)
        while True:
            await asyncio.sleep(every)
            by_tenant: dict[str, list[str]] = defaultdict(list)
            for run in self._running.values():
                by_tenant[run.tenant_id].append(run.turn_id)
            for tenant_id, turn_ids in by_tenant.items():
                try:
                    await self._renew(tenant_id, turn_ids)
                except Unavailable as error:
                    LOG.warning("turn.lease_not_renewed", count=len(turn_ids), reason=error.message)

    async def _renew(self, tenant_id: str, turn_ids: list[str]) -> None:
        async with self._database.unit_of_work(tenant_id) as work:
            ours = await store.extend_leases(
                work, ids=turn_ids, lease_owner=self._owner, lease_s=self._settings.lease_s
            )
        for turn_id in turn_ids:
            if ours.get(turn_id, True):  # asked to stop, or no longer ours: nobody will take the answer
                self.cancel(turn_id)


def _said(run: TurnRun, output: str) -> Said:
    recalled = [hit.item.version_id for hit in run.recalled.hits]
    return Said(
        run.turn_id, run.conversation_id, run.user_id, run.agent_id, run.wanted.input, output, run.created_at, recalled
    )


def _why_lost(status: TurnStatus) -> MemosError:
    """Why a turn that we were answering is no longer ours."""
    return TurnLost() if status == "superseded" else LeaseLapsed()
