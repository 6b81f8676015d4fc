"""Many conversations decoded together: sequences join and leave at every step.

Notable choices
* There is no thread for it. Whoever wants a token and has none takes the baton, runs one step for all sequences, leaves
  the others' tokens in their queues and lets the baton go; a lone caller computes in its own thread.
* A sequence whose caller does not read is not stepped once it has 8 unread tokens: it delays nobody.
* Rows of the decoder are given out in the order of asking, the lowest first, which keeps the active ones together.
* `cancelled` is asked in the caller's own thread, before every token. `draw` is called by whoever has the baton; what
  it raises goes to its own caller.
* When all draws of a step are greedy, they are one call for the whole batch; only ids come back to the host.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from models.engine.decoding import NEVER, FastDecoder
from models.engine.mounts import Mount
from models.rxt.decoder import KeysValues

AHEAD = 8  # unread tokens
POLL_S = 0.05  # how often a caller who waits for others asks whether it was cancelled
THREADS = 1

Reason = Literal["stop", "length", "cancelled"]
Draw = Callable[[Tensor], int]


def one_thread() -> None:
    """One thread of arithmetic; torch keeps the number per thread of the caller, and a call may come from a new one."""
    if torch.get_num_threads() != THREADS:
        torch.set_num_threads(THREADS)


@dataclass(slots=True, eq=False)
class _Sequence:
    """One answer in the making. What a step changes is read by its caller, so it changes only under the lock."""

    tokens: list[int]  # to be read next: the prompt, then the last token
    memory: Sequence[KeysValues]
    allowed: Tensor
    draw: Draw | None
    limit: int
    end: int
    mount: Mount | None = None
    row: int = -1  # none yet
    started: bool = False
    count: int = 0
    unread: deque[int] = field(default_factory=deque)
    reason: Reason | None = None
    error: BaseException | None = None
    left: bool = False  # the caller wants no more

    @property
    def over(self) -> bool:
        return self.left or self.reason is not None or self.error is not None

    def settle(self, outcome: int | BaseException) -> None:
        """A drawn token, or what was raised instead."""
        if isinstance(outcome, BaseException):
            self.error = outcome
            return
        if outcome == self.end:
            self.reason = "stop"
            return
        self.tokens = [outcome]
        self.count += 1
        self.unread.append(outcome)
        if self.count >= self.limit:
            self.reason = "length"


class Batcher:
    """Decodes the sequences of any number of threads together, at most `rows` at a time."""

    def __init__(self, fast: FastDecoder, rows: int = 16) -> None:
        if not 0 < rows <= fast.rows:
            raise ValueError(f"{rows} rows of a decoder that has {fast.rows}")
        self._fast = fast
        self._free = list(range(rows))
        self._allowed: Tensor | None = None  # [rows, C], made by the first sequence
        self._rows = rows
        self._waiting: deque[_Sequence] = deque()
        self._active: list[_Sequence] = []
        self._taken = False  # the baton
        self._changed = threading.Condition()

    @property
    def free(self) -> int:
        """Rows that no sequence has."""
        with self._changed:
            return len(self._free)

    def stream(
        self,
        tokens: list[int],
        memory: Sequence[KeysValues],
        allowed: Tensor,
        draw: Draw | None,
        limit: int,
        end: int,
        cancelled: Callable[[], bool] = lambda: False,
        mount: Mount | None = None,
    ) -> Generator[int, None, Reason]:
        """Yields the tokens after prompt `tokens`, at most `limit`, without `end`; returns why they ended.

        `memory`: of `Rxt.project_memory`. `allowed` [C] is added to scores; `draw` chooses a token by scores [C], None
        is the best one. `mount`: the deltas of this sequence, whose words stand behind the others in `allowed`.
        Raises what `draw` and `cancelled` raise, and ValueError for a prompt that does not fit.
        """
        if limit <= 0:
            return "length"
        mine = _Sequence(tokens, memory, allowed, draw, limit, end, mount)
        with self._changed:
            self._waiting.append(mine)
        try:
            while not cancelled():
                token = self._next(mine)
                if token is not None:
                    yield token
                elif mine.over and not mine.unread:  # in this order: the last token comes with the reason
                    if mine.error is not None:
                        raise mine.error
                    return mine.reason or "cancelled"
            return "cancelled"
        finally:
            with self._changed:
                mine.left = True
                if not self._taken:  # else whoever has the baton sweeps after the step
                    self._sweep()
                self._changed.notify_all()

    def _next(self, mine: _Sequence) -> int | None:
        """The next token; None when there is none, or none yet."""
        with self._changed:
            if not (mine.unread or mine.over) and (self._taken or not self._work()):
                self._changed.wait(POLL_S)
            if mine.unread:
                if len(mine.unread) == AHEAD:
                    self._changed.notify_all()  # it may be stepped again
                return mine.unread.popleft()
            if mine.over or self._taken or not self._work():
                return None
            self._taken = True
            self._admit()
            batch = [s for s in self._active if not s.over and len(s.unread) < AHEAD]
        outcomes: dict[_Sequence, int | BaseException] = {}
        try:
            self._step(batch, outcomes)
        except BaseException as error:  # of no single sequence: how far the decoder got is not known
            outcomes.update(dict.fromkeys(batch, error))
            raise
        finally:
            with self._changed:
                for sequence, outcome in outcomes.items():
                    sequence.settle(outcome)
                self._taken = False
                self._sweep()
                self._changed.notify_all()
        return None

    def _work(self) -> bool:
        return bool(self._waiting and self._free) or any(not s.over and len(s.unread) < AHEAD for s in self._active)

    def _admit(self) -> None:
        while self._waiting and self._free:
            sequence = self._waiting.popleft()
            sequence.row = heappop(self._free)
            self._active.append(sequence)

    def _sweep(self) -> None:
        """Frees the rows of what is over. Never during a step."""
        for sequence in [s for s in self._active if s.over]:
            self._active.remove(sequence)
            heappush(self._free, sequence.row)
        if any(s.left for s in self._waiting):
            self._waiting = deque(s for s in self._waiting if not s.left)

    def _step(self, batch: list[_Sequence], outcomes: dict[_Sequence, int | BaseException]) -> None:
        """One token, or what was raised instead, for every sequence of the batch."""
        one_thread()
        with torch.inference_mode():
            going = [s for s in batch if s.started]
            parts = []
            if going:
                parts.append(self._fast.step([s.row for s in going], [s.tokens[0] for s in going]))
            for sequence in [s for s in batch if not s.started]:
                try:
                    parts.append(self._start(sequence)[None])
                    going.append(sequence)
                except Exception as error:
                    outcomes[sequence] = error
            if going:
                self._draw(going, parts[0] if len(parts) == 1 else torch.cat(parts), outcomes)

    def _start(self, sequence: _Sequence) -> Tensor:
        """Reads a prompt; activations [D] after it."""
        activations = self._fast.prefill(sequence.row, sequence.tokens, sequence.memory, sequence.mount)
        wanted = self._fast.candidates + (0 if sequence.mount is None else len(sequence.mount.words))
        if self._allowed is None:
            self._allowed = activations.new_zeros(self._rows, wanted)
        if wanted > self._allowed.shape[1]:
            self._allowed = F.pad(self._allowed, (0, wanted - self._allowed.shape[1]), value=NEVER)
        self._allowed[sequence.row, wanted:] = NEVER
        self._allowed[sequence.row, :wanted] = sequence.allowed
        sequence.started = True
        return activations

    def _draw(
        self, going: list[_Sequence], activations: Tensor, outcomes: dict[_Sequence, int | BaseException]
    ) -> None:
        assert self._allowed is not None
        rows = [s.row for s in going]
        scores = self._fast.scores(activations, rows)
        allowed, least = self._allowed[rows], min(scores.shape[1], self._allowed.shape[1])
        scores = scores[:, :least].add_(allowed[:, :least])
        best = scores.argmax(dim=-1).tolist() if any(s.draw is None for s in going) else [0] * len(going)
        for index, sequence in enumerate(going):
            try:
                outcomes[sequence] = (
                    best[index] if sequence.draw is None else sequence.draw(scores[index, : len(sequence.allowed)])
                )
            except Exception as error:
                outcomes[sequence] = error
