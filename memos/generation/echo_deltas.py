"""Deltas of the echo model: what it was taught is a list of digests, and every answer with a delta mounted says so.

`echo 0 [] {9f2c 77ab} hello` comes from an empty state with a delta that was taught two texts. A text that begins with
`/slow 50` makes its training sleep 50 ms before every step, which holds a run open; a blank text teaches nothing.
"""

import json
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from memos.generation.distiller import Lesson, Trained
from memos.generation.engine import StateRejected
from memos.generation.port import NothingToTeach

DIGEST_BYTES = 8
TOLD = 20  # how many times a training says how far it is


@dataclass(frozen=True, slots=True)
class EchoDelta:
    """`digests` of what was taught, oldest first, DIGEST_BYTES each."""

    digests: bytes

    def shown(self) -> list[str]:
        return [self.digests[at : at + 2].hex() for at in range(0, len(self.digests), DIGEST_BYTES)]


def taught_token(deltas: Sequence[EchoDelta]) -> str:
    """What an answer says of the deltas that it had mounted."""
    return " {" + " ".join(item for delta in deltas for item in delta.shown()) + "}"


def dump_delta(delta: EchoDelta, stamp: str) -> bytes:
    taught: np.ndarray[Any, Any] = np.frombuffer(delta.digests, dtype=np.uint8).reshape(-1, DIGEST_BYTES)
    return save({"taught": taught}, metadata={"memos.delta": stamp})


def load_delta(payload: bytes, stamp: str) -> EchoDelta:
    try:
        header = json.loads(payload[8 : 8 + int.from_bytes(payload[:8], "little")])
        theirs, mine = json.loads(header["__metadata__"]["memos.delta"]), json.loads(stamp)
        delta = EchoDelta(load(payload)["taught"].tobytes())
    except (SafetensorError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise StateRejected(f"the payload is not an echo delta: {error}") from error
    differing = [name for name in mine if theirs.get(name) != mine[name]]
    if differing:
        raise StateRejected(f"the delta was made for another model: {', '.join(differing)} differ", differing)
    return delta


class EchoDistiller:
    """Fits `memos.generation.distiller.Distiller`. `digests_of` a source: the text's own, or those of a state."""

    def __init__(self, stamp: str, digests_of: Callable[[str | bytes], bytes]) -> None:
        self._stamp = stamp
        self._digests_of = digests_of

    def forget(self) -> None:
        """It keeps nothing."""

    def train(self, lesson: Lesson) -> Generator[int, None, Trained]:
        digests = b"".join(self._digests_of(source) for source in lesson.sources)
        if not digests:
            raise NothingToTeach
        texts = [source for source in lesson.sources if isinstance(source, str)]
        slow = [text.split()[1] for text in texts if text.startswith("/slow ")]
        pause_s = min(1.0, int(slow[0]) / 1000) if slow and slow[0].isdecimal() else 0.0
        for step in range(0, lesson.steps, max(1, lesson.steps // TOLD)):
            time.sleep(pause_s)
            yield step
        yield lesson.steps
        figures = {"facts": float(len(digests) // DIGEST_BYTES), "right_before": 0.0, "right_after": 1.0}
        return Trained(dump_delta(EchoDelta(digests), self._stamp), figures)
