"""The state of a conversation that an upstream language model answers: the words of its last turns, as they were said.

Notable choices (decision 0023):

* A state is a bounded transcript, so a turn costs the same however long the conversation is: what was said before it is
  for recall to find. It depends on nothing but the turns, so a replay gives the same bytes, and another upstream model
  goes on from it.
* Its slots are its lines: turn n is slot (n - 1) mod `MOST_TURNS` of layer 0. A step writes one, whole; an answer reads
  all that it is shown.
* A payload holds words, and goes with its version like any other.

It answers nothing by itself: `memos.generation.upstream` does.
"""

import hashlib
import json
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from memos.generation.engine import (
    MOST_READ,
    Difference,
    SlotDrift,
    SlotRead,
    SlotWrite,
    StateRejected,
    Step,
    TensorChange,
)
from memos.generation.port import Finished
from memos.kernel.canonical import canonical_json, sha256_hex

MOST_TURNS = 32
MOST_CHARS = 8_000  # of one text; the middle of a longer one is left out
MOST_WORDS = 8  # of a line, as provenance
CUT = " [...] "


@dataclass(frozen=True, slots=True)
class Transcript:
    """`turns` are the last (said, answered), oldest first; `count` is of all; `chain` commits to all of them."""

    count: int
    turns: tuple[tuple[str, str], ...]
    chain: bytes


class TranscriptEngine:
    """Fits `memos.generation.engine.Engine`, but for answers."""

    def __init__(self, model: str) -> None:
        shape = {"state": "transcript", "format": 1, "state_shape": [MOST_TURNS, 2, MOST_CHARS]}
        self._fingerprint = sha256_hex(canonical_json(shape))
        self._identity: dict[str, Any] = {"model": model, "dtype": "text", "numerics": {}} | shape

    @property
    def identity(self) -> dict[str, Any]:
        return dict(self._identity)

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def start_state(self) -> Transcript:
        return Transcript(0, (), bytes(32))

    def dump_state(self, state: Transcript) -> bytes:
        words = np.frombuffer(canonical_json([list(turn) for turn in state.turns]), dtype=np.uint8)
        tensors: dict[str, np.ndarray[Any, Any]] = {
            "count": np.array([state.count], dtype=np.int64),
            "chain": np.frombuffer(state.chain, dtype=np.uint8),
            "turns": words,
        }
        stamp = f"{sha256_hex(state.chain + words.tobytes())} {self._fingerprint}"
        return save(tensors, metadata={"memos": stamp})

    def load_state(self, payload: bytes) -> Transcript:
        try:
            tensors = load(payload)
            header = json.loads(payload[8 : 8 + int.from_bytes(payload[:8], "little")])
            stamp = header["__metadata__"]["memos"].split(" ")[1]
            turns = tuple((str(said), str(answered)) for said, answered in json.loads(tensors["turns"].tobytes()))
            state = Transcript(int(tensors["count"].item()), turns, tensors["chain"].tobytes())
        except (SafetensorError, KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise StateRejected(f"the payload is no transcript: {error}") from error
        if stamp != self._fingerprint:
            raise StateRejected("the state was made by another model: fingerprint differs", ["fingerprint"])
        if self.dump_state(state) != payload:
            raise StateRejected("the state's payload is damaged: it is not what its content would be written as")
        return state

    def load_delta(self, payload: bytes) -> Any:
        raise StateRejected("an upstream model takes no deltas", ["fingerprint"])

    def generate(
        self,
        state: Transcript,
        text: str,
        *,
        recalled: Sequence[str] = (),
        deltas: Sequence[Any] = (),
        max_tokens: int = 64,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int | None = None,
        stop: Sequence[str] = (),
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Generator[str, None, Finished]:
        raise TypeError("a transcript answers nothing: the upstream model does")

    def advance(self, state: Transcript, text: str, output: str) -> Step[Transcript]:
        chain = hashlib.sha256(state.chain + canonical_json([text, output])).digest()
        turns = (*state.turns, (_cut(text), _cut(output)))[-MOST_TURNS:]
        after = Transcript(state.count + 1, turns, chain)
        return Step(after, _health(state, after), (SlotWrite(0, _slot(after.count), 1.0, _words(text)),))

    def reads(
        self, state: Transcript, text: str, output: str, recalled: Sequence[str] = (), deltas: Sequence[Any] = ()
    ) -> tuple[SlotRead, ...]:
        """The newest lines; nobody here sees which of them the upstream model looked at."""
        newest = sorted(_lines(state), key=lambda line: -line)[:MOST_READ]
        return tuple(SlotRead(0, _slot(number), 1 / len(newest)) for number in newest)

    def diff(self, before: Transcript, after: Transcript) -> Difference:
        """A line either is another or is not."""
        one, other = _by_slot(before), _by_slot(after)
        moved = sorted(slot for slot in one.keys() | other.keys() if one.get(slot) != other.get(slot))
        norms = [float(len(state.turns)) ** 0.5 for state in (before, after)]
        whole = TensorChange("turns", float(len(moved)) ** 0.5, *norms)
        return Difference((whole,), tuple(SlotDrift(0, slot, 1.0, 1.0) for slot in moved))

    def merge(self, base: Transcript, ours: Transcript, theirs: Transcript) -> Step[Transcript]:
        """Words have no mean: a line that both wrote since `base` stays ours, and every other is of who wrote it."""
        was, our, their = _by_slot(base), _by_slot(ours), _by_slot(theirs)
        lines = our | {slot: line for slot, line in their.items() if our.get(slot) == was.get(slot)}
        count = max(ours.count, theirs.count)
        numbers = range(max(1, count - MOST_TURNS + 1), count + 1)
        chain = hashlib.sha256(base.chain + ours.chain + theirs.chain).digest()
        merged = Transcript(count, tuple(lines[_slot(number)] for number in numbers), chain)
        return Step(merged, _health(ours, merged))


def _slot(number: int) -> int:
    return (number - 1) % MOST_TURNS


def _lines(state: Transcript) -> dict[int, tuple[str, str]]:
    """The turns held, by their numbers, counted from 1."""
    first = state.count - len(state.turns) + 1
    return {first + place: turn for place, turn in enumerate(state.turns)}


def _by_slot(state: Transcript) -> dict[int, tuple[str, str]]:
    return {_slot(number): turn for number, turn in _lines(state).items()}


def _cut(text: str) -> str:
    if len(text) <= MOST_CHARS:
        return text
    kept = (MOST_CHARS - len(CUT)) // 2
    return text[:kept] + CUT + text[-kept:]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split()[:MOST_WORDS])


def _health(parent: Transcript, state: Transcript) -> dict[str, float]:
    held = max(1, len(state.turns))
    distinct = len(set(state.turns))
    added = min(state.count - parent.count, held)
    return {
        "turns": float(state.count),
        "held": float(held),
        "slot_diversity": distinct / held,
        "gate_mean": added / MOST_TURNS,
        "drift": added / held,
        "distance_to_start": held / MOST_TURNS,
        "collapsed": 0.0,  # somebody may well say the same for hours: no fault of the memory's
    }
