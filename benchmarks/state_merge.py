"""Which facts survive a merge of two conversations: python -m benchmarks.state_merge

The released model is told facts in three places: before the two conversations parted, in the one, and in the other,
with small talk after each. The two states are then made one by each strategy of POST /v1/conversations/{id}/merge, and
every fact is asked for. `replay` takes the other's turns in after one's own; `average` takes the mean of both states,
slot by slot, weighted by drift. Controls: one's own state, which never heard the other's facts, and one conversation
that was told everything in the same order. An answer is right if it gives the fact's value and no other that was told.

Values are new words, which a state spells by rows of its own lexicon, or words of the model's vocabulary.
"""

import argparse
import random
import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from benchmarks.report import machine, publish
from models.engine import RxtEngine, State
from models.probes.judge import gives
from models.probes.script import Fact, Script
from models.rxt.checkpoint import RELEASED, TOKENIZER
from models.text.tokenizer import Tokenizer

Turn = tuple[str, str]
PLACES = ("before", "ours", "theirs")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=20, help="Pairs of conversations per case.")
    parser.add_argument("--facts", type=int, nargs="+", default=[1, 2, 4], help="Facts in each of the three places.")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    publish(run(RxtEngine.load(), wanted.n, wanted.facts, wanted.seed))
    return 0


def run(engine: RxtEngine, n: int, counts: Sequence[int], seed: int) -> dict[str, Any]:
    known = frozenset(Tokenizer.load(RELEASED / TOKENIZER).words)
    rows = []
    for values in ("new words", "vocabulary"):
        for count in counts:
            right: dict[tuple[str, str], list[bool]] = defaultdict(list)
            for index in range(n):
                rng = random.Random(f"{seed} {values} {count} {index}")
                for strategy, place, told in _pair(engine, Script(rng, known), values, count):
                    right[strategy, place].append(told)
            for strategy in dict.fromkeys(strategy for strategy, _ in right):
                shares = {place: round(sum(right[strategy, place]) / (n * count), 3) for place in PLACES}
                rows.append({"values": values, "facts_each": count, "strategy": strategy, "right": shares})
            print(f"{values}, {count} facts in each place: done", file=sys.stderr, flush=True)
    return {
        "benchmark": "state_merge", "machine": machine(), "model": engine.identity["model"], "n": n, "seed": seed,
        "rows": rows,
    }  # fmt: skip


def _pair(engine: RxtEngine, script: Script, values: str, count: int) -> list[tuple[str, str, bool]]:
    """(strategy, where a fact was told, whether its answer is right) of one pair of conversations."""
    draw = script.words.name if values == "new words" else script.words.known
    told: dict[Fact, str] = {}
    for fact in script.facts(3 * count):
        value = draw()
        while value in told.values():
            value = draw()
        told[fact] = value
    facts = list(told)
    places = {"before": facts[:count], "ours": facts[count : 2 * count], "theirs": facts[2 * count :]}
    said = {
        place: [script.tell(fact, told[fact]) for fact in which] + [script.chat()] for place, which in places.items()
    }
    base, _ = _talk(engine, engine.start_state(), said["before"])
    ours, _ = _talk(engine, base, said["ours"])
    theirs, turns = _talk(engine, base, said["theirs"])
    replayed = ours
    for text, output in turns:
        replayed = engine.advance(replayed, text, output).state
    states = {
        "replay": replayed,
        "average": engine.merge(base, ours, theirs).state,
        "ours alone": ours,
        "one conversation": _talk(engine, ours, said["theirs"])[0],
    }
    found = []
    for place, which in places.items():
        for fact in which:
            question = script.ask(fact)
            for strategy, state in states.items():
                answer = "".join(engine.generate(state, question))
                found.append((strategy, place, gives(answer, told[fact], told.values())))
    return found


def _talk(engine: RxtEngine, state: State, texts: Sequence[str]) -> tuple[State, list[Turn]]:
    turns = []
    for text in texts:
        turns.append((text, "".join(engine.generate(state, text))))
        state = engine.advance(state, *turns[-1]).state
    return state, turns


if __name__ == "__main__":
    sys.exit(main())
