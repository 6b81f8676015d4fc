"""When to ask again, and how long to wait: connection errors, 429, 502 to 504, 409 `idempotency_in_flight`, and any
other refusal that names a time to come back (Retry-After).

A call whose answer was lost is sent again only if it takes effect once however often it is sent: a GET and a DELETE do
by nature, most POSTs by their idempotency key (`Call.once`). A refusal, or a connection that never came about, may be
repeated for any call. Bounded twice: by a number of tries for what fails, and by time for a call of ours that is still
being worked on. A service that asks for more patience than MAX_WAIT_S gets none.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from memos.sdk.errors import APIConnectionError, APIStatusError, RateLimitError, ServiceUnavailableError

if TYPE_CHECKING:
    import stamina._core

MAX_WAIT_S = 60.0
IN_FLIGHT = "idempotency_in_flight"


class Patience:
    """The patience of one logical call. Give it to `attempts`; it is asked after each failure."""

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


def attempts(patience: Patience) -> "stamina._core._RetryContextIterator":
    """`for attempt in attempts(patience): with attempt: ...`, or the same with `async for`."""
    import stamina

    # The patience does the counting, so that waiting for our own work does not use up the tries for failures.
    return stamina.retry_context(on=patience, attempts=None, timeout=None, wait_initial=0.1, wait_max=5.0)
