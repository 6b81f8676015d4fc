"""What counts as saying the same, and what must never be taken for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memos.consolidation import texts
from memos.consolidation.texts import covers, normalised, same_but_for_words, says, together

SAME = [
    ("I like green tea.", "i like  GREEN tea"),
    ("I like hiking in the mountains.", "I like to hike in the mountains"),
    ("My cats sleep a lot.", "My cat sleeps a lot"),
    ("I like tea.", "I really like tea."),
    ("I play chess.", "I play chess on Sundays."),
]
OTHER = [
    ("I live in Rome.", "I live in Paris."),
    ("I like tea.", "I do not like tea."),
    ("I like tea.", "I don't like tea."),
    ("My flight is on May 3.", "My flight is on May 4."),
    ("My sister lives in Oslo.", "My brother lives in Oslo."),
    ("I eat meat.", "I never eat meat."),
    ("I smoke.", "I used to smoke."),
    ("I have 2 cats.", "I have 3 cats."),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_these_say_the_same(one: str, other: str) -> None:
    assert same_but_for_words(one, other)
    assert same_but_for_words(other, one)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_these_do_not(one: str, other: str) -> None:
    assert not same_but_for_words(one, other)
    assert not same_but_for_words(other, one)
    assert not covers(one, other)


def test_a_sentence_is_said_by_a_longer_one_unless_that_turns_it_round() -> None:
    assert says("Well, I like green tea very much.", "I like tea")
    assert not says("I do not like tea.", "I like tea")
    assert not says("I like 2 teas", "I like teas")
    assert not says("I like green. Tea is fine.", "I like tea")


WORDS = st.sampled_from("i you like tea not never 3 4 Rome. Paris green! and".split())
TEXTS = st.lists(st.lists(WORDS, min_size=1, max_size=6).map(" ".join), min_size=1, max_size=5)


@given(TEXTS)
def test_together_loses_nothing_that_was_said(given_texts: list[str]) -> None:
    merged = together(given_texts)
    for text in given_texts:
        assert covers(merged, text)
        for sentence in texts.sentences(text):  # the obvious model: every word of every sentence is in some sentence
            assert any(
                set(texts.words(sentence)) <= set(texts.words(held)) for held in texts.sentences(merged)
            )  # fmt: skip


def test_one_text_stays_as_it_was_written() -> None:
    assert together(["I like TEA — very much.", "I like tea"]) == "I like TEA — very much."
    assert normalised("I like TEA — very much.") == "i like tea very much"
