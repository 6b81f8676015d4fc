"""Tells whoever waits what they are waiting for. A step that is over within a second is not worth a line."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

WORTH_A_LINE_S = 1.0


class Progress:
    """Lines go to `say`, one call per line; it may be called from another thread."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Announces a step once it has taken a second, and its duration when it is over."""
        started = time.monotonic()
        notice = threading.Timer(WORTH_A_LINE_S, self.say, (f"{name} ...",))
        notice.daemon = True
        notice.start()
        try:
            yield
        finally:
            notice.cancel()
            elapsed_s = time.monotonic() - started
            if elapsed_s >= WORTH_A_LINE_S:
                self.say(f"{name}: {elapsed_s:.1f} s")
