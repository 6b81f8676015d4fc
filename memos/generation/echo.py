"""A deterministic stand-in for the model, with a real state: it remembers which turns it has seen, and every answer
says so. What a test wants to know of a memory system (which turns did this state hold, in which order, once each?)
can be read off the answer: `echo 3 [1:9f2c 2:77ab 3:01de] hello` comes from a state of three turns.

It learns nothing and understands nothing. Notable choices:

* A word is a token, except that the bracketed list is one token: a small `max_tokens` never cuts the evidence.
* The state keeps a digest of each of the last 4,096 inputs, a count, and a hash chained over every (input, answer)
  that was ever advanced, so its size is bounded and two states are equal only if their whole histories are.
  An answer lists the last 256 turns; `held_turns` reads all that a payload still holds.
* Its slots are the lines it remembers: the turn numbered n is slot (n - 1) mod 4,096 of layer 0. A step writes one
  slot, whole, and says with which words; an answer reads the lines that it lists, each as often as it lists it.
* With deltas mounted an answer also lists what those were taught (`memos.generation.echo_deltas`).
* Two commands at the start of an input are for tests. `/slow 50 text` sleeps 50 ms before every token, which holds a
  turn open; `/recall text` appends the recalled texts to the answer, which shows what recall handed to the generator.
"""

import hashlib
import json
import math
import re
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from memos.generation.echo_deltas import EchoDelta, EchoDistiller, load_delta, taught_token
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
from memos.generation.port import FinishReason
from memos.kernel.canonical import canonical_json, sha256_hex

MAX_TURNS_HELD = 4096
MAX_TURNS_SHOWN = 256
DIGEST_BYTES = 8
MAX_SLOW_MS = 10_000
MAX_WORDS = 8  # of a line, as provenance
COLLAPSE_LINES = 8
_LISTED = re.compile(r"(?<![0-9a-f:])\d+:[0-9a-f]{4}(?![0-9a-f:])")
_WORD = re.compile(r"\s*\S+(?:\s+\Z)?|\s+\Z")
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")
_OF_ONESELF = re.compile(r"(?:I|My)\b[^?]*\Z")
_SLOW = re.compile(r"/slow (\d{1,5})(?:\s|\Z)")
_MATCHED = ("model", "weights_sha256", "tokenizer_sha256", "dtype", "state_shape")


@dataclass(frozen=True, slots=True)
class EchoState:
    """`digests` holds the last turns' input digests, oldest first, DIGEST_BYTES each; `chain` commits to all turns."""

    count: int
    digests: bytes
    chain: bytes


@dataclass(frozen=True, slots=True)
class EchoFinish:
    reason: FinishReason
    prompt_tokens: int
    completion_tokens: int


def turn_fingerprint(text: str) -> str:
    """How a turn with this input shows in an answer's list."""
    return _digest(text)[:2].hex()


def held_turns(payload: bytes) -> list[tuple[int, str]]:
    """The (turn number, fingerprint) pairs in a state's payload, oldest first; of any echo model."""
    return list(_numbered(_decode(payload)[0], MAX_TURNS_HELD))


class EchoEngine:
    """Fits `memos.generation.engine.Engine`. Another `revision` is another model, which refuses this one's states."""

    def __init__(self, revision: int = 1) -> None:
        source = f"memos echo, revision {revision}".encode()
        self._identity: dict[str, Any] = {
            "model": "echo" if revision == 1 else f"echo-{revision}",
            "weights_sha256": sha256_hex(source + b", weights"),
            "tokenizer_sha256": sha256_hex(source + b", tokenizer"),
            "dtype": "uint8",
            "state_shape": [MAX_TURNS_HELD, DIGEST_BYTES],
            "numerics": {},
        }
        self._fingerprint = sha256_hex(canonical_json({name: self._identity[name] for name in _MATCHED}))
        # One metadata entry: safetensors writes several in no fixed order, and equal states must be equal bytes.
        self._stamp = canonical_json(
            {"fingerprint": self._fingerprint} | {name: self._identity[name] for name in _MATCHED}
        ).decode()

    @property
    def identity(self) -> dict[str, Any]:
        return dict(self._identity)

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def start_state(self) -> EchoState:
        return EchoState(0, b"", bytes(32))

    def load_state(self, payload: bytes) -> EchoState:
        state, stamp = _decode(payload)
        mine = json.loads(self._stamp)
        differing = [name for name in mine if stamp.get(name) != mine[name]]
        if differing:
            raise StateRejected(f"the state was made by another model: {', '.join(differing)} differ", differing)
        # Its checksum is part of what would be written, so this finds a change anywhere.
        if self.dump_state(state) != payload:
            raise StateRejected("the state's payload is damaged: it is not what its content would be written as")
        return state

    def dump_state(self, state: EchoState) -> bytes:
        return _encode(state, self._stamp)

    def load_delta(self, payload: bytes) -> EchoDelta:
        return load_delta(payload, self._stamp)

    def distiller(self) -> EchoDistiller:
        """Its own teacher: a text teaches its digest, a state those of the turns it holds."""
        return EchoDistiller(self._stamp, self._taught)

    def _taught(self, source: str | bytes) -> bytes:
        if isinstance(source, bytes):
            return self.load_state(source).digests
        return _digest(source) if source.strip() else b""

    def generate(
        self,
        state: EchoState,
        text: str,
        *,
        recalled: Sequence[str] = (),
        deltas: Sequence[EchoDelta] = (),
        max_tokens: int = 64,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int | None = None,
        stop: Sequence[str] = (),
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Generator[str, None, EchoFinish]:
        """Streams `echo N [turns] text`, up to the first of the `stop` texts. The options of drawing change nothing:
        there is nothing to draw."""
        prompt_tokens = len(text.split()) + sum(len(item.split()) for item in recalled)
        slow = _SLOW.match(text)
        pause_s = min(int(slow.group(1)), MAX_SLOW_MS) / 1000 if slow else 0.0
        answer = text
        if text.startswith("/recall"):
            answer += "".join(f" | {item}" for item in recalled)
        count, held = 0, ""
        reason: FinishReason = "stop"
        for token in self._tokens(state, answer, deltas):
            if count == max_tokens:
                reason = "length"
                break
            if pause_s:
                time.sleep(pause_s)
            if cancelled():
                return EchoFinish("cancelled", prompt_tokens, count)
            count += 1
            said, held, stopped = _split(held + token, stop)
            if said:
                yield said
            if stopped:
                return EchoFinish("stop", prompt_tokens, count)
        if held:
            yield held
        return EchoFinish(reason, prompt_tokens, count)

    def advance(self, state: EchoState, text: str, output: str) -> Step[EchoState]:
        digest = _digest(text)
        kept = state.digests[-(MAX_TURNS_HELD - 1) * DIGEST_BYTES :]
        answer = hashlib.sha256(_bytes(output)).digest()
        chain = hashlib.sha256(state.chain + hashlib.sha256(_bytes(text)).digest() + answer).digest()
        after = EchoState(state.count + 1, kept + digest, chain)
        write = SlotWrite(0, _slot(after.count), 1.0, tuple(text.split()[:MAX_WORDS]))
        return Step(after, _health(state, after), (write,))

    def reads(
        self,
        state: EchoState,
        text: str,
        output: str,
        recalled: Sequence[str] = (),
        deltas: Sequence[EchoDelta] = (),
    ) -> tuple[SlotRead, ...]:
        """Of the lines held, those that the answer lists."""
        held = {f"{number}:{fingerprint}": number for number, fingerprint in _numbered(state, MAX_TURNS_HELD)}
        listed = Counter(held[item] for item in _LISTED.findall(output) if item in held)
        most = sorted(listed.items(), key=lambda item: (-item[1], -item[0]))[:MOST_READ]
        return tuple(SlotRead(0, _slot(number), times / listed.total()) for number, times in most)

    def diff(self, before: EchoState, after: EchoState) -> Difference:
        """By the lines held; a line that is not there counts as zeros."""
        one, other = _lines(before), _lines(after)
        slots = []
        for slot in sorted(one.keys() | other.keys()):
            was, now = _numbers(one.get(slot)), _numbers(other.get(slot))
            norm = float(np.linalg.norm(now - was))
            if norm:
                slots.append(SlotDrift(0, slot, norm, norm / max(float(np.linalg.norm(was)), 1.0)))
        norms = [float(np.linalg.norm(_numbers(state.digests))) for state in (before, after)]
        whole = TensorChange("digests", math.hypot(*(slot.norm for slot in slots)), *norms)
        return Difference((whole,), tuple(sorted(slots, key=lambda slot: (-slot.norm, slot.slot))))

    def merge(self, base: EchoState, ours: EchoState, theirs: EchoState) -> Step[EchoState]:
        """Digests have no mean: a line that both wrote since `base` stays ours, and every other is of who wrote it."""
        was, our, their = _lines(base), _lines(ours), _lines(theirs)
        lines = our | {slot: line for slot, line in their.items() if our.get(slot) == was.get(slot)}
        count = max(ours.count, theirs.count)
        digests = b"".join(lines[_slot(number)] for number in range(max(1, count - MAX_TURNS_HELD + 1), count + 1))
        merged = EchoState(count, digests, hashlib.sha256(base.chain + ours.chain + theirs.chain).digest())
        return Step(merged, _health(ours, merged))

    def fold(self, episodes: Sequence[str]) -> list[str]:
        """What somebody said of themselves: every sentence that begins with "I" or "My", once, as it was said."""
        said = (found.strip() for episode in episodes for found in _SENTENCE.findall(episode))
        return list(dict.fromkeys(sentence for sentence in said if _OF_ONESELF.match(sentence)))

    @staticmethod
    def _tokens(state: EchoState, answer: str, deltas: Sequence[EchoDelta]) -> Iterator[str]:
        shown = " ".join(f"{number}:{fingerprint}" for number, fingerprint in _numbered(state, MAX_TURNS_SHOWN))
        earlier = "... " if state.count > MAX_TURNS_SHOWN else ""
        yield "echo"
        yield f" {state.count}"
        yield f" [{earlier}{shown}]"
        if deltas:
            yield taught_token(deltas)
        yield from _WORD.findall(f" {answer}")


def _slot(number: int) -> int:
    """Where the turn of this number is kept, counted from 1."""
    return (number - 1) % MAX_TURNS_HELD


def _lines(state: EchoState) -> dict[int, bytes]:
    """The digests by slot."""
    held = range(0, len(state.digests), DIGEST_BYTES)
    first = state.count - len(held) + 1
    return {_slot(first + place): state.digests[at : at + DIGEST_BYTES] for place, at in enumerate(held)}


def _numbers(line: bytes | None) -> "np.ndarray[Any, Any]":
    return np.frombuffer(line or bytes(DIGEST_BYTES), dtype=np.uint8).astype(np.float64)


def _health(parent: EchoState, state: EchoState) -> dict[str, float]:
    """Collapsed: a good many lines, and all of them the same."""
    held = max(1, len(state.digests) // DIGEST_BYTES)
    distinct = len(set(memoryview(state.digests).cast("Q")))
    added = min(state.count - parent.count, held)
    return {
        "turns": float(state.count),
        "held": float(held),
        "slot_diversity": distinct / held,
        "gate_mean": added / MAX_TURNS_HELD,
        "drift": added / held,
        "distance_to_start": held / MAX_TURNS_HELD,
        "collapsed": float(held >= COLLAPSE_LINES and distinct == 1),
    }


def _split(text: str, stop: Sequence[str]) -> tuple[str, str, bool]:
    """What of `text` may be said, what may be the beginning of a `stop` text and must wait, and whether one was met."""
    found = [at for at in (text.find(wanted) for wanted in stop) if at >= 0]
    if found:
        return text[: min(found)], "", True
    for at in range(max(0, len(text) - max(map(len, stop), default=0)), len(text)):
        if any(wanted.startswith(text[at:]) for wanted in stop):
            return text[:at], text[at:], False
    return text, "", False


def _numbered(state: EchoState, most: int) -> Iterator[tuple[int, str]]:
    digests = state.digests[-most * DIGEST_BYTES :]
    first = state.count - len(digests) // DIGEST_BYTES + 1
    for index in range(0, len(digests), DIGEST_BYTES):
        yield first + index // DIGEST_BYTES, digests[index : index + 2].hex()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _digest(text: str) -> bytes:
    return hashlib.sha256(_bytes(text)).digest()[:DIGEST_BYTES]


def _checksum(state: EchoState) -> str:
    return sha256_hex(state.count.to_bytes(8, "little") + state.chain + state.digests)


def _encode(state: EchoState, stamp: str) -> bytes:
    tensors: dict[str, np.ndarray[Any, Any]] = {
        "count": np.array([state.count], dtype=np.int64),
        "chain": np.frombuffer(state.chain, dtype=np.uint8),
        "digests": np.frombuffer(state.digests, dtype=np.uint8).reshape(-1, DIGEST_BYTES),
    }
    return save(tensors, metadata={"memos": f"{_checksum(state)} {stamp}"})


def _decode(payload: bytes) -> tuple[EchoState, dict[str, Any]]:
    """The state in a payload and the stamp of the model that wrote it; refuses what was cut or changed."""
    try:
        tensors = load(payload)
        header = json.loads(payload[8 : 8 + int.from_bytes(payload[:8], "little")])
        stamp = header["__metadata__"]["memos"].split(" ", 1)[1]
        state = EchoState(int(tensors["count"].item()), tensors["digests"].tobytes(), tensors["chain"].tobytes())
        parts = json.loads(stamp)
    except (SafetensorError, KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise StateRejected(f"the payload is not an echo state: {error}") from error
    held, unfilled = divmod(len(state.digests), DIGEST_BYTES)
    if not isinstance(parts, dict) or unfilled or len(state.chain) != 32 or held != min(state.count, MAX_TURNS_HELD):
        raise StateRejected("the payload is not an echo state: its parts do not fit together")
    return state, parts
