"""What a turn of RxT costs as its conversation grows: python -m benchmarks.turn_cost

One conversation is advanced to 1,000 turns, keeping the states after 0, 63 and 999 turns as their payloads. Then the
same turn, which is to read the payload, to answer and to write the next state, is done from each of them in turn, in
one run, a different question each time and the order by the seed. Published is the CPU time of the computing thread.

The work is made equal: an answer is cut after a few tokens and the same reply is written into each state. How many
tokens a model chooses to say is not a cost of the conversation's length; uncut, the states after random talk get
longer answers (median 9 tokens instead of 8), and that is all that the ratio would then show.
"""

import argparse
import random
import sys
import time
from collections.abc import Sequence
from itertools import pairwise

from benchmarks.report import machine, publish, spread
from models.engine import RxtEngine

GOAL = 1.02
AT = (1, 64, 1000)  # the turn that is measured, by its number in the conversation
NAMES = ("Biscuit", "Ada", "Orion", "Juniper", "Milo", "Saffron", "Basil", "Clover")
REPLY = "that is good to know ."
SAID = (
    "my dog is called {}",
    "i live near {}",
    "my friend {} came to see me",
    "what is my dog called ?",
    "tell me about {}",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=200, help="measured at each place")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=5, help="where answers are cut")
    wanted = parser.parse_args()
    engine, chance, before = RxtEngine.load(), random.Random(wanted.seed), machine()
    payloads = _states(engine, chance)
    phases = ("read", "answer", "write", "turn")
    spent = {place: {phase: list[float]() for phase in phases} for place in AT}
    tokens: dict[int, list[float]] = {place: [] for place in AT}
    for number in range(-3, wanted.turns):
        text = _said(chance)
        for place in chance.sample(AT, len(AT)):
            marks, count = _turn(engine, payloads[place], text, wanted.tokens)
            if number < 0:
                continue
            tokens[place].append(count)
            for phase, took_s in zip(phases, marks, strict=True):
                spent[place][phase].append(took_s * 1000)
    medians = {place: spread(spent[place]["turn"])["median"] for place in AT}
    ratio = {place: round(medians[place] / medians[1], 4) for place in AT}
    publish(
        {
            "benchmark": "turn_cost", "seed": wanted.seed, "turns_each": wanted.turns, "machine": before,
            "model": engine.identity["model"], "cut_after_tokens": wanted.tokens, "goal_ratio": GOAL,
            "ratio_to_turn_1": ratio,
            "reached": all(value <= GOAL for value in ratio.values()),
            "cpu_ms": {place: {phase: spread(spent[place][phase]) for phase in phases} for place in AT},
            "answer_tokens": {place: spread(tokens[place]) for place in AT},
            "payload_bytes": {place: len(payloads[place]) for place in AT},
        }
    )  # fmt: skip
    return 0


def _said(chance: random.Random) -> str:
    return chance.choice(SAID).format(chance.choice(NAMES))


def _states(engine: RxtEngine, chance: random.Random) -> dict[int, bytes]:
    """The payload that each measured turn starts from."""
    state, kept = engine.start_state(), {}
    for number in range(1, max(AT) + 1):
        if number in AT:
            kept[number] = engine.dump_state(state)
        state = engine.advance(state, _said(chance), REPLY).state
    return kept


def _turn(engine: RxtEngine, payload: bytes, text: str, tokens: int) -> tuple[Sequence[float], int]:
    """CPU seconds of reading the state, answering, writing the next one, and of all three; tokens answered."""
    marks = [time.thread_time()]
    state = engine.load_state(payload)
    marks.append(time.thread_time())
    pieces = list(engine.generate(state, text, max_tokens=tokens))
    marks.append(time.thread_time())
    engine.dump_state(engine.advance(state, text, REPLY).state)
    marks.append(time.thread_time())
    steps = [after - before for before, after in pairwise(marks)]
    return (*steps, sum(steps)), len(pieces)


if __name__ == "__main__":
    sys.exit(main())
