"""One turn on its way through this process: what it is, what it has said so far, and who waits for it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from memos.generation.port import Finished
from memos.idempotency.service import Claim, StoredAnswer
from memos.kit import tracing
from memos.kit.errors import MemosError
from memos.kit.unit_of_work import UnitOfWork
from memos.memories.sight import Viewer
from memos.turns.recalling import OFF, Recalled
from memos.turns.schemas import TurnCreate

# Chooses the conversation of the turn with this id, in the transaction that accepts it; what it raises refuses it.
Choose = Callable[[UnitOfWork, str], Awaitable[str]]


class Timings:
    """Milliseconds spent in each phase of a turn, in order; each is also a span of the turn's trace."""

    def __init__(self) -> None:
        self._began = self._last = time.perf_counter()
        self.phases: dict[str, float] = {}

    def mark(self, phase: str) -> None:
        now = time.perf_counter()
        self.phases[phase] = round((now - self._last) * 1000, 3)
        tracing.happened(f"turn.{phase}", now - self._last)
        self._last = now

    @property
    def so_far_s(self) -> float:
        """Since the turn came in."""
        return time.perf_counter() - self._began


@dataclass(eq=False, slots=True)
class TurnRun:
    """Lives from the first transaction to the last. Tokens are provisional until `outcome` is set."""

    turn_id: str
    tenant_id: str
    conversation_id: str
    user_id: str
    agent_id: str | None
    viewer: Viewer  # whose memories it may be given
    own: frozenset[str] | None  # see `memos.turns.recalling`
    seq: int
    created_at: datetime
    lease_token: str
    wanted: TurnCreate
    claim: Claim
    timings: Timings
    tokens: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)
    said: list[str] = field(default_factory=list)
    cancel: asyncio.Event = field(default_factory=asyncio.Event)
    outcome: "asyncio.Future[StoredAnswer]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    task: "asyncio.Task[None] | None" = None
    ended: str = "failed"
    recalled: Recalled = OFF
    waited: bool = False  # for earlier turns: what was recalled meanwhile may lack what they said

    def __post_init__(self) -> None:
        # Who may take the turn was settled when it was accepted; from here on it is the service's own work.
        self.tenant_id = str(self.tenant_id)

    @property
    def keyed(self) -> bool:
        return self.claim.key is not None

    def say(self, text: str) -> None:
        self.said.append(text)
        self.tokens.put_nowait(text)

    def so_far(self, reason: Finished | None) -> tuple[str, Finished]:
        """The answer; one cut short counts its pieces as tokens."""
        return "".join(self.said), reason or Finished("cancelled", 0, len(self.said))

    def finish(self, answer: StoredAnswer) -> None:
        if not self.outcome.done():
            self.outcome.set_result(answer)
        self.tokens.put_nowait(None)

    def fail(self, error: MemosError) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)
            self.outcome.exception()  # nobody may be waiting any more: that is not an unretrieved error
        self.tokens.put_nowait(None)
