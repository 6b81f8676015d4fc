"""A generator for these tests whose state holds every word that it was told, as a model's lexicon does, and whose
answers quote them all: what is to be erased is in every payload and in every later answer.
"""

import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from memos.generation.echo import EchoEngine, EchoFinish
from memos.generation.engine import SlotRead, SlotWrite, Step

HEALTH = {"slot_diversity": 1.0, "gate_mean": 0.1, "drift": 0.1, "distance_to_start": 0.1, "collapsed": 0.0}


@dataclass(frozen=True, slots=True)
class TellingState:
    told: tuple[tuple[str, str], ...]


class TellingEngine(EchoEngine):
    """Another model, with another kind of state; whatever has nothing to do with states is echo's."""

    def __init__(self) -> None:
        super().__init__(revision=77)

    def start_state(self) -> TellingState:  # type: ignore[override]
        return TellingState(())

    def load_state(self, payload: bytes) -> TellingState:  # type: ignore[override]
        pairs = json.loads(load(payload)["told"].tobytes())
        return TellingState(tuple((said, answered) for said, answered in pairs))

    def dump_state(self, state: TellingState) -> bytes:  # type: ignore[override]
        body = json.dumps(state.told, ensure_ascii=False).encode()
        return save({"told": np.frombuffer(body, dtype=np.uint8)})

    def generate(  # type: ignore[override]
        self, state: TellingState, text: str, **options: Any
    ) -> Generator[str, None, EchoFinish]:
        yield "I know: " + "; ".join(said for said, _ in state.told)
        return EchoFinish("stop", len(text.split()), len(state.told) + 1)

    def advance(  # type: ignore[override]
        self, state: TellingState, text: str, output: str
    ) -> Step[TellingState]:
        after = TellingState((*state.told, (text, output)))
        return Step(after, HEALTH, (SlotWrite(0, len(state.told) % 64, 1.0, tuple(text.split()[:8])),))

    def reads(  # type: ignore[override]
        self, state: TellingState, text: str, output: str, recalled: Sequence[str] = ()
    ) -> tuple[SlotRead, ...]:
        return ()
