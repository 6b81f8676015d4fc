"""What a turn costs with a memory of fixed size and with the whole history: python -m benchmarks.rxt_vs_stateless

RxT and its stateless twin of about equal size, with random weights of the shipped sizes (what is said does not matter
for the cost), hold the same conversation on one thread: every turn the same words in and out. At some turns the same
turn is timed again and again: the prompt until the first token (of the history only the prompt is computed: the twin
is prefix-cached), each further token, and what is to be done after the answer (RxT: the memory update; the twin: keys
and values of the answer). Published is the CPU time of the computing thread, the turn where the two cross, and the
bytes each holds for a conversation.

The twin's context is unbounded here: nothing falls out of it, and so nothing is ever computed twice.
"""

import argparse
import copy
import random
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks.report import machine, publish, spread
from models.baselines.checkpoint import save_twin
from models.baselines.engine import TwinEngine
from models.baselines.stateless import Stateless, StatelessConfig, trained_parameters
from models.engine import RxtEngine
from models.probes.parties import advanced
from models.rxt.checkpoint import save_checkpoint
from models.rxt.config import preset
from models.rxt.model import Rxt
from models.text.tokenizer import Tokenizer

AT = (1, 4, 16, 64, 256, 1000)  # the turn that is measured, by its number in the conversation
VOCABULARY = [f"w{index}" for index in range(1500)]
PHASES = ("prompt", "token", "update", "turn")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15, help="measured turns at each place")
    parser.add_argument("--words", type=int, default=16, help="of every message and of every answer")
    parser.add_argument("--at", type=lambda text: tuple(int(n) for n in text.split(",")), default=AT)
    parser.add_argument("--seed", type=int, default=7)
    wanted = parser.parse_args()
    before, chance = machine(), random.Random(wanted.seed)
    with TemporaryDirectory() as folder:
        rxt, twin, parameters = _engines(Path(folder), wanted.seed)
    said = [" ".join(chance.choices(VOCABULARY, k=wanted.words)) for _ in range(2 * max(wanted.at))]
    turns = list(zip(said[::2], said[1::2], strict=True))
    found = {
        "rxt": _measure_rxt(rxt, turns, wanted.at, wanted.repeats, wanted.words),
        "stateless": _measure_twin(twin, turns, wanted.at, wanted.repeats, wanted.words),
    }

    def medians(name: str, phase: str) -> list[float]:
        return [found[name][turn]["cpu_ms"][phase]["median"] for turn in wanted.at]

    whole = medians("rxt", "turn")
    publish(
        {
            "benchmark": "rxt_vs_stateless", "seed": wanted.seed, "machine": before, "words_in_and_out": wanted.words,
            "repeats": wanted.repeats, "parameters": parameters, "at_turn": found,
            "crosses_at_turn": {p: _crossing(wanted.at, medians("rxt", p), medians("stateless", p)) for p in PHASES},
            "rxt_ratio_to_first": [round(cpu_ms / whole[0], 3) for cpu_ms in whole],
        }
    )  # fmt: skip
    return 0


def _engines(folder: Path, seed: int) -> tuple[RxtEngine, TwinEngine, dict[str, int]]:
    """Both with random weights; nothing is left of an answer's end, so that every answer is as long as it may be."""
    torch.manual_seed(seed)
    tokenizer = Tokenizer.build(VOCABULARY, {})
    rxt, twin = Rxt(preset("shipped", len(tokenizer))), Stateless(StatelessConfig(len(tokenizer), context=10**9))
    with torch.no_grad():
        for model in (rxt, twin):
            model.word_table[: len(tokenizer) - len(VOCABULARY)] *= 0.01  # marks score near zero: [EOS] is never best
    save_checkpoint(folder / "rxt", rxt, tokenizer)
    save_twin(folder / "twin", twin, tokenizer)
    parameters = {"rxt": trained_parameters(rxt), "stateless": trained_parameters(twin)}
    return RxtEngine.load(folder / "rxt"), TwinEngine.load(folder / "twin"), parameters


Turns = list[tuple[str, str]]


def _measure_rxt(engine: RxtEngine, turns: Turns, at: tuple[int, ...], repeats: int, words: int) -> dict[int, Any]:
    state, found = engine.start_state(), {}
    for number, (text, answer) in enumerate(turns, start=1):
        if number in at:
            answers = partial(engine.generate, state, text, max_tokens=words)
            update = partial(advanced, engine, state, text, answer)
            times = [_timed(answers, update, words) for _ in range(repeats + 1)]
            found[number] = _figures(times[1:]) | {"bytes": len(engine.dump_state(state))}
        state = advanced(engine, state, text, answer)
    return found


def _measure_twin(engine: TwinEngine, turns: Turns, at: tuple[int, ...], repeats: int, words: int) -> dict[int, Any]:
    history, found = engine.start(), {}
    for number, (text, answer) in enumerate(turns, start=1):
        if number in at:
            times = []
            for _ in range(repeats + 1):
                fork = copy.deepcopy(history)  # an update appends in place; the copy is not part of what is measured
                answers = partial(engine.generate, fork, text, max_tokens=words)
                times.append(_timed(answers, partial(engine.advance, fork, text, answer), words))
            figures = {"bytes": engine.bytes_held(history), "history_tokens": history.length}
            found[number] = _figures(times[1:]) | figures
        history = engine.advance(history, text, answer)
    return found


def _timed(answer: Callable[[], Iterable[str]], update: Callable[[], object], words: int) -> tuple[float, ...]:
    """CPU milliseconds of the prompt with the first token, of each further token, of the update, and of all."""
    marks = [time.thread_time()]
    for _ in answer():
        marks.append(time.thread_time())
    ended = time.thread_time()
    if len(marks) < words:
        raise RuntimeError(f"an answer of {len(marks)} pieces, {words} were to come: take another --seed")
    update()
    updated = time.thread_time()
    further = (ended - marks[1]) / (words - 1)
    return tuple(1000 * s for s in (marks[1] - marks[0], further, updated - ended, updated - marks[0]))


def _figures(times: list[tuple[float, ...]]) -> dict[str, Any]:
    return {"cpu_ms": {phase: spread([t[place] for t in times]) for place, phase in enumerate(PHASES)}}


def _crossing(at: tuple[int, ...], rxt: list[float], twin: list[float]) -> float | None:
    """The turn from which on RxT is cheaper, on the line between the places measured; None if there is none."""
    gaps = list(zip(at, (other - own for own, other in zip(rxt, twin, strict=True)), strict=True))
    if gaps[0][1] >= 0:
        return float(at[0])
    for (turn, gap), (later, wider) in pairwise(gaps):
        if gap < 0 <= wider:
            return round(turn + (later - turn) * -gap / (wider - gap), 1)
    return None


if __name__ == "__main__":
    sys.exit(main())
