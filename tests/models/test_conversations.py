"""The synthetic conversations: what they hold out stays out, what is asked has the answer that was told."""

import random
from collections.abc import Iterator

import pytest

from models.training.conversations.compile import (
    Language,
    build_language,
)
from models.training.conversations.dialogue import Plan, Turn, draw_dialogue

ROWS = 160


@pytest.fixture(scope="module")
def language() -> Language:
    return build_language()


def drawn(language: Language, plan: Plan, count: int, seed: int = 0) -> Iterator[tuple[list[Turn], list[Turn]]]:
    rng = random.Random(seed)
    words = len(language.tokenizer)
    for _ in range(count):
        yield draw_dialogue(language, rng, rng.sample(range(words, words + ROWS), ROWS), plan)


def test_dialogues_follow_their_plan(language):
    for turns, probes in drawn(language, Plan(9, 5, 6), 60):
        assert len(turns) == 9
        assert len(probes) == 6
        for turn in turns + probes:
            assert min(turn.said, default=0) >= 0
            assert min(turn.answer, default=0) >= 0
            assert set(turn.values) <= set(turn.answer)
            assert len(turn.answer) <= 28
