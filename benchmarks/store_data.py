"""Memories and questions that are made up, the same for everybody who is measured: `benchmarks.store`.

Vectors are like those of sentences: topics of very different sizes, a few directions that matter and many that hardly
do. Texts are sentences whose words are as unevenly frequent as words that mean something are (the commonest is one in
seventy), with small words between them. A question is one of the memories, said with half of its words, and near it in
meaning.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 384
TOPICS = 2_000
VOCABULARY = 20_000
LONGEST = 12  # words that mean something
SMALL = "the and of with to in for".split()
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Made:
    """`texts[i]` belongs to `vectors[i]`; a question's nearest memory is number `about[j]`."""

    texts: list[str]
    vectors: Vectors
    questions: list[str]
    asked: Vectors
    about: list[int]


def make(count: int, questions: int, seed: int = 1) -> Made:
    random = np.random.default_rng(seed)
    scale = (np.arange(1, DIMENSIONS + 1) ** -0.4).astype(np.float32)
    topics = np.random.default_rng(0).standard_normal((TOPICS, DIMENSIONS), np.float32)
    vectors = np.empty((count, DIMENSIONS), np.float32)
    for at in range(0, count, 50_000):
        some = min(50_000, count - at)
        of = (random.zipf(1.3, some) - 1) % TOPICS
        vectors[at : at + some] = units((topics[of] + random.standard_normal((some, DIMENSIONS), np.float32)) * scale)
    texts = _texts(random, count)
    about = random.integers(0, count, questions).tolist()
    asked = units(vectors[about] + 0.03 * random.standard_normal((questions, DIMENSIONS), np.float32) * scale)
    said = [f"What about {' '.join(texts[number].rstrip('.').lower().split()[1::3])}?" for number in about]
    return Made(texts, vectors, said, asked, about)


def _texts(random: np.random.Generator, count: int) -> list[str]:
    words = vocabulary()
    weights = 1 / (np.arange(VOCABULARY) + 8.0)
    drawn = random.choice(VOCABULARY, count * LONGEST, p=weights / weights.sum()).reshape(count, LONGEST)
    lengths = random.integers(4, LONGEST, count)
    texts = []
    for number in range(count):
        said = [
            f"{SMALL[(number + at) % len(SMALL)]} {words[word]}"
            for at, word in enumerate(drawn[number, : lengths[number]])
        ]
        texts.append(" ".join(said).capitalize() + ".")
    return texts


def units(vectors: Vectors) -> Vectors:
    found: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found


def vocabulary() -> list[str]:
    """Words of two to four syllables, each once, in no order."""
    random = np.random.default_rng(3)
    words: dict[str, None] = {}
    while len(words) < VOCABULARY:
        syllables = random.integers(2, 5)
        made = "".join(
            _CONSONANTS[random.integers(len(_CONSONANTS))] + _VOWELS[random.integers(5)] for _ in range(syllables)
        )
        words[made] = None
    return list(words)
