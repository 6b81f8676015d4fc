"""Which memories go into an answer: what tells something, the newest first, within a budget."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from memos.generation.prompting import tokens_of
from memos.recall.items import Item
from memos.recall.query import Hit
from memos.turns.choosing import chosen, not_overruled


def hit(text: str, rank: int, *, at: float = 0.0, role: str | None = "user") -> Hit:
    item = Item(f"cube_{rank}", f"ver_{rank}", 0, text, at=at, created_at=at, role=role)
    return Hit(item, 1.0 / rank, rank)


def said(hits: list[Hit]) -> list[str]:
    return [found.item.text for found in hits]


def test_the_newest_comes_first_and_the_best_are_taken() -> None:
    found = [hit("best", 1, at=1), hit("second", 2, at=3), hit("third", 3, at=2), hit("fourth", 4, at=9)]
    assert said(chosen(found, "?", top_k=3, most_tokens=100)) == ["second", "third", "best"]


def test_the_question_itself_tells_nothing() -> None:
    found = [hit("What is my dog called?", 1, at=5), hit("My dog is called Biscuit.", 2, at=1)]
    assert said(chosen(found, "what is my dog called", top_k=5, most_tokens=100)) == ["My dog is called Biscuit."]


def test_of_the_same_words_the_newest_stays() -> None:
    found = [hit("I live in Rome.", 1, at=1), hit("My cat is Tom.", 2, at=3), hit("i live in ROME", 3, at=7)]
    kept = chosen(found, "?", top_k=5, most_tokens=100)
    assert [found.rank for found in kept] == [3, 2]


def test_statements_go_before_questions() -> None:
    found = [
        hit("Is my dog old?", 1),
        hit("Where is my dog?", 2),
        hit("My dog is five.", 3),
        hit("Is he?", 4, role=None),
    ]
    assert {found.rank for found in chosen(found, "My dog?", top_k=2, most_tokens=100)} == {3, 4}
    assert {found.rank for found in chosen(found, "My dog?", top_k=3, most_tokens=100)} == {1, 3, 4}


def test_what_does_not_fit_makes_way_for_what_does() -> None:
    found = [hit("a " * 400, 1, at=1), hit("short", 2, at=2)]
    assert said(chosen(found, "?", top_k=5, most_tokens=100)) == ["short"]


@given(st.lists(st.text(min_size=1, max_size=60), max_size=30), st.integers(0, 8), st.integers(0, 80))
def test_no_more_than_wanted(texts: list[str], top_k: int, most: int) -> None:
    kept = chosen(
        [hit(text, rank, at=rank % 7) for rank, text in enumerate(texts, 1)], "?", top_k=top_k, most_tokens=most
    )
    assert len(kept) <= top_k
    assert sum(tokens_of(one.item.text) for one in kept) <= most
    ages = [one.item.at for one in kept]
    assert ages == sorted(ages, reverse=True)


def test_what_this_conversation_said_since_overrules() -> None:
    def of(text: str, rank: int, at: float, conversation: str, role: str = "user") -> Hit:
        one = hit(text, rank, at=at, role=role)
        return replace(one, item=replace(one.item, conversation_id=conversation))

    old, here = of("My dog is called Biscuit.", 1, 1, "there"), of("The name of my dog is Rex.", 2, 2, "here")
    repeated = of("Your dog is called Biscuit.", 3, 1, "there", "assistant")
    later, other = of("My dog is called Waffle.", 4, 3, "there"), of("I live in Rome.", 5, 1, "there")
    asks = of("What is my dog called?", 6, 4, "here")
    found = [old, here, repeated, later, other, asks]
    question = "What is the name of my dog?"
    assert not_overruled(found, question, {"here"}) == [here, later, other, asks]
    assert not_overruled(found, question, {"nowhere"}) == found
    assert not_overruled(found, "Where do I live with my dog Biscuit?", {"here"}) == found, "they have more of it"
    assert not_overruled(found, "My dog is called Max.", {"here"}) == [other], "it is told something"
    assert not_overruled(found, "Tell me my dog's name.", {"here"}) == [here, later, other, asks]
