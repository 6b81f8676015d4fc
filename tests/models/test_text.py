"""Words, lexicon and spelling."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.text.lexicon import MAX_BYTES, MAX_ENTRIES, Lexicon
from models.text.spelling import Spelling
from models.text.tokenizer import Tokenizer
from models.text.words import split

TOKENIZER = Tokenizer.build("my dog is called what 's your name i live in new a the happy . , ! ?".split(), {"i": "I"})
ROWS = 4096


def read(text: str, lexicon: Lexicon | None = None) -> tuple[Lexicon, list[int]]:
    return (lexicon or Lexicon.empty()).read(text, TOKENIZER, ROWS)


def spelled(text: str) -> str:
    """Reads a text and writes it again."""
    lexicon, ids = read(text)
    rows, casing = lexicon.rows(), lexicon.casing()
    spelling, out = Spelling(), []
    for token in ids:
        if token >= len(TOKENIZER):
            surface, symbol = rows[token - len(TOKENIZER)], False
        else:
            word = TOKENIZER.words[token]
            surface = casing.get(word, TOKENIZER.display.get(word, word))
            symbol = not word[0].isalnum() and word != "'s"
        piece, spelling = spelling.add(surface, symbol)
        out.append(piece)
    return "".join(out) + spelling.finish()


@pytest.mark.parametrize(
    "text",
    [
        "My dog is called Biscuit.",
        "What's your name? My name is O'Neill!",
        "I live in New York.",
        "My name is Anna-Maria, Zoë.",
        "My dog's name is bOb@example.com, www is 12.50.",
        "My dog is called Happy.",
    ],
)
def test_what_was_typed_is_spelled_again(text):
    assert spelled(text) == text


def test_articles_agree_with_what_follows():
    assert spelled("a elephant is an dog") == "An elephant is a dog"


def test_names_of_several_words_are_one_word():
    lexicon, ids = read("I live in New York.")
    assert list(lexicon.rows().values()) == ["New York"]
    again, later = read("is new york happy", lexicon)
    assert again.rows() == lexicon.rows()
    assert ids[3] == later[1]
    assert len(read("My Dog Is Called New York")[1]) == 6  # everything in capitals: no name in particular


def test_casing_follows_the_last_deliberate_typing():
    lexicon, _ = read("my dog is called biscuit")
    assert "biscuit" in lexicon.rows().values()
    lexicon, _ = read("my dog is called Biscuit", lexicon)
    for later in ("biscuit is happy", "what is biscuit called", "BISCUIT IS HAPPY"):
        assert list(read(later, lexicon)[0].rows().values()) == ["Biscuit"]
    lexicon, _ = read("my dog is called Happy")
    assert lexicon.casing() == {"happy": "Happy"}
    assert read("i is happy", lexicon)[0].casing() == {}


def test_every_word_of_a_conversation_keeps_its_row():
    rng = random.Random(0)
    lexicon = Lexicon.empty()
    seen: dict[str, int] = {}
    for _ in range(300):
        word = "".join(rng.choice("abcdefgh") for _ in range(5)) + "z"
        lexicon, (token,) = read(word, lexicon)
        assert seen.setdefault(word, token) == token
    assert len(set(seen.values())) == len(seen)


def test_the_lexicon_is_bounded_and_forgets_the_least_recently_used():
    lexicon = Lexicon.empty()
    for index in range(150):
        before = lexicon
        lexicon, _ = read(" ".join(f"word{index}x{n}" for n in range(20)) + " keeper", lexicon)
        assert len(lexicon.entries) <= MAX_ENTRIES
    assert "keeper" in lexicon.entries
    assert "word1x0" not in lexicon.entries
    assert before.entries != lexicon.entries  # reading made a new lexicon
    for index in range(400):
        lexicon, _ = read(f"{index}" + "\u72ac" * 60, lexicon)
    size = sum(len(k.encode()) + len(e.surface.encode()) for k, e in lexicon.entries.items())
    assert size <= MAX_BYTES


def test_rows_come_round_without_meeting():
    lexicon = Lexicon.empty()
    for index in range(200):
        lexicon, ids = lexicon.read(f"w{index}x keeper", TOKENIZER, 64)
        rows = [e.row for e in lexicon.entries.values()]
        assert len(set(rows)) == len(rows) <= 32
        assert max(ids) < len(TOKENIZER) + 64


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300))
def test_any_text_reads(text):
    lexicon, ids = read(text)
    assert all(0 <= i < len(TOKENIZER) + ROWS for i in ids)
    for entry in lexicon.entries.values():
        assert "\0" not in entry.surface
        entry.surface.encode()
    assert len(split(text)) >= len(ids)


def test_a_tokenizer_file_is_checked(tmp_path):
    path = tmp_path / "t.json"
    TOKENIZER.save(path)
    assert Tokenizer.load(path) == TOKENIZER
    path.write_text('{"words": ["a"], "display": {}}')
    with pytest.raises(ValueError):
        Tokenizer.load(path)
