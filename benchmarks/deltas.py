"""What a delta of ten facts is worth and costs: python -m benchmarks.deltas

Ten texts are distilled (`models.training.distil`), seed by seed. Then, with an empty state and nothing recalled, every
held-out phrasing of every fact is asked, without the delta (which is what another user gets), with it, and without it
again; and what was never told, which must stay unknown. Conversations that tell facts of their own are asked for those,
some of which contradict a taught one. Phrasings, names and conversations of the tests are none of the training's.

The prompts are captured: the share of them that holds a word of a taught value is published, and must be 0.

Speed is of one pass over 16 rows, in CPU time of the computing thread: a decoder that never mounted anything, the same
after mounting and unmounting, and one, then sixteen rows with deltas of their own, in turn.
"""

import argparse
import random
import sys
import time
from collections.abc import Sequence
from typing import Any

import torch

from benchmarks.report import machine, publish, spread
from models.engine import Delta, RxtEngine, State
from models.engine.decoding import FastDecoder
from models.probes.judge import DOES_NOT_KNOW, gives
from models.probes.script import Fact, Script
from models.rxt.checkpoint import Checkpoint, load_checkpoint
from models.training.distil import Job, run
from models.training.lessons import Source, phrasings

FACTS = 10
NEVER_TOLD, CONVERSATIONS, OWN_FACTS = 120, 12, 3
ROWS, PASSES = 16, 60
Told = list[tuple[Fact, str]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1", help="each is ten facts and a training of their own")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rank", type=int, default=16)
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    before, checkpoint = machine(), load_checkpoint()
    engine = RxtEngine(checkpoint)
    results, deltas = [], []
    for seed in [int(seed) for seed in wanted.seeds.split(",")]:
        result, delta = _one(engine, checkpoint, seed, wanted.rank, wanted.steps)
        results.append(result)
        deltas.append(delta)
    publish(
        {
            "benchmark": "deltas", "machine": before, "model": engine.identity["model"], "facts": FACTS,
            "rank": wanted.rank, "steps": wanted.steps, "seeds": results, "speed": _speed(checkpoint, deltas),
        }
    )  # fmt: skip
    return 0


def _one(engine: RxtEngine, checkpoint: Checkpoint, seed: int, rank: int, steps: int) -> tuple[dict[str, Any], Delta]:
    script = Script(random.Random(f"deltas {seed}"), frozenset(checkpoint.tokenizer.words))
    told: Told = []
    while len(told) < FACTS:
        fact = script.facts(1)[0]
        if fact not in [known for known, _ in told]:
            told.append((fact, script.words.name()))
    texts = [script.tell(fact, value) for fact, value in told]
    sources = tuple(Source(engine.advance(engine.start_state(), text, "").state, text) for text in texts)
    began = time.perf_counter()
    payload, figures = run(engine, checkpoint, Job(sources, rank, steps, seed))
    took_s = round(time.perf_counter() - began, 1)
    delta = engine.load_delta(payload)
    return {
        "seed": seed,
        "training": {
            "cpu_s": figures["cpu_s"],
            "wall_s": took_s,
            "bytes": len(payload),
            "found_facts": figures["facts"],
        },
        "unseen_paraphrases": _paraphrases(engine, told, delta),
        "never_told": _never_told(engine, checkpoint, told, delta, seed),
        "conversations": _conversations(engine, checkpoint, told, delta, seed),
    }, delta


def _said(engine: RxtEngine, state: State, question: str, *deltas: Delta) -> str:
    return "".join(engine.generate(state, question, deltas=deltas))


def _paraphrases(engine: RxtEngine, told: Told, delta: Delta) -> dict[str, Any]:
    """Empty state, nothing recalled."""
    start, values = engine.start_state(), [value for _, value in told]
    asked = [(question, value) for fact, value in told for question in phrasings(fact, unseen=True)]
    right: dict[str, float] = {}
    said: dict[str, list[str]] = {}
    for name, mounted in (("before", ()), ("mounted", (delta,)), ("unmounted", ())):
        said[name] = [_said(engine, start, question, *mounted) for question, _ in asked]
        hits = [gives(text, value, values) for text, (_, value) in zip(said[name], asked, strict=True)]
        right[name] = round(sum(hits) / len(hits), 3)
    held = sum(_holds(engine, start, question, delta) for question, _ in asked)
    return {
        "questions": len(asked), "right_before": right["before"], "right": right["mounted"],
        "right_of_another_user": right["unmounted"], "another_users_answers_are_as_before":
            said["before"] == said["unmounted"],
        "prompts_that_hold_a_value": held,
    }  # fmt: skip


def _holds(engine: RxtEngine, state: State, question: str, delta: Delta) -> bool:
    """Whether the prompt that the decoder reads has any word that the delta brought for a value."""
    prompt = engine._prepare(state, question, (), (delta,))
    own = len(prompt.table) - len(delta.vectors)
    return any(token >= own for token in prompt.tokens)


def _never_told(engine: RxtEngine, checkpoint: Checkpoint, told: Told, delta: Delta, seed: int) -> dict[str, int]:
    """Held-out phrasings of other facts: half of them of a taught family or about a taught key."""
    script = Script(random.Random(f"never {seed}"), frozenset(checkpoint.tokenizer.words), unseen=True)
    start, values = engine.start_state(), [value for _, value in told]
    known = [fact for fact, _ in told]  # a list, so that equal seeds draw alike
    asked: list[str] = []
    while len(asked) < NEVER_TOLD:
        fact = script.facts(1)[0]
        if len(asked) % 4 == 0 and fact.family.keys:
            fact = Fact(fact.family, script.rng.choice([f.key for f in known if f.key]))
        if fact not in known:
            asked.append(script.ask(fact))
    before = [_said(engine, start, question) for question in asked]
    after = [_said(engine, start, question, delta) for question in asked]
    unsure = [index for index, text in enumerate(before) if _abstains(text)]
    return {
        "questions": len(asked),
        "abstained_before": len(unsure),
        "abstained_of_these": sum(_abstains(after[index]) for index in unsure),
        "gave_a_taught_value": sum(any(gives(text, value) for value in values) for text in after),
        "answered_word_for_word_as_before": sum(one == other for one, other in zip(before, after, strict=True)),
    }


def _abstains(text: str) -> bool:
    return any(words in text.lower() for words in DOES_NOT_KNOW)


def _conversations(engine: RxtEngine, checkpoint: Checkpoint, told: Told, delta: Delta, seed: int) -> dict[str, int]:
    """What a conversation says itself, beside a mounted delta; and where the two disagree."""
    counts = {"own_facts": 0, "right_before": 0, "right": 0, "disputed": 0, "conversation_won": 0}
    known = {fact for fact, _ in told}
    for index in range(CONVERSATIONS):
        script = Script(random.Random(f"talk {seed} {index}"), frozenset(checkpoint.tokenizer.words), unseen=True)
        own = {fact: script.words.name() for fact in script.facts(OWN_FACTS) if fact not in known}
        disputed = script.rng.choice([fact for fact, _ in told])
        state = engine.start_state()
        for fact, value in own.items():
            state = engine.advance(state, script.tell(fact, value), "").state
        for fact, value in own.items():
            question = script.ask(fact)
            counts["own_facts"] += 1
            counts["right_before"] += gives(_said(engine, state, question), value)
            counts["right"] += gives(_said(engine, state, question, delta), value)
        value = script.words.name()
        state = engine.advance(state, script.tell(disputed, value), "").state
        counts["disputed"] += 1
        counts["conversation_won"] += gives(_said(engine, state, script.ask(disputed), delta), value)
    return counts


def _speed(checkpoint: Checkpoint, deltas: Sequence[Delta]) -> dict[str, Any]:
    model = checkpoint.model
    memory = model.project_memory(model.start[None])
    cases = ("never_mounted", "unmounted_again", "one_row_of_16", "all_16_rows")
    fast = {case: FastDecoder(model, model.table(), ROWS) for case in cases}
    spent: dict[str, list[float]] = {case: [] for case in cases}
    rows = list(range(ROWS))
    for number in range(-5, PASSES):
        for case in random.Random(number).sample(cases, len(cases)):
            decoder = fast[case]
            mount = decoder.mount([deltas[0]])
            if case == "unmounted_again":
                decoder.prefill(0, [1, 2], memory, mount)
            for row in rows:
                mounted = case == "all_16_rows" or (case == "one_row_of_16" and row == 0)
                own = decoder.mount([deltas[row % len(deltas)]]) if mounted else None
                decoder.prefill(row, [1, 2, 9, 9, 3], memory, own)
            began = time.thread_time()
            for _ in range(8):
                activations = decoder.step(rows, [9] * ROWS)
                decoder.scores(activations, rows)
            if number >= 0:
                spent[case].append((time.thread_time() - began) / 8 * 1000)
    medians = {case: spread(spent[case])["median"] for case in cases}
    return {
        "rows": ROWS, "passes": PASSES, "cpu_ms_per_pass": {case: spread(spent[case]) for case in cases},
        "ratio_to_never_mounted": {case: round(medians[case] / medians["never_mounted"], 3) for case in cases},
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
