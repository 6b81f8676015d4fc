"""What is said in one conversation: facts, questions and small talk of the synthetic language, as text.

Notable choices
* Phrasings come from the lists that training draws from, without what training puts around them (openings, noise), or
  from their held-out part. Keys come from those that training uses, unless a probe is about others.
* Half of the conversations with several facts have all of one family (names of people, animals, things): telling such
  facts apart is what a memory of this kind finds hard.
"""

import random
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

from models.probes.words import Words
from models.training.conversations.compile import divide, divide_topic, fits_others, held_out, topics_of
from models.training.conversations.facts import LIKED, NAMED, PROPERTY, SELF
from models.training.conversations.frames import ASKING, TELLING
from models.training.conversations.more_facts import LIVES, WORKPLACE
from models.training.conversations.notation import Family
from models.training.conversations.nouns import LISTS
from models.training.conversations.people import THEY_LIVE
from models.training.conversations.things import LISTED

OPEN = (NAMED, NAMED, NAMED, LIKED, LIKED, PROPERTY, THEY_LIVE, SELF, LIVES, WORKPLACE)  # any word can be their value
SMALL_TALK = [divide_topic(said) for said, _ in topics_of()[:-2]]  # trained and held out; without the catch-alls
_MY = re.compile(r"\b([Mm]y|[Yy]our) (?=(favourite )?KK\b)")


@dataclass(frozen=True, slots=True)
class Fact:
    """What can be told: of a family, about a key ("dog"), of the speaker or of somebody else."""

    family: Family
    key: str = ""
    owner: str = ""


def trained_keys(family: Family) -> list[str]:
    """The keys that training uses."""
    return _divided_keys(family.keys)[0]


def held_out_keys(family: Family) -> list[str]:
    """Known words that are never this family's key in training."""
    return _divided_keys(family.keys)[1]


@cache
def _divided_keys(keys: tuple[str, ...]) -> tuple[list[str], list[str]]:
    trained = [key for key in keys if len(keys) < 10 or not held_out(key, 10)]
    return trained, [key for key in keys if key not in trained]


@cache
def test_nouns() -> frozenset[str]:
    """Single known words that training never has as a value or a key."""
    words = {word for words in LISTS.values() for word in words}
    words |= {key for family in OPEN for key in family.keys}
    return frozenset(word for word in words if word.isalpha() and held_out(word, 10))


@cache
def _divided(phrases: tuple[str, ...], keep: int = 3) -> tuple[list[str], list[str]]:
    return divide(phrases, keep)


class Script:
    """The texts of one conversation. `known`: the words of the model's vocabulary."""

    def __init__(
        self, rng: random.Random, known: Collection[str], *, unseen: bool = False, unseen_frames: bool = False
    ) -> None:
        self.rng = rng
        self.words = Words(rng, known, [noun for noun in test_nouns() if noun in known])
        self._unseen, self._frames = unseen, unseen_frames

    # -- facts ---------------------------------------------------------------------------------------------------

    def facts(self, count: int, one_family: bool = False) -> list[Fact]:
        """Different facts: names of one family, or facts of several."""
        chosen: list[Fact] = []
        while len(chosen) < count:
            family = NAMED if one_family else self.rng.choice(OPEN)
            fact = Fact(family, self.rng.choice(trained_keys(family)) if family.keys else "")
            if fact not in chosen:
                chosen.append(fact)
        return chosen

    def unknown_facts(self, count: int) -> list[Fact]:
        """Facts whose key is a new word: names of things, and favourites."""
        return [Fact(self.rng.choice((NAMED, LIKED)), self.words.plain()) for _ in range(count)]

    def held_out_facts(self, count: int) -> list[Fact]:
        """Facts whose key is a known word that never is a key in training."""
        pool = [Fact(family, key) for family in (NAMED, LIKED) for key in held_out_keys(family)]
        return self.rng.sample(pool, count)

    def owned_facts(self, count: int) -> list[Fact]:
        """One key, of the speaker and of so many others that there are `count` owners."""
        key = self.rng.choice(trained_keys(NAMED))
        facts = [Fact(NAMED, key), *(Fact(NAMED, key, self.words.name()) for _ in range(count - 1))]
        return self.rng.sample(facts, count)

    def revisable_facts(self, count: int) -> list[Fact]:
        """Facts of one family that knows questions about the first value."""
        return self.facts(count, one_family=True)

    def list_fact(self) -> Fact:
        """A list to repeat."""
        return Fact(LISTED, self.rng.choice(trained_keys(LISTED)))

    # -- what is said --------------------------------------------------------------------------------------------

    def tell(self, fact: Fact, value: str) -> str:
        """A statement."""
        family = fact.family
        if self._frames:
            plain = [s for s in self._pool(family.statements, family.theirs_told, fact) if s.startswith(("My ", "VV "))]
            return self._framed(TELLING, self._fill(self.rng.choice(plain), fact, value))
        return self._fill(self.rng.choice(self._pool(family.statements, family.theirs_told, fact)), fact, value)

    def correct(self, fact: Fact, value: str, old: str) -> str:
        """A statement that corrects the old value."""
        return self._fill(self.rng.choice(self._pool(fact.family.corrections, (), fact)), fact, value, old)

    def ask(self, fact: Fact) -> str:
        """A question; none that suggests a value."""
        family = fact.family
        pool = [q for q in self._pool(family.questions, family.theirs_asked, fact) if "WW" not in q]
        if self._frames:
            whole = [q for q in pool if q.startswith(("What", "Where", "Who", "Which"))]
            return self._framed(ASKING, self._fill(self.rng.choice(whole), fact))
        return self._fill(self.rng.choice(pool), fact)

    def ask_first(self, fact: Fact) -> str:
        """A question about the value before all corrections."""
        return self._fill(self.rng.choice(self._pool(fact.family.first_asked, (), fact)), fact)

    def chat(self) -> str:
        """Small talk."""
        text = self.rng.choice(self.rng.choice([topic[self._unseen] for topic in SMALL_TALK if topic[self._unseen]]))
        for name, words in LISTS.items():
            text = text.replace(f"{name}:XX", self.rng.choice(words))
        return text.replace("XX", self.rng.choice(LISTS["food"]))

    @staticmethod
    def written_list(items: Sequence[str]) -> str:
        """Commas, and "and" before the last item."""
        return ", ".join(items[:-1]) + f" and {items[-1]}" if len(items) > 1 else items[0]

    def _pool(self, phrases: tuple[str, ...], theirs: tuple[str, ...], fact: Fact) -> list[str]:
        trained, unseen = _divided(phrases)
        pool = unseen if self._unseen and unseen else trained
        if not fact.owner:
            return pool
        trained, unseen = _divided(theirs)
        return [p for p in pool if fits_others(p)] + (unseen if self._unseen else trained)

    def _framed(self, frames: tuple[str, ...], core: str) -> str:
        """The sentence in a frame that training never sees."""
        inner = core.rstrip(".?!")
        if inner.startswith(("My ", "What", "Where", "Who", "Which")):
            inner = inner[0].lower() + inner[1:]
        return self.rng.choice(_divided(frames, 0)[1]).replace("SS", inner)

    @staticmethod
    def _fill(phrase: str, fact: Fact, value: str = "", old: str = "") -> str:
        if fact.owner:
            phrase = _MY.sub(f"{fact.owner}'s ", phrase).replace("OO", fact.owner)
        return phrase.replace("KK", fact.key).replace("VV", value).replace("WW", old)
