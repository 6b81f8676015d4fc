"""Takes a turn for a chat client that resends its history with every request (decision 0022).

    named by X-Memos-Conversation      that conversation goes on
    the history ends at a known head   its conversation goes on
    it ends at a known earlier turn    a fork begins there: an edit, or an answer made anew
    a part of it is known              as above, and the rest is taken in first
    nothing of it is known             a conversation begins, and the history is taken in first

The choice, and the claim on the request, are made in the transaction that accepts the turn: two requests that race
cannot both go on from one head, and a retry finds the turn that its first try began. Whoever is asked for is bound as
the acting person, so that row-level security, and no care of ours, keeps one user from another's conversation.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import RowMapping

from memos.chats import store
from memos.chats.messages import Exchange, Said
from memos.conversations import service as conversations
from memos.conversations import store as conversation_store
from memos.conversations.schemas import ConversationCreate, ForkRequest
from memos.conversations.service import TurnNotApplied, open_state
from memos.generation.port import Generator, ModelIdentity
from memos.idempotency.service import Claim, StoredAnswer
from memos.kit.config import Settings
from memos.kit.db import Database
from memos.kit.errors import NotFound, TooLarge, Unavailable
from memos.kit.unit_of_work import UnitOfWork
from memos.kit.wakeups import OUTBOX, Wakeups
from memos.outbox import store as outbox
from memos.turns import history
from memos.turns import store as turns
from memos.turns.errors import MemoryBehind
from memos.turns.history import remember
from memos.turns.run import TurnRun
from memos.turns.schemas import Turn, TurnCreate
from memos.turns.service import ADVANCE, TurnService, conversation_channel

LOG = structlog.get_logger(__name__)
POLL_S = 0.25
UNDER_WAY, ENDED = "accepted", ("answered", "applied")


@dataclass(frozen=True, slots=True)
class ChatTurn:
    """What a chat client asks for. `tenant_id` is bound to whose memory it is. `request` stands for the whole request;
    `retries`: how often the client says that it sent it before, None if it does not say."""

    tenant_id: str
    user_id: str
    agent_id: str | None
    said: Said
    wanted: TurnCreate
    claim: Claim
    request: bytes
    by: str
    conversation_id: str | None = None
    retries: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the known part of a history ends, after so many exchanges."""

    turn: RowMapping | None
    exchanges: int


class Joined(Exception):
    """The very request has a turn already."""

    def __init__(self, turn_id: str) -> None:
        self.turn_id = turn_id


class HistoryFirst(Exception):
    """A part of the history has to be taken in before the turn."""


class ChatService:
    """Over `TurnService`, which answers; this only finds where."""

    def __init__(
        self, database: Database, turn_service: TurnService, generator: Generator, wakeups: Wakeups, settings: Settings
    ) -> None:
        self._database = database
        self._turns = turn_service
        self._generator = generator
        self._wakeups = wakeups
        self._settings = settings
        self._noting: set[asyncio.Task[None]] = set()

    async def begin(self, asked: ChatTurn) -> TurnRun | Turn:
        """The turn under way, or as it stands if this very request was answered before. Raises what `TurnService.begin`
        raises, and MemoryBehind if the history is not taken in in time: a retry then finds it taken in."""
        deadline = time.monotonic() + self._settings.turn_wait_s
        model = await self._generator.identity()
        while True:
            try:
                begun = await self._turns.begin(
                    asked.tenant_id, lambda work, turn_id: self._choose(work, turn_id, asked, model), asked.wanted,
                    asked.claim,
                )  # fmt: skip
            except Joined as joined:
                turn = await self._ended(asked.tenant_id, joined.turn_id)
                if turn is not None:
                    return turn
            except HistoryFirst:
                await self._settled(asked.tenant_id, await self._take_in(asked, model), deadline)
            except TurnNotApplied as error:  # a fork waits until its first turn is in the memory
                if time.monotonic() > deadline:
                    raise MemoryBehind(error.message) from error
                await asyncio.sleep(POLL_S)
            else:
                return Turn.model_validate_json(begun.body) if isinstance(begun, StoredAnswer) else begun

    async def lost(self, tenant_id: str, turn_id: str) -> None:
        """Its client went away before it had the answer: the same request again is a retry, whatever it says."""
        try:
            async with self._database.unit_of_work(str(tenant_id)) as work:
                await store.lost(work, turn_id)
        except Unavailable as error:
            LOG.warning("chat.loss_not_noted", turn_id=turn_id, reason=error.message)

    def note_lost(self, tenant_id: str, turn_id: str) -> None:
        """The same, for whoever may not wait."""
        noting = asyncio.create_task(self.lost(tenant_id, turn_id))
        self._noting.add(noting)
        noting.add_done_callback(self._noting.discard)

    async def _choose(self, work: UnitOfWork, turn_id: str, asked: ChatTurn, model: ModelIdentity) -> str:
        """The conversation of the turn, and the row by which its retry finds it."""
        await store.serialise(work, asked.request)
        if asked.claim.key is None:
            before = await store.asked(work, asked.request)
            if before is not None and self._is_retry(before, asked):
                raise Joined(before["turn_id"])
        if asked.conversation_id is not None:
            if await conversation_store.get(work, asked.conversation_id) is None:
                raise NotFound(f"there is no conversation {asked.conversation_id}")
            chosen = asked.conversation_id
        else:
            chosen = await self._found(work, asked, model)
        through = None if asked.conversation_id is not None else asked.said.through
        store.insert(work, turn_id=turn_id, conversation_id=chosen, through=through, request=asked.request)
        return chosen

    def _is_retry(self, before: RowMapping, asked: ChatTurn) -> bool:
        if before["status"] == UNDER_WAY or before["lost"]:
            return True
        if asked.retries is not None:
            return asked.retries > 0
        # A client that does not say. In a named conversation the same words may well be said twice.
        return not before["named"] and before["answered_s_ago"] < self._settings.chat_retry_s

    async def _found(self, work: UnitOfWork, asked: ChatTurn, model: ModelIdentity) -> str:
        before = asked.said.before
        if not before:
            return await self._started(work, asked, model)
        place = await _place(work, before)
        if place.exchanges < len(before) or place.turn is None:
            raise HistoryFirst
        return await self._from(work, place.turn, before, asked.by)

    async def _from(self, work: UnitOfWork, turn: RowMapping, before: Sequence[Exchange], by: str) -> str:
        """The conversation whose line ends with this turn: its own, or a fork."""
        conversation_id = str(turn["conversation_id"])
        if turn["is_head"]:
            # Looked at once more under its lock: another request may have gone on from here meanwhile.
            await conversation_store.lock(work, conversation_id)
            again = await _place(work, before)
            if again.turn is not None and again.turn["turn_id"] == turn["turn_id"] and again.turn["is_head"]:
                return conversation_id
        return (await conversations.fork(work, conversation_id, ForkRequest(at_turn=turn["seq"]), by)).id

    async def _started(self, work: UnitOfWork, asked: ChatTurn, model: ModelIdentity) -> str:
        wanted = ConversationCreate(user_id=asked.user_id, agent_id=asked.agent_id)
        return (await conversations.create(work, wanted, model, asked.by)).id

    async def _take_in(self, asked: ChatTurn, model: ModelIdentity) -> str:
        """Takes in what of the history is not known; the conversation that then ends with it."""
        before = asked.said.before
        longest = max(max(len(one.input), len(one.output)) for one in before)
        if longest > (most := self._settings.max_input_chars):
            raise TooLarge(f"a message has {longest} characters; {most} is the most")
        async with self._database.unit_of_work(asked.tenant_id) as work:
            await store.serialise(work, before[-1].through)
            place = await _place(work, before)
            if place.turn is None:
                chosen = await self._started(work, asked, model)
            elif place.exchanges == len(before):
                return str(place.turn["conversation_id"])  # another request did it
            else:
                chosen = await self._from(work, place.turn, before[: place.exchanges], asked.by)
                await open_state(work, chosen, by=asked.by)
            rest = before[place.exchanges :]
            ids = await turns.insert_imported(work, chosen, [(one.input, one.output, None) for one in rest])
            if ids is None:
                raise NotFound(f"there is no conversation {chosen}")
            rows = zip(ids, rest, strict=True)
            await store.insert_many(
                work, [{"turn_id": id, "conversation_id": chosen, "through": one.through} for id, one in rows]
            )
            await outbox.record_many(work, task=ADVANCE, subject=chosen, turn_ids=ids)
            await remember(work, chosen, ids, by=asked.by)
            work.after_commit(lambda: self._wakeups.wake(OUTBOX))
        return chosen

    async def _settled(self, tenant_id: str, conversation_id: str, deadline: float) -> None:
        """Waits until all that was taken in is in the memory."""
        while True:
            row = await conversation_store.get(self._database.single(tenant_id), conversation_id)
            if row is None or not row["pending_turns"]:
                return
            if time.monotonic() > deadline:
                raise MemoryBehind(f"{row['pending_turns']} turns of the history are not in the memory yet")
            await self._wakeups.wait(conversation_channel(conversation_id), POLL_S)

    async def _ended(self, tenant_id: str, turn_id: str) -> Turn | None:
        """The turn once it has ended; None if it came to nothing, and may be begun anew."""
        deadline = time.monotonic() + self._settings.turn_timeout_s + self._settings.turn_wait_s
        while time.monotonic() < deadline:
            row = await store.status(self._database.single(tenant_id), turn_id)
            if row is None or row["status"] not in (UNDER_WAY, *ENDED):
                return None
            if row["status"] in ENDED:
                async with self._database.unit_of_work(tenant_id) as work:
                    return await history.get(work, turn_id)
            await self._wakeups.wait(conversation_channel(row["conversation_id"]), POLL_S)
        raise Unavailable("the answer to this request is still being made")


async def _place(work: UnitOfWork, before: Sequence[Exchange]) -> Place:
    """The longest beginning of the history that is known; the whole of it is looked for first."""
    for wanted in (before[-1:], before):
        held: dict[bytes, list[RowMapping]] = {}
        for row in await store.known(work, [one.through for one in wanted]):
            held.setdefault(bytes(row["through"]), []).append(row)
        for exchanges in range(len(before), len(before) - len(wanted), -1):
            one = before[exchanges - 1]
            for row in held.get(one.through, ()):
                if row["output"].strip() == one.output.strip():
                    return Place(row, exchanges)
    return Place(None, 0)
