"""Recalled memories as text: what is stable comes first, and no memory can be more than a line."""

from hypothesis import given
from hypothesis import strategies as st

from memos.generation.prompting import INSTRUCTIONS, note_of, system_message, tokens_of

MARCH, MAY = 1_772_000_000.0, 1_777_600_000.0


def test_the_oldest_comes_first_whatever_was_most_relevant() -> None:
    notes = [note_of(MAY, "user"), note_of(MARCH, None)]
    message = system_message(["Now it is a cat.", "My dog is called Biscuit."], notes)
    assert message == (
        f"{INSTRUCTIONS}\n- [2026-02-25 06:13] My dog is called Biscuit.\n- [2026-05-01 01:46, user] Now it is a cat."
    )


def test_nothing_recalled_is_no_message() -> None:
    assert system_message([]) is None


def test_a_newer_memory_leaves_the_beginning_as_it_was() -> None:
    before = system_message(["one", "two"], [note_of(MARCH, None), note_of(MARCH + 60, None)])
    after = system_message(["three", "two", "one"], [note_of(at, None) for at in (MAY, MARCH + 60, MARCH)])
    assert before is not None
    assert after is not None
    assert after.startswith(before)


@given(st.lists(st.text(max_size=30), min_size=1, max_size=8), st.data())
def test_the_order_of_relevance_does_not_show(texts: list[str], data: st.DataObject) -> None:
    moments = data.draw(st.lists(st.floats(0, 2e9), min_size=len(texts), max_size=len(texts)))
    pairs = list(zip(texts, [note_of(at, "user") for at in moments], strict=True))
    other = data.draw(st.permutations(pairs))
    messages = [system_message([text for text, _ in order], [note for _, note in order]) for order in (pairs, other)]
    assert messages[0] == messages[1]
    assert messages[0] is not None
    assert len(messages[0].removeprefix(INSTRUCTIONS).splitlines()) == len(texts) + 1


def test_tokens_are_rather_too_many() -> None:
    assert tokens_of("My dog is called Biscuit.") >= 7
    assert tokens_of("我的狗叫饼干") >= 6
    assert tokens_of("") == 1
