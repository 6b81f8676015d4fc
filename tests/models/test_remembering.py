"""The first promise of the released model: a fact is answered from state alone, four unrelated turns later.

Values are drawn when the test runs: pronounceable strings that no training run has seen. The threshold is below the
figure in the model card by what 40 draws can differ by chance.
"""

import random
import time

import pytest

from tests.models.helpers import UNRELATED, answer, invented_word, say

DRAWS = 40
ENOUGH = 36  # of 40
PAIRS = (
    ("My dog is called {}.", "What is my dog called?"),
    ("my sister's name is {}", "what's my sister's name"),
    ("I have a cat named {}.", "Do you remember the name of my cat?"),
    ("My name is {}.", "What is my name?"),
    ("I live in {}.", "Where do I live?"),
    ("My favourite colour is {}.", "what is my favorite color?"),
    ("My boss is called {}", "Tell me my boss's name."),
    ("I work at {}.", "Where do I work?"),
)


@pytest.fixture(scope="module")
def draws() -> list[tuple[str, str, str]]:
    seed = time.time_ns() % 2**32
    print(f"seed {seed}")
    rng = random.Random(seed)
    drawn = []
    for index in range(DRAWS):
        told, asked = PAIRS[index % len(PAIRS)]
        value = invented_word(rng)
        drawn.append((told.format(value), asked, value))
    return drawn


def test_a_fact_is_remembered_after_four_unrelated_turns(released, draws):
    hits, leaks = 0, []
    for told, asked, value in draws:
        before = released.start_state()
        state = say(released, before, told, *UNRELATED)
        hits += value in answer(released, state, asked)[0]
        # Controls: a state that was never told cannot know.
        never = say(released, before, *UNRELATED)
        leaks += [v for s in (before, never) if (v := answer(released, s, asked)[0]) and value in v]
    assert leaks == []
    assert hits >= ENOUGH


def test_the_newest_value_wins(released, draws):
    rng = random.Random(draws[0][2])
    hits = 0
    for _ in range(10):
        old, new = invented_word(rng), invented_word(rng)
        state = say(released, released.start_state(), f"My dog is called {old}.", UNRELATED[0])
        state = say(released, state, f"Actually my dog is called {new} now.", UNRELATED[1])
        text = answer(released, state, "What is my dog called?")[0]
        hits += new in text and old not in text
    assert hits >= 8


def test_recalled_texts_are_read(released, draws):
    rng = random.Random(draws[1][2])
    hits = 0
    for _ in range(10):
        value = invented_word(rng)
        recalled = [f"My dog is called {value}.", "I like soup."]
        hits += value in answer(released, released.start_state(), "What is my dog called?", recalled=recalled)[0]
    assert hits >= 8
