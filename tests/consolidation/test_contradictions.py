"""The detector of contradictions on pairs judged by hand: what it finds must be right; what it may miss is bounded."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from memos.consolidation.contradictions import DETECTORS, Contradiction, Statement
from tests.consolidation import pairs

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
CONTRADICT = [
    *pairs.TUNED_CONTRADICT, *pairs.TUNED_TOO_CONTRADICT, *pairs.TUNED_THREE_CONTRADICT, *pairs.HELD_OUT_CONTRADICT,
]  # fmt: skip
COMPATIBLE = [
    *pairs.TUNED_COMPATIBLE, *pairs.TUNED_TOO_COMPATIBLE, *pairs.TUNED_THREE_COMPATIBLE, *pairs.HELD_OUT_COMPATIBLE,
]  # fmt: skip


def detect(texts: Sequence[str], near: float = 1.0) -> list[Contradiction]:
    statements = [Statement(text, BEGAN + timedelta(days=day)) for day, text in enumerate(texts)]
    return DETECTORS["keyed"].detect(statements, lambda one, other: near)


def test_precision_and_recall_on_pairs_judged_by_hand() -> None:
    right = [pair for pair in CONTRADICT if detect(pair)]
    wrong = [pair for pair in COMPATIBLE if detect(pair)]
    precision, recall = len(right) / (len(right) + len(wrong)), len(right) / len(CONTRADICT)
    print(f"precision {precision:.3f} ({len(wrong)} wrong: {wrong}), recall {recall:.3f}, {len(COMPATIBLE)} compatible")
    assert precision >= 0.9
    assert recall >= 0.65
    assert len(COMPATIBLE) > len(CONTRADICT) > 70


def test_the_later_one_wins_and_a_chain_is_a_chain() -> None:
    assert [(c.newer, c.older) for c in detect(["I live in Oslo.", "I like tea.", "I live in Bergen."])] == [(2, 0)]
    chain = detect(["I am 30 years old.", "I am 31 years old.", "I am 32 years old."])
    assert [(c.newer, c.older) for c in chain] == [(1, 0), (2, 1)]


def test_said_at_the_same_moment_neither_is_later() -> None:
    both = [Statement("I live in Oslo.", BEGAN), Statement("I live in Bergen.", BEGAN)]
    assert DETECTORS["keyed"].detect(both, lambda one, other: 1.0) == []


def test_far_apart_they_are_about_different_things() -> None:
    assert detect(["I live in Oslo.", "I live in Bergen."], near=0.1) == []


@pytest.mark.parametrize("pair", pairs.TUNED_CONTRADICT[:5])
def test_the_reason_holds_no_word_of_the_user(pair: tuple[str, str]) -> None:
    for found in detect(pair):
        assert found.reason == "keyed: the same key with another value, said later; cosine 1.00"
