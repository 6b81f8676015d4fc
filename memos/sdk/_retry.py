"""When to ask again, and how long to wait: connection errors, 429, 502 to 504, 409 `idempotency_in_flight`, and any
other refusal that names a time to come back (Retry-After).

A call whose answer was lost is sent again only if it takes effect once however often it is sent: a GET and a DELETE do
by nature, most POSTs by their idempotency key (`Call.once`). A refusal, or a connection that never came about, may be
repeated for any call. Bounded twice: by a number of tries for what fails, and by time for a call of ours that is still
being worked on. A service that asks for more patience than MAX_WAIT_S gets none.
"""

import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from types import TracebackType

from memos.sdk.errors import APIConnectionError, APIStatusError, RateLimitError, ServiceUnavailableError

MAX_WAIT_S = 60.0
FIRST_PAUSE_S, MOST_PAUSE_S = 0.2, 5.0
IN_FLIGHT = "idempotency_in_flight"


class Patience:
    """The patience of one logical call. Give it to `Attempts`; it is asked after each failure."""

    def __init__(
        self, max_retries: int, in_flight_s: float, *, once: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._once = once
        self._retries_left = max_retries
        self._clock = clock
        self._in_flight_s = in_flight_s
        self._deadline: float | None = None  # of the work in flight, from the first time that we hear of it

    def __call__(self, error: Exception) -> bool | float:
        """False: give up. True: try again after the usual backoff. A number: try again after so many seconds."""
        if isinstance(error, APIStatusError) and error.code == IN_FLIGHT:
            if self._deadline is None:
                self._deadline = self._clock() + self._in_flight_s
            wait_s = error.retry_after_s or 0.0
            return self._clock() + wait_s < self._deadline and self._wait(error)
        helps = isinstance(error, APIConnectionError | RateLimitError | ServiceUnavailableError)
        if not helps and not (isinstance(error, APIStatusError) and error.retry_after_s is not None):
            return False
        lost = isinstance(error, APIConnectionError) and error._sent and not self._once
        if self._retries_left <= 0 or lost:
            return False
        self._retries_left -= 1
        return self._wait(error)

    @staticmethod
    def _wait(error: Exception) -> bool | float:
        asked_s = error.retry_after_s if isinstance(error, APIStatusError) else None
        if asked_s is None:
            return True
        return asked_s if asked_s <= MAX_WAIT_S else False


def pause_s(number: int, chance: Callable[[], float] = random.random) -> float:
    """The usual backoff before try `number`, 1 being the first that repeats: it doubles, and no two callers agree."""
    return float(min(MOST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(number - 1, 16)) * (0.5 + chance() / 2))


class Attempt:
    """One try: `with attempt:`. An error that is worth another try ends here; every other one goes on its way."""

    def __init__(self, patience: Patience, number: int) -> None:
        self._patience = patience
        self._number = number
        self.again_in_s: float | None = None

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        verdict = self._patience(error)
        if verdict is False:
            return False
        self.again_in_s = pause_s(self._number) if verdict is True else verdict
        return True


class Attempts:
    """`for attempt in Attempts(patience): with attempt: ...`, or the same with `async for`; ends after a good one."""

    def __init__(self, patience: Patience) -> None:
        # The patience does the counting, so that waiting for our own work does not use up the tries for failures.
        self._tries = (Attempt(patience, number) for number in count(1))

    def __iter__(self) -> Iterator[Attempt]:
        for attempt in self._tries:
            yield attempt
            if attempt.again_in_s is None:
                return
            time.sleep(attempt.again_in_s)

    async def __aiter__(self) -> AsyncIterator[Attempt]:
        import asyncio

        for attempt in self._tries:
            yield attempt
            if attempt.again_in_s is None:
                return
            await asyncio.sleep(attempt.again_in_s)
