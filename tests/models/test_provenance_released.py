"""Provenance by the released model: slots name the turn and the words they are from, and clearing them forgets."""

import random

from models.engine import RxtEngine, SlotWrite, State
from tests.models.helpers import UNRELATED, answer, invented_word

KEYS = ("dog", "cat", "sister", "brother", "boss", "friend", "horse", "team")


def told_all(engine: RxtEngine, rng: random.Random) -> tuple[dict[str, str], State, dict[tuple[int, int], SlotWrite]]:
    """Names told for all keys, the state after some more turns, and the last write of every slot that was named."""
    names = {key: invented_word(rng) for key in KEYS}
    state = engine.start_state()
    writes: dict[tuple[int, int], SlotWrite] = {}
    for text in [f"My {key} is called {name}." for key, name in names.items()] + list(UNRELATED[:2]):
        step = engine.advance(state, text, answer(engine, state, text)[0])
        state = step.state
        writes |= {(write.layer, write.slot): write for write in step.written}
    return names, state, writes


def test_slots_read_were_last_written_by_the_turn_that_told_the_fact(released):
    rng = random.Random(3)
    found = total = 0
    for _ in range(3):
        names, state, writes = told_all(released, rng)
        for key, name in names.items():
            said = answer(released, state, f"What is my {key} called?")[0]
            reads = released.reads(state, f"What is my {key} called?", said)
            assert 0.5 < sum(read.share for read in reads) <= 1.001
            assert [r.share for r in reads] == sorted((r.share for r in reads), reverse=True)
            total += 1
            found += any(name in w.words for read in reads[:8] if (w := writes.get((read.layer, read.slot))))
    assert total == 24
    assert found >= 16


def test_clearing_the_slots_read_loses_the_fact_and_clearing_others_does_not(released):
    rng = random.Random(5)
    lost = lost_by_chance = 0
    for _ in range(3):
        names, state, _ = told_all(released, rng)
        for key, name in names.items():
            question = f"What is my {key} called?"
            reads = released.reads(state, question, answer(released, state, question)[0])
            named = [(read.layer, read.slot) for read in reads]
            others = [(layer, slot) for layer in range(2) for slot in range(64) if (layer, slot) not in named]
            lost += name not in answer(released, released.forget_slots(state, named), question)[0]
            chance = released.forget_slots(state, rng.sample(others, len(named)))
            lost_by_chance += name not in answer(released, chance, question)[0]
    assert lost >= 12  # a fact is in more slots than are named
    assert lost >= 5 * lost_by_chance
