"""What counts as a quote of something erased, and what does not."""

import pytest

from memos.erasure.quotes import Known, Quotes

TOLD = "My dog is called Biscuit and was born on 14 May 2019 in Tromsø."


def found(text: str, *, told: str = TOLD, answered: str = "", known: str = "") -> list[str]:
    heard = Known()
    heard.add(known)
    return [text[span.start : span.end] for span in Quotes([told], [answered]).found(text, heard)]


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("Your dog is called Biscuit.", ["dog is called Biscuit"]),
        ("BISCUIT!", ["BISCUIT"]),
        ("\uff22\uff49\uff53\uff43\uff55\uff49\uff54", ["\uff22\uff49\uff53\uff43\uff55\uff49\uff54"]),
        ("in 2019", ["2019"]),
        ("TROMSØ", ["TROMSØ"]),
        ("What is the weather like?", []),
        ("I do not know what it is called.", []),
        ("", []),
    ],
)
def test_words_and_runs(text: str, quoted: list[str]) -> None:
    assert found(text) == quoted


def test_what_the_user_says_elsewhere_is_no_quote() -> None:
    assert found("Biscuit is a good dog", known="Is Biscuit a good dog?") == []
    assert found("Biscuit was born on 14 May", known="Biscuit!") == ["was born on 14 May"]


def test_of_an_answer_only_runs_count() -> None:
    assert found("How wonderful", told="Hm", answered="How wonderful that is, congratulations") == []
    assert found("that is wonderful, congratulations", told="Hm", answered="wonderful, congratulations indeed") == []
    answered = "a wonderful name for a small terrier"
    assert found("What a wonderful name indeed", told="Hm", answered=answered) == ["a wonderful name"]


def test_scripts_without_spaces_are_found_by_pieces() -> None:
    told = "私の犬の名前はビスケットと言います"
    assert found("犬の名前はビスケットですね", told=told) == ["犬の名前はビスケットですね"]
    assert found("良い天気ですね", told=told) == []
