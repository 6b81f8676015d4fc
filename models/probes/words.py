"""Words that no training run has seen, drawn when a probe runs. Every word is drawn once per conversation.

Notable choices
* Training knows unknown words as rows of random numbers and never sees a spelling, so any spelling is new to it; these
  are pronounceable, to look like the names that people type.
* Known words as values come from the nouns that training keeps for testing, never as a value in training.
"""

import random
from collections.abc import Callable, Collection

CONSONANTS, VOWELS, ENDINGS = "bcdfghjklmnprstvwz", "aeiou", ("n", "r", "sk", "x", "lt", "q")


class Words:
    """Draws words without repetition, and none that the tokenizer knows."""

    def __init__(self, rng: random.Random, known: Collection[str], nouns: Collection[str]) -> None:
        self.rng = rng
        self._known, self._nouns = known, sorted(nouns)
        self._used: set[str] = set()

    def _fresh(self, draw: Callable[[], str]) -> str:
        while True:
            word = draw()
            if word.lower() not in self._used and word.lower() not in self._known:
                self._used.add(word.lower())
                return word

    def _syllables(self, count: int) -> str:
        return "".join(self.rng.choice(CONSONANTS) + self.rng.choice(VOWELS) for _ in range(count))

    def plain(self) -> str:
        """Two or three syllables in small letters."""
        return self._fresh(lambda: self._syllables(self.rng.randint(2, 3)) + self.rng.choice(ENDINGS))

    def name(self) -> str:
        """The same with a capital: what most values are."""
        return self.plain().capitalize()

    def two_words(self) -> str:
        """Two words in small letters: two tokens."""
        return f"{self.plain()} {self.plain()}"

    def full_name(self) -> str:
        """First name and last name."""
        return f"{self.name()} {self.name()}"

    def cased(self) -> str:
        """A word with capitals where no rule puts them."""

        def draw() -> str:
            stem, second = self._syllables(2), self._syllables(2).capitalize() + self.rng.choice(ENDINGS)
            forms = (
                f"i{second}",
                f"{stem}{second}",
                f"Mc{second}",
                f"O'{second}",
                f"{stem.upper()}{self.rng.choice('XQ')}",
            )
            return self.rng.choice(forms)

        return self._fresh(draw)

    def long(self) -> str:
        """A name of 13 letters or more."""
        return self._fresh(lambda: (self._syllables(self.rng.randint(6, 8)) + self.rng.choice(ENDINGS)).capitalize())

    def known(self) -> str:
        """A word of the vocabulary; a new one where all of those are used up."""
        free = [noun for noun in self._nouns if noun not in self._used]
        if not free:
            return self.plain()
        word = self.rng.choice(free)
        self._used.add(word)
        return word
