"""Who is asked: RxT from its state alone, and beside it, at every question, the controls.

    rxt            the engine under test
    no_memory      the same decoder with the start state; it keeps the lexicon, so it could say every word
    previous_turn  a memory of the previous interaction only, which overlap metrics hardly tell from a trained one
    stateless      the twin of about equal size that reads the whole conversation (when one is given)

Notable choices
* RxT and the twin hold the same conversation, each with its own answers. The two controls read what RxT said.
* Questions are asked beside the conversation: asking changes nothing, so one conversation may be asked many times.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.baselines.engine import TwinEngine
from models.engine import RxtEngine, State
from models.text.lexicon import Lexicon

RXT, NO_MEMORY, PREVIOUS_TURN, STATELESS = "rxt", "no_memory", "previous_turn", "stateless"


@dataclass(frozen=True, slots=True)
class Parties:
    """The engines of one run, the words of the checkpoint's vocabulary, and its folder (None: the released one)."""

    engine: RxtEngine
    known_words: frozenset[str]
    folder: Path | None = None
    twin: TwinEngine | None = None

    def talk(self) -> "Talk":
        """A new conversation."""
        return Talk(self)


class Talk:
    """One conversation, held with RxT and the twin at once."""

    def __init__(self, parties: Parties) -> None:
        self._engine, self._twin = parties.engine, parties.twin
        self._state = self._engine.start_state()
        self._last: tuple[Lexicon, str, str] | None = None  # the lexicon before the last turn, and the turn
        self._previous: State | None = None
        self._history = self._twin.start() if self._twin else None

    def say(self, text: str) -> None:
        """One turn: everybody answers by itself, and remembers."""
        output = reply(self._engine, self._state, text)
        self._last, self._previous = (self._state.lexicon, text, output), None
        self._state = advanced(self._engine, self._state, text, output)
        if self._twin and self._history:
            self._history = self._twin.advance(self._history, text, self._twin.answer(self._history, text))

    def ask(self, text: str, recalled: Sequence[str] = ()) -> dict[str, str]:
        """Everybody's answer to one question."""
        states = {RXT: self._state, NO_MEMORY: self._without_memory(), PREVIOUS_TURN: self._previous_turn()}
        answers = {name: reply(self._engine, state, text, recalled) for name, state in states.items()}
        if self._twin and self._history:
            answers[STATELESS] = self._twin.answer(self._history, text, recalled)
        return answers

    def _without_memory(self) -> State:
        return State(self._engine.start_state().memory, self._state.lexicon)

    def _previous_turn(self) -> State:
        if self._last is None:
            return self._state
        if self._previous is None:
            lexicon, text, output = self._last
            alone = State(self._engine.start_state().memory, lexicon)
            self._previous = advanced(self._engine, alone, text, output)
        # Rows are numbered alike: the lexicon read the same words in the same order.
        return State(self._previous.memory, self._state.lexicon)


def reply(engine: RxtEngine, state: State, text: str, recalled: Sequence[str] = ()) -> str:
    """The engine's whole answer."""
    return "".join(engine.generate(state, text, recalled=recalled))


def advanced(engine: RxtEngine, state: State, text: str, output: str) -> State:
    """The state after the turn."""
    return engine.advance(state, text, output).state
