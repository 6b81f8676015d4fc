"""Finds statements that cannot both hold: detectors behind a registry, each small enough to be explained.

`keyed` reads a statement as a key and its value ("my X is A", "I live in A") and finds two with the same key and
different values. Most things that look like a contradiction are none (two friends, two hobbies, a mood and a job), so
it knows only keys that have one value at a time and gives up at the first word that could mean otherwise: a doubt, a
past, a place in the week. What it misses stays as it is; what it finds is archived, not lost.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Protocol

from memos.consolidation.texts import sentences, words


@dataclass(frozen=True, slots=True)
class Statement:
    """A text with the moment from which it is said to hold."""

    text: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Contradiction:
    """By places in what was handed in: `newer` holds from a later moment and replaces `older`."""

    newer: int
    older: int
    reason: str  # without a word of either


class Detector(Protocol):
    def detect(
        self, statements: Sequence[Statement], similarity: Callable[[int, int], float]
    ) -> list[Contradiction]: ...


DETECTORS: dict[str, Detector] = {}


def register(name: str) -> Callable[[type[Detector]], type[Detector]]:
    def add(made: type[Detector]) -> type[Detector]:
        DETECTORS[name] = made()
        return made

    return add


# Nouns with one value at a time, by what that value must look like.
NAMES = frozenset("name nickname surname username".split())
FIGURES = frozenset("age height weight address birthday birthdate number pin passcode password postcode".split())
TITLES = frozenset({"mr", "mrs", "ms", "dr"})
MEASURED = frozenset("age height weight birthday birthdate".split())
MAILS = frozenset({"email"})
PEOPLE = frozenset("wife husband spouse fiance fiancee girlfriend boyfriend boss manager landlord therapist".split())
PLACES = frozenset("hometown employer".split())
ROLES = frozenset("occupation profession".split())
# Of whom one has but one, so that another name is another person: of friends, brothers and dogs there may be more.
SINGLE = PEOPLE | frozenset("mother father mum mom dad company boat street school".split())
MONTHS = frozenset(
    "january february march april may june july august september october november december jan feb mar apr jun jul aug "
    "sep oct nov dec".split()
)
STATUSES = frozenset("married single divorced widowed engaged".split())
# A statement with one of these may hold beside another.
DOUBT = frozenset(
    "not no never was were used might may maybe perhaps probably or and but also too either both another other "
    "others sometimes usually often if will would could should want wants hope plan soon once ex old former "
    "previous next last one some every each during when while until because except before after than like about "
    "guess think favourites weekend weekends weekdays summer winter morning evening yesterday tomorrow almost "
    "nearly by".split()
)
# A place of one kind lies in a place of the other: only two of a kind exclude each other.
LANDS = frozenset(
    "africa america asia europe scandinavia argentina australia austria belgium brazil britain bulgaria canada "
    "chile china colombia croatia cuba cyprus czechia denmark egypt england estonia ethiopia finland france "
    "germany ghana greece hungary iceland india indonesia iran iraq ireland israel italy japan jordan kenya korea "
    "latvia lebanon lithuania luxembourg malaysia malta mexico morocco nepal netherlands zealand nigeria norway "
    "pakistan panama peru philippines poland portugal qatar romania russia scotland serbia singapore slovakia "
    "slovenia spain sudan sweden switzerland syria taiwan tanzania thailand tunisia turkey uganda ukraine kingdom "
    "uk states usa us uruguay venezuela vietnam wales alabama alaska arizona california colorado florida georgia "
    "hawaii illinois massachusetts michigan minnesota nevada ohio oregon texas utah virginia washington wisconsin "
    "bavaria catalonia tuscany provence ontario quebec".split()
)
# Adjectives that begin with a capital: of a person they are no name.
_OF_A_LAND = re.compile(
    r"\w+(?:ese|ian|ish|ican|isch|ench|erman|utch|reek|wiss|hai|orean|raeli|raqi|ccan|ean|abic)", re.IGNORECASE
)
_ARTICLE = re.compile(r"^(?:the|an?) ", re.IGNORECASE)
_NOW = r"(?:now |currently |still )?"
_MY = r"(?:my|the user's|user's)"
_KEYED = re.compile(rf"{_MY} (?P<key>[\w' ]+?) is {_NOW}(?P<value>.+)", re.IGNORECASE)
_CALLED = re.compile(rf"{_MY} (?P<key>[\w' ]+?) is {_NOW}(?:called|named) (?P<value>.+)", re.IGNORECASE)
_VERB = re.compile(
    rf"(?:i|the user|user) {_NOW}(?P<key>lives? in|works? (?:at|for)|stud(?:y|ies) at) (?P<value>.+)", re.IGNORECASE
)
_AGE = re.compile(r"(?:i am|i'm|the user is) (?P<value>\d{1,3})(?: years old)?", re.IGNORECASE)
_STATUS = re.compile(rf"(?:i am|i'm|the user is) {_NOW}(?P<value>\w+)", re.IGNORECASE)
_NAME = re.compile(r"(?:my name is|call me|i am called) (?P<value>.+)", re.IGNORECASE)
_TAIL = re.compile(r"[\s,]+(?:now|currently|these days|at the moment|today)$", re.IGNORECASE)
MOST_VALUE_WORDS = 4


def reading(text: str) -> tuple[str, str] | None:
    """(key, value) of a statement that has one value at a time; None for anything else."""
    found = sentences(text)
    if len(found) != 1 or "?" in text:
        return None
    said = _TAIL.sub("", found[0].strip().replace("\u2019", "'").rstrip(".! "))
    for pattern, read in _READINGS:
        match = pattern.fullmatch(said)
        if match is None or (key := read(match)) is None:
            continue
        value = match["value"].strip()
        # A figure is read as it stands, words in it and all.
        doubted = said[: match.start("value")] if _figure(value) else said
        if 0 < len(words(value)) <= MOST_VALUE_WORDS and not _doubtful(doubted):
            return key, value
        return None
    return None


def _of_name(match: re.Match[str]) -> str | None:
    return "name" if _proper(match["value"]) and not _of_land(match["value"]) else None


def _of_called(match: re.Match[str]) -> str | None:
    key = _key(match["key"])
    return f"{key} name" if key in SINGLE and _proper(match["value"]) else None


def _of_keyed(match: re.Match[str]) -> str | None:
    key, value = _key(match["key"]), match["value"]
    noun = key.rsplit(" ", 1)[-1] if key else ""
    if re.match(r"favou?rite \w", key):
        return re.sub("^favorite", "favourite", key) if len(words(value)) <= 2 and not _of_land(value) else None
    if noun == "name":
        owner = key.removesuffix("name").strip().removesuffix("'s")
        fits = owner in ("", *SINGLE) and _proper(value) and not _of_land(value)
        return f"{owner} name".strip() if fits else None
    fits = (
        (noun in NAMES and _proper(value))
        or (noun in FIGURES and _figure(value))
        or (noun in MAILS and "@" in value)
        or (noun in PEOPLE and _proper(value) and not _of_land(value))
        or (noun in PLACES and _proper(value))
        or (noun in ROLES and re.match(r"an? ", value, re.IGNORECASE) is not None)
    )
    return key if fits else None


def _of_verb(match: re.Match[str]) -> str | None:
    verb = {"l": "live", "w": "work", "s": "study"}[match["key"][0].lower()]
    return verb if _proper(match["value"]) else None


def _of_age(match: re.Match[str]) -> str:
    return "age"


def _of_status(match: re.Match[str]) -> str | None:
    return "status" if match["value"].casefold() in STATUSES else None


_READINGS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str | None]], ...] = (
    (_NAME, _of_name), (_CALLED, _of_called), (_KEYED, _of_keyed), (_VERB, _of_verb), (_AGE, _of_age),
    (_STATUS, _of_status),
)  # fmt: skip


def _doubtful(text: str) -> bool:
    """May is a month when it has its capital."""
    plain = [word for word in re.findall(r"[\w'@]+", text) if word != "May"]
    return any(word.casefold() in DOUBT or word.casefold().endswith("n't") for word in plain)


def _key(text: str) -> str:
    """A new address is the address."""
    return " ".join(word for word in words(text) if word not in ("new", "current", "present", "real"))


def _of_land(value: str) -> bool:
    return any(_OF_A_LAND.fullmatch(word) for word in words(value))


def _proper(value: str) -> bool:
    """Every word of a name begins with a capital; what does not is perhaps a quality."""
    found = re.findall(r"[\w']+", re.sub(r"^(?:the|The) ", "", value))
    return bool(found) and all(word[0].isupper() or word in ("of", "de", "van", "von", "la") for word in found)


def _figure(value: str) -> bool:
    return any(letter.isdigit() or letter == "@" for letter in value)


def _differ(key: str, one: str, other: str) -> bool:
    """Oslo and "Oslo, Norway" do not; nor, for all that is known here, do Oslo and Norway, or 180 cm and 5 foot 11."""
    a, b = ({*words(_ARTICLE.sub("", value))} for value in (one, other))
    if a <= b or b <= a or bool(a & LANDS) != bool(b & LANDS) or bool(a & TITLES) != bool(b & TITLES):
        return False
    if not _figure(one) and (_starts(one, other) or _starts(other, one)):
        return False  # a short form of the same name
    return _shape(key, one) == _shape(key, other)


def _starts(long: str, short: str) -> bool:
    return long.casefold().startswith(short.casefold())


def _shape(key: str, value: str) -> tuple[str, ...]:
    """What two values must have in common to exclude each other: a figure its units, a person's name its length (Mr
    Silva may be Maria). Addresses and codes have nothing."""
    noun, found = key.rsplit(" ", 1)[-1], words(value)
    if noun in PEOPLE:
        return (str(len(found)),)
    if noun in MEASURED:
        return tuple("#" if word.isdigit() else "month" if word in MONTHS else word for word in found)
    return ()


@register("keyed")
class Keyed:
    """The same key with another value, in sentences that lie near each other. The newest of a key replaces the one
    before it, that one the one before, and so on."""

    least_similarity = 0.3  # of real contradictions 0.40 was the least seen: "I work at A.", "I work for B."

    def detect(self, statements: Sequence[Statement], similarity: Callable[[int, int], float]) -> list[Contradiction]:
        by_key: dict[str, list[tuple[datetime, int, str]]] = {}
        for place, statement in enumerate(statements):
            if (found := reading(statement.text)) is not None:
                by_key.setdefault(found[0], []).append((statement.since, place, found[1]))
        pairs: list[Contradiction] = []
        for key, held in by_key.items():
            held.sort()
            for before, after in pairwise(held):
                near = similarity(before[1], after[1])
                if before[0] < after[0] and _differ(key, before[2], after[2]) and near >= self.least_similarity:
                    reason = f"keyed: the same key with another value, said later; cosine {near:.2f}"
                    pairs.append(Contradiction(after[1], before[1], reason))
        return pairs
