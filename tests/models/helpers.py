"""Small helpers shared by the tests of `models`."""

import random

from models.engine import Finish, RxtEngine, State

UNRELATED = ("It rained today.", "I had soup for lunch.", "I went for a walk.", "The train was late.")


def answer(engine: RxtEngine, state: State, text: str, **options) -> tuple[str, Finish]:
    """A whole answer and how it ended."""
    stream = engine.generate(state, text, **options)
    pieces = []
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as stop:
            return "".join(pieces), stop.value


def say(engine: RxtEngine, state: State, *texts: str) -> State:
    """The state after these turns, answered by the engine itself."""
    for text in texts:
        state = engine.advance(state, text, answer(engine, state, text)[0]).state
    return state


def invented_word(rng: random.Random) -> str:
    """A pronounceable word of two or three syllables that no list has."""
    syllables = ["".join((rng.choice("bdfgklmnprstvz"), rng.choice("aeiou"))) for _ in range(rng.randint(2, 3))]
    return ("".join(syllables) + rng.choice(("x", "q", "zh", "rk", "nt"))).capitalize()
