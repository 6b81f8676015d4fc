"""Phrasings as token patterns, the tokenizer they imply, and the phrasings, words and keys that training never sees.

Notable choices
* A pattern is a tuple of token ids and of negative markers; filling one in is list concatenation, because the generator
  makes some five hundred sentences per training step.
* A part of the phrasings is held out by the hash of its text: the same part for every seed. The first phrasings of a
  family are always trained. Of the known words that serve as values, and of the keys, a part is held out likewise.
* Words that only a held-out phrasing uses stay unknown words.
* "my dog" in a phrasing is compiled to a marker, so that the same phrasing serves "Anna's dog".
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from models.text.tokenizer import Tokenizer
from models.text.words import split
from models.training.conversations.common import FILLERS
from models.training.conversations.families import FAMILIES
from models.training.conversations.frames import ASKING, CORRECTING, NAMING, TELLING, WONDERING
from models.training.conversations.more_talk import MORE_TALK
from models.training.conversations.notation import Family, bars
from models.training.conversations.nouns import LISTS, TEST_KEYS
from models.training.conversations.smalltalk import SMALLTALK

KEY, VALUE, OTHER, ANY = -1, -2, -3, -4  # KK, VV, WW, XX
MINE, YOURS, SUBJECT, SLOT = -5, -6, -7, -8  # "my" and "your" before the key, OO, SS
FIRST_LIST = -9  # food:XX and so on are -9, -10, ...
LIST_INDEX = tuple(LISTS)
Pattern = tuple[int, ...]
Frame = tuple[Pattern, Pattern]  # what comes before the slot and what comes after it

WHO_ASKED = ("Who is VV?", "Who's VV?", "Do you know who VV is?", "Tell me who VV is.", "Do you remember who VV is?")
WHO_ANSWER = "VV is your KK."
WHO_UNKNOWN = "I don't know who VV is yet."
PREFIXES = bars("""
    hi, | hello, | hey, | by the way, | so, | oh, | well, | also, | okay, | um, | just so you know, | one more thing,
    | hello. | hi! | hey! | please, | listen, | btw, | and | ah, | good morning, | fyi, | thanks. | okay. | great. |
    cool. | nice. | haha, | right, | anyway, | quick question: | let me think, | now | tell me,
""")
SUFFIXES = bars("""
    please | thanks | thank you | by the way | you know | okay | again | now | today | right | actually | haha | :) |
    , please | for me
""")
INTRODUCED = ("my friend", "my colleague", "my old friend", "my friend", "my neighbour", "a friend of mine,")
# Words without which a sentence still says what it says: noise may drop or replace them.
LIGHT = """
    a the is are was of do does did you me to that can could would please tell know remember what's so and now have has
    it just say said again about want will still for with be by in at on
"""
DISPLAY = {
    "i": "I", "i'm": "I'm", "i've": "I've", "i'd": "I'd", "i'll": "I'll", "monday": "Monday", "tuesday": "Tuesday",
    "wednesday": "Wednesday", "thursday": "Thursday", "friday": "Friday", "saturday": "Saturday", "sunday": "Sunday",
    "sundays": "Sundays", "christmas": "Christmas", "easter": "Easter", "ai": "AI", "ok": "OK",
}  # fmt: skip
_MINE = re.compile(r"\b[Mm]y (favourite )?KK\b")
_YOURS = re.compile(r"\b[Yy]our (favourite )?KK\b")
# What a sentence about "my dog" says about the speaker, so that it cannot be about Anna's.
_SPEAKER = re.compile(
    r"\b([Oo]ur|[Ww]e|[Uu]ser|[Mm]ine|I'm|I've|I'd|do I|did I (?!say|tell|mention)"
    r"|I (?!say|tell|said|told|forg|want|wonder|need|was w))\b"
)
# Statements and questions that frames go around.
_DIRECT = re.compile(r"^(What|Which|Where|Who|When|How|Do|Did|Is|Am|Have|Can|Could|Would|In|On)\b[^.!:]*\?$")
_DECLARED = re.compile(r"^(My|Our|We|I|I'm|I've|VV|The KK|Your|OO|OO's)\b[^.?!:]*\.$")


def held_out(phrase: str, one_in: int) -> bool:
    """Whether training must not see this phrasing (or this word)."""
    return int.from_bytes(hashlib.sha256(phrase.encode()).digest()[:4], "big") % one_in == 0


def keys_of(phrase: str) -> list[str]:
    """Word keys of a template; markers come out as `kk`, `vv`, `ww`, `xx`, `foodxx`."""
    return [word.key for word in split(re.sub(r"(\w+):XX", r"\1XX", phrase))]


def divide(phrases: tuple[str, ...], keep: int) -> tuple[list[str], list[str]]:
    """Trained and held-out phrasings; the first `keep` are always trained."""
    seen = [p for i, p in enumerate(phrases) if i < keep or not held_out(p, 6)]
    known = set(seen)
    return seen, [p for p in phrases if p not in known]


def fits_others(phrase: str) -> bool:
    """Whether a phrasing about "my KK" can be about another person's."""
    return bool(_MINE.search(phrase)) and not _SPEAKER.search(phrase)


@dataclass(frozen=True)
class Topic:
    """One kind of small talk."""

    trained: tuple[Pattern, ...]
    unseen: tuple[Pattern, ...]
    reply: Pattern


@dataclass(frozen=True, slots=True)
class Cores:
    """Phrasings of one family without what people put around them."""

    groups: tuple[tuple[Pattern, ...], ...]  # told, asked, corrected, asked for the first value
    declared: tuple[Pattern, ...] = ()  # statements that frames go around
    direct: tuple[Pattern, ...] = ()  # questions that frames go around
    clauses: tuple[Pattern, ...] = ()
    things: tuple[Pattern, ...] = ()


@dataclass(frozen=True, eq=False)
class FactPatterns:
    """A family, compiled. `others`: phrasings for another person's fact. `held`: the held-out ones, bare of marks."""

    family: Family
    keys: tuple[tuple[int, ...], ...]
    test_keys: tuple[tuple[int, ...], ...]
    trained: Cores
    unseen: Cores
    others: Cores
    others_unseen: Cores
    answer: Pattern
    noted: Pattern
    changed: Pattern
    unknown: Pattern
    first_answer: Pattern
    held: frozenset[Pattern]


@dataclass(frozen=True)
class Frames:
    """Frames of one sort, trained and held out."""

    trained: tuple[Frame, ...]
    unseen: tuple[Frame, ...]


@dataclass(frozen=True)
class Language:
    """Everything the generator draws from."""

    tokenizer: Tokenizer
    facts: tuple[FactPatterns, ...]
    topics: tuple[Topic, ...]
    talk: tuple[tuple[Pattern, Pattern], ...]  # every trained utterance with its reply
    lists: tuple[tuple[tuple[int, ...], ...], ...]
    telling: Frames
    asking: Frames
    wondering: Frames
    naming: Frames
    correcting: Frames
    who_asked: tuple[Pattern, ...]
    who_answer: Pattern
    who_unknown: Pattern
    prefixes: tuple[Pattern, ...]
    suffixes: tuple[Pattern, ...]
    introduced: tuple[Pattern, ...]
    nouns: tuple[int, ...]  # known words that also serve as values and keys
    test_nouns: tuple[int, ...]  # those that never are values or keys in training
    adjectives: tuple[int, ...]
    fillers: tuple[int, ...]
    light: frozenset[int]
    marks: frozenset[int]
    people: tuple[tuple[int, ...], ...]  # relations: "sister"


def topics_of() -> list[tuple[list[str], str]]:
    """Utterances and reply of every topic of small talk, as text; the last two are the catch-alls."""
    out: dict[str, list[str]] = {}
    blocks = SMALLTALK.strip().split("\n\n")
    for block in [*blocks[:-2], *MORE_TALK.strip().split("\n\n"), *blocks[-2:]]:
        said, reply = block.rsplit("=>", 1)
        known = out.setdefault(reply.strip(), [])
        known += [s for s in bars(said) if s not in known]
    return [(said, reply) for reply, said in out.items()]


def divide_topic(said: Sequence[str]) -> tuple[list[str], list[str]]:
    """Trained and held-out utterances of a topic."""
    seen = [s for i, s in enumerate(said) if i < 3 or not held_out(s, 7)]
    known = set(seen)
    return seen, [s for s in said if s not in known]


def _trained_of(family: Family) -> list[str]:
    out = list(family.keys)
    for group in (family.statements, family.questions, family.corrections, family.theirs_told, family.theirs_asked):
        out += divide(group, 3)[0]
    for group in (family.clauses, family.things, family.first_asked):
        out += divide(group, 3)[0]
    return [*out, family.answer, family.noted, family.changed, family.unknown, family.first_answer]


def _vocabulary() -> set[str]:
    phrases: list[str] = [*WHO_ASKED, WHO_ANSWER, WHO_UNKNOWN, *PREFIXES, *SUFFIXES, *INTRODUCED, *FILLERS]
    for family in FAMILIES:
        phrases += _trained_of(family)
    for frames in (TELLING, ASKING, WONDERING, NAMING, CORRECTING):
        phrases += divide(frames, 0)[0]
    for said, reply in topics_of():
        phrases += [*divide_topic(said)[0], reply]
    for words in LISTS.values():
        phrases += words
    markers = {"kk", "vv", "ww", "xx", "oo", "ss", *(f"{name}xx" for name in LIST_INDEX)}
    return {key for phrase in phrases for key in keys_of(phrase)} - markers | set(".,!?")


class _Compiler:
    """Text to patterns, for one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.ids = tokenizer.ids
        self.marks = frozenset(self.ids[m] for m in ".,!?:")
        self.markers = {"kk": KEY, "vv": VALUE, "ww": OTHER, "xx": ANY, "oo": SUBJECT, "ss": SLOT}
        self.markers |= {f"{name}xx": FIRST_LIST - i for i, name in enumerate(LIST_INDEX)}
        self.markers |= {"mymine": MINE, "youryours": YOURS}

    def one(self, phrase: str) -> Pattern:
        """A word of a held-out phrasing that training does not know is an unknown word: any."""
        phrase = _MINE.sub(lambda m: f"mymine {m[1] or ''}KK", phrase)
        phrase = _YOURS.sub(lambda m: f"youryours {m[1] or ''}KK", phrase)
        return tuple(self.markers.get(k, self.ids.get(k, ANY)) for k in keys_of(phrase))

    def many(self, phrases: Iterable[str]) -> tuple[Pattern, ...]:
        return tuple(self.one(p) for p in phrases)

    def frames(self, texts: tuple[str, ...]) -> Frames:
        def cut(phrases: list[str]) -> tuple[Frame, ...]:
            patterns = self.many(phrases)
            return tuple((p[: p.index(SLOT)], p[p.index(SLOT) + 1 :]) for p in patterns)

        seen, unseen = divide(texts, 0)
        return Frames(cut(seen), cut(unseen))

    def cores(self, family: Family, part: int, others: bool) -> Cores:
        """Trained (part 0) or held-out (part 1) phrasings, of the speaker's own facts or of another person's."""

        def chosen_of(phrases: tuple[str, ...], also: tuple[str, ...] = ()) -> list[str]:
            chosen = divide(phrases, 3)[part]
            return [p for p in chosen if fits_others(p)] + divide(also, 3)[part] if others else chosen

        def many(phrases: tuple[str, ...], also: tuple[str, ...] = ()) -> tuple[Pattern, ...]:
            return self.many(chosen_of(phrases, also))

        told = family.theirs_told
        groups = (
            many(family.statements, told),
            many(family.questions, family.theirs_asked),
            many(family.corrections),
            many(family.first_asked),
        )
        if part:
            return Cores(groups)
        return Cores(
            groups,
            self.many(p for p in chosen_of(family.statements, told) if _DECLARED.match(p)),
            self.many(p for p in chosen_of(family.questions, family.theirs_asked) if _DIRECT.match(p)),
            many(family.clauses),
            many(family.things),
        )

    def family(self, family: Family) -> FactPatterns:
        unseen, others_unseen = self.cores(family, 1, False), self.cores(family, 1, True)
        held = chain.from_iterable((*unseen.groups, *others_unseen.groups))
        return FactPatterns(
            family,
            self.many(k for k in family.keys if k not in TEST_KEYS),
            self.many(k for k in family.keys if k in TEST_KEYS),
            self.cores(family, 0, False),
            unseen,
            self.cores(family, 0, True),
            others_unseen,
            self.one(family.answer),
            self.one(family.noted),
            self.one(family.changed),
            self.one(family.unknown),
            self.one(family.first_answer),
            frozenset(self.bare(p) for p in held),
        )

    def bare(self, pattern: Iterable[int]) -> Pattern:
        return tuple(t for t in pattern if t not in self.marks)


def _value_words() -> set[str]:
    words = {k for words in LISTS.values() for w in words for k in keys_of(w)}
    words |= {k for family in FAMILIES for w in family.keys for k in keys_of(w)}
    # What often follows a value ("Rex, by the way") is none itself.
    never = {"this", "of", *FILLERS, *(k for phrase in SUFFIXES for k in keys_of(phrase))}
    return {w for w in words if w[0].isalpha()} - never


def build_language() -> Language:
    """Compiles the whole language; the same on every machine."""
    tokenizer = Tokenizer.build(_vocabulary(), DISPLAY)
    ids = tokenizer.ids
    compiler = _Compiler(tokenizer)
    facts = tuple(compiler.family(f) for f in FAMILIES)
    topics = []
    for said, reply in topics_of():
        seen, unseen = divide_topic(said)
        topics.append(Topic(compiler.many(seen), compiler.many(unseen), compiler.one(reply)))
    words = sorted(_value_words())
    never = {w for w in words if held_out(w, 10)} | {k for key in TEST_KEYS for k in keys_of(key)}
    people = next(f for f in facts if f.family.name == "they live").keys
    return Language(
        tokenizer,
        facts,
        tuple(topics),
        tuple((said, topic.reply) for topic in topics for said in topic.trained),
        tuple(compiler.many(items) for items in LISTS.values()),
        compiler.frames(TELLING),
        compiler.frames(ASKING),
        compiler.frames(WONDERING),
        compiler.frames(NAMING),
        compiler.frames(CORRECTING),
        compiler.many(WHO_ASKED),
        compiler.one(WHO_ANSWER),
        compiler.one(WHO_UNKNOWN),
        compiler.many(PREFIXES),
        compiler.many(SUFFIXES),
        compiler.many(INTRODUCED),
        tuple(ids[w] for w in words if w not in never),
        tuple(ids[w] for w in words if w in never),
        tuple(ids[w] for w in LISTS["adj"] if w not in never),
        tuple(ids[w] for w in FILLERS if w in ids),
        frozenset(ids[w] for w in LIGHT.split() if w in ids),
        frozenset(ids[m] for m in ".?!"),
        people,
    )
