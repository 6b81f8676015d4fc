"""Who is asked about, and what of a question is embedded."""

import pytest

from memos.recall.people import Names
from tests.recall.making import index_of, item


def _names(*speakers: str) -> Names:
    names = Names()
    for speaker in speakers:
        names.add(speaker)
    return names


@pytest.mark.parametrize(
    ("question", "speakers", "to_embed"),
    [
        ("When did Ada move?", ("Ada",), "When did I move?"),
        ("What is Ada's dog called?", ("Ada",), "What is my dog called?"),
        ("what is ada\u2019s dog called?", ("Ada",), "what is my dog called?"),
        ("What does Hopper like?", ("Grace Hopper",), "What does I like?"),
        ("Where did Mel go?", ("Melanie",), "Where did I go?"),
        ("What did Ada say about Melanie's trip?", ("Ada", "Melanie"), "What did I say about my trip?"),
        ("Did Will pay?", ("Will",), "Did I pay?"),
        ("Will Ada pay?", ("Ada",), "Will I pay?"),
        ("What will she do in may?", (), "What will she do in may?"),
        ("What did the user say?", (), "What did the user say?"),
        ("Where is Rome?", (), "Where is Rome?"),
        ("Ada?", (), "Ada?"),
        ("", (), ""),
    ],
)
def test_who_is_named(question: str, speakers: tuple[str, ...], to_embed: str) -> None:
    read = _names("Ada", "Grace Hopper", "Melanie", "Will", "May", "user").people(question)
    assert read.speakers == speakers
    assert read.to_embed == to_embed


def test_a_name_of_two_is_nobodys() -> None:
    read = _names("Ada Byron", "Ada King", "Melanie", "Melissa").people("What does Ada think of Mel and King?")
    assert read.speakers == ("Ada King",)
    assert read.rest == "What does Ada think of Mel and ?"


@pytest.mark.parametrize(
    ("question", "role"),
    [
        ("Where do I live?", "user"),
        ("What did you tell me?", "assistant"),
        ("Can you remind me where I live?", "user"),
        ("Could you please tell me what you recommended?", "assistant"),
        ("What do I call it?", "user"),
        ("What did you find?", "assistant"),
        ("Who is it?", None),
    ],
)
def test_whose_words_are_asked_for(question: str, role: str | None) -> None:
    assert _names("user").people(question).role == role


def test_an_index_knows_who_speaks_in_it() -> None:
    index = index_of(item(1, "hello", speaker="Ada"), item(2, "hello", speaker="assistant"))
    assert index.to_embed("What does Ada's assistant do?") == "What does my assistant do?"
