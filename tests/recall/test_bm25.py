"""BM25 against the formula, said in a loop over documents; passages against the same over texts that were joined."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memos.recall import bm25
from memos.recall.bm25 import Lexical
from memos.recall.likeness import likeness, repeats
from memos.recall.question import stems
from memos.recall.words import STOP, batch, hashed, plain
from tests.recall.making import WORDS, index_of, item

documents = st.lists(st.lists(st.sampled_from(WORDS[:7]), max_size=9).map(" ".join), min_size=1, max_size=8)


def _stemmed(text: str) -> list[str]:
    return [word for word in plain(text) if word not in STOP]  # every word of these tests is its own stem but "wedding"


def _slow(texts: list[str], question: str, lengths: list[int], mean: float, bodies: list[str]) -> list[float]:
    """`texts` tell how rare a word is, `bodies` what is scored."""
    scores = []
    for body, length in zip(bodies, lengths, strict=True):
        counts, score = Counter(_stemmed(body)), 0.0
        for word in set(_stemmed(question)):
            holding = sum(word in _stemmed(text) for text in texts)
            idf = math.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
            f = counts[word]
            norm = bm25.K1 * (1 - bm25.B + bm25.B * length / mean)
            score += idf * f * (bm25.K1 + 1) / (f + norm) if holding else 0.0
        scores.append(score)
    return scores


@settings(max_examples=60)
@given(texts=documents, removed=st.integers(0, 3), question=documents.map(" ".join))
def test_it_is_the_formula(texts: list[str], removed: int, question: str) -> None:
    index = index_of(*(item(number, text) for number, text in enumerate(texts)))
    index.put([item(100 + number, "dog garden " * number) for number in range(removed)])
    index.remove([f"cube_{100 + number:04}" for number in range(removed)])
    lengths = [len(_stemmed(text)) for text in texts]
    mean = max(sum(lengths) / len(texts), 1.0)
    wanted = _slow(texts, question, lengths, mean, texts)
    found = Lexical(index.view, stems(question).tolist()).scores
    assert [found[index.row(f"cube_{number:04}")] for number in range(len(texts))] == pytest.approx(wanted)


@settings(max_examples=40)
@given(texts=documents, question=documents.map(" ".join))
def test_a_passage_is_scored_like_its_texts_joined(texts: list[str], question: str) -> None:
    index = index_of(*(item(number, text, thread="one") for number, text in enumerate(texts)))
    rows = np.array([index.row(f"cube_{number:04}") for number in range(len(texts))])
    before, after = np.append(-1, rows[:-1]), np.append(rows[1:], -1)
    lexical = Lexical(index.view, stems(question).tolist())
    joined = [" ".join(texts[max(place - 1, 0) : place + 2]) for place in range(len(texts))]
    lengths = [len(_stemmed(text)) for text in joined]
    alone = max(sum(len(_stemmed(text)) for text in texts) / len(texts), 1.0)
    mean = alone * (1 + 2 * (len(texts) - 1) / len(texts))
    wanted = np.array(_slow(texts, question, lengths, mean, joined))
    found = lexical.passages(rows, before, after) * lexical._deviation + lexical._mean
    assert found == pytest.approx(wanted)


def test_words_are_found_in_all_their_forms() -> None:
    index = index_of(item(1, "She was painting Melanie\u2019s portraits"), item(2, "tea"))
    for question in ("paint", "PAINTED", "portrait", "melanie"):
        assert Lexical(index.view, stems(question).tolist()).scores[index.row("cube_0001")] > 0
    assert Lexical(index.view, stems("was she the").tolist()).scores.max() == 0


def test_scripts_without_spaces_are_read_sign_by_sign() -> None:
    index = index_of(item(1, "\u6211\u559c\u6b22\u732b"), item(2, "\u6211\u559c\u6b22\u72d7"))
    scores = Lexical(index.view, stems("\u732b").tolist()).scores
    assert scores[index.row("cube_0001")] > 0 == scores[index.row("cube_0002")]


def test_hashes_are_the_same_in_every_process() -> None:
    assert hashed("paint") == -8595147557043160442


def test_texts_that_say_the_same_are_alike() -> None:
    texts = [
        "I had pasta with tomatoes and basil at the new place near the station on Friday evening",
        "at the NEW place near the station I had pasta, with tomatoes and basil, on Friday evening!",
        "I had pasta with tomatoes and basil at the new place near the harbour on Friday evening with Tom",
        "",
        "",
    ]
    made = batch(texts)
    assert repeats(likeness(made.line, made.lengths)).tolist() == [0, 1, 0, 0, 0]
