"""Templates as token patterns, the tokenizer they imply, and the phrasings that training never sees.

Notable choices
* A pattern is a tuple of token ids and of negative markers; filling one in is list concatenation, because the generator
  makes some five hundred sentences per training step.
* A part of the phrasings is held out by the hash of its text: the same part for every seed. The first phrasings of a
  family are always trained.
* Words that only a held-out phrasing uses stay unknown words.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from models.text.tokenizer import Tokenizer
from models.text.words import split
from models.training.conversations.facts import Family
from models.training.conversations.more_facts import FAMILIES
from models.training.conversations.nouns import LISTS
from models.training.conversations.smalltalk import SMALLTALK

KEY, VALUE, OTHER, ANY = -1, -2, -3, -4  # KK, VV, WW, XX
LIST_NAMES = tuple(LISTS)  # food:XX and so on are -5, -6, ...
Pattern = tuple[int, ...]


def _bars(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in " ".join(text.split()).split(" | "))


WHO_ASKED = ("Who is VV?", "Who's VV?", "Do you know who VV is?", "Tell me who VV is.", "Do you remember who VV is?")
WHO_ANSWER = "VV is your KK."
WHO_UNKNOWN = "I don't know who VV is yet."
PREFIXES = _bars("""
    hi, | hello, | hey, | by the way, | so, | oh, | well, | also, | okay, | um, | just so you know, | one more thing,
    | hello. | hi! | hey! | please, | listen, | btw, | and | ah, | good morning, | fyi, | thanks. | okay. | great. |
    cool. | nice. | haha, | right, | anyway, | quick question: | let me think, | now | tell me,
""")
SUFFIXES = _bars("""
    please | thanks | thank you | by the way | you know | okay | again | now | today | right | actually | haha | :) |
    , please | for me
""")
DISPLAY = {
    "i": "I", "i'm": "I'm", "i've": "I've", "i'd": "I'd", "i'll": "I'll", "monday": "Monday", "tuesday": "Tuesday",
    "wednesday": "Wednesday", "thursday": "Thursday", "friday": "Friday", "saturday": "Saturday", "sunday": "Sunday",
    "christmas": "Christmas", "easter": "Easter", "ai": "AI", "ok": "OK",
}  # fmt: skip


def held_out(phrase: str, one_in: int) -> bool:
    """Whether training must not see this phrasing."""
    return int.from_bytes(hashlib.sha256(phrase.encode()).digest()[:4], "big") % one_in == 0


def keys_of(phrase: str) -> list[str]:
    """Word keys of a template; markers come out as `kk`, `vv`, `ww`, `xx`, `foodxx`."""
    return [word.key for word in split(re.sub(r"(\w+):XX", r"\1XX", phrase))]


@dataclass(frozen=True)
class Topic:
    """One kind of small talk."""

    trained: tuple[Pattern, ...]
    unseen: tuple[Pattern, ...]
    reply: Pattern


@dataclass(frozen=True)
class FactPatterns:
    """A family, compiled. `trained` and `unseen` hold statements, questions and corrections in that order."""

    family: Family
    keys: tuple[tuple[int, ...], ...]
    trained: tuple[tuple[Pattern, ...], ...]
    unseen: tuple[tuple[Pattern, ...], ...]
    answer: Pattern
    noted: Pattern
    changed: Pattern
    unknown: Pattern


@dataclass(frozen=True)
class Language:
    """Everything the generator draws from."""

    tokenizer: Tokenizer
    facts: tuple[FactPatterns, ...]
    topics: tuple[Topic, ...]
    lists: tuple[tuple[tuple[int, ...], ...], ...]
    who_asked: tuple[Pattern, ...]
    who_answer: Pattern
    who_unknown: Pattern
    prefixes: tuple[Pattern, ...]
    suffixes: tuple[Pattern, ...]
    nouns: tuple[int, ...]  # known words that also serve as values and keys


def topics_of() -> list[tuple[list[str], str]]:
    """Utterances and reply of every topic of small talk, as text."""
    out = []
    for block in SMALLTALK.strip().split("\n\n"):
        said, reply = block.rsplit("=>", 1)
        out.append(([s.strip() for s in said.replace("\n", " ").split(" | ")], reply.strip()))
    return out


def divide(phrases: tuple[str, ...], keep: int) -> tuple[list[str], list[str]]:
    """Trained and held-out phrasings; the first `keep` are always trained."""
    seen = [p for i, p in enumerate(phrases) if i < keep or not held_out(p, 6)]
    return seen, [p for p in phrases if p not in seen]


def _vocabulary() -> set[str]:
    phrases: list[str] = [*WHO_ASKED, WHO_ANSWER, WHO_UNKNOWN, *PREFIXES, *SUFFIXES]
    for family in FAMILIES:
        for group in (family.statements, family.questions, family.corrections):
            phrases += divide(group, 3)[0]
        phrases += [*family.keys, family.answer, family.noted, family.changed, family.unknown]
    for said, reply in topics_of():
        phrases += [*(s for i, s in enumerate(said) if i < 3 or not held_out(s, 7)), reply]
    for words in LISTS.values():
        phrases += words
    markers = {"kk", "vv", "ww", "xx", *(f"{name}xx" for name in LIST_NAMES)}
    return {key for phrase in phrases for key in keys_of(phrase)} - markers | set(".,!?")


def build_language() -> Language:
    """Compiles the whole language; the same on every machine."""
    tokenizer = Tokenizer.build(_vocabulary(), DISPLAY)
    markers = {"kk": KEY, "vv": VALUE, "ww": OTHER, "xx": ANY}
    markers |= {f"{name}xx": ANY - 1 - i for i, name in enumerate(LIST_NAMES)}

    def one(phrase: str) -> Pattern:
        # A word of a held-out phrasing that training does not know is an unknown word: any.
        return tuple(markers.get(k, tokenizer.ids.get(k, ANY)) for k in keys_of(phrase))

    def many(phrases: Sequence[str]) -> tuple[Pattern, ...]:
        return tuple(one(p) for p in phrases)

    facts = []
    for family in FAMILIES:
        groups = [divide(g, 3) for g in (family.statements, family.questions, family.corrections)]
        facts.append(
            FactPatterns(
                family,
                many(list(family.keys)),
                tuple(many(seen) for seen, _ in groups),
                tuple(many(unseen) for _, unseen in groups),
                one(family.answer),
                one(family.noted),
                one(family.changed),
                one(family.unknown),
            )
        )
    topics = []
    for said, reply in topics_of():
        unseen = [s for i, s in enumerate(said) if i >= 3 and held_out(s, 7)]
        topics.append(Topic(many([s for s in said if s not in unseen]), many(unseen), one(reply)))
    nouns = sorted({k for words in LISTS.values() for w in words for k in keys_of(w)} | {
        k for family in FAMILIES for w in family.keys for k in keys_of(w)
    })  # fmt: skip
    return Language(
        tokenizer,
        tuple(facts),
        tuple(topics),
        tuple(many(list(words)) for words in LISTS.values()),
        many(list(WHO_ASKED)),
        one(WHO_ANSWER),
        one(WHO_UNKNOWN),
        many(PREFIXES),
        many(SUFFIXES),
        tuple(tokenizer.ids[n] for n in nouns),
    )
