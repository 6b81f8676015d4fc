"""What a delta is to learn, and what it is to leave alone: questions with answers, all of them the model's own.

Notable choices
* The teacher is the model itself with the memory in its state. It is asked about every pair of family and key that a
  text's own words allow, in a dozen phrasings: what most of them answer alike, in the form of the family and with a
  value that the text has, is a fact. So nothing has to parse the text, and what the teacher cannot read is not taught.
* Of an activation state every family and key is asked for, and the words that its conversation brought along.
* Sources come oldest first and later facts take the place of earlier ones about the same: the newest wins.
* A fact is taught in all trained phrasings and some frames. The held-out ones (`models.training.conversations.compile`)
  are left for testing.
* Left alone is everything else: small talk, and questions that resemble the taught ones, from the empty state; and
  conversations of other facts, some of which contradict the taught, where the conversation must win.
"""

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from models.engine import RxtEngine, State
from models.probes.script import Fact, Script, trained_keys
from models.rxt.checkpoint import Checkpoint
from models.shapes import Memory
from models.text.lexicon import Entry
from models.text.words import split
from models.training.conversations.compile import WHO_ANSWER, WHO_ASKED, divide, fits_others
from models.training.conversations.families import FAMILIES
from models.training.conversations.frames import NAMING, WONDERING
from models.training.conversations.notation import Family
from models.training.recite import Asked, Reciter

VOTES = 12
LEAST_SHARE = 0.6
UNSURE = -5.0  # of a phrasing that gets another answer
LEAST_SURE = -1.5
MARGIN = 0.1  # nats
MARKS = frozenset(",.:")
FRAMED = 24  # questions in frames, for each fact
ALONE, CONVERSATIONS, PROBES = 2400, 48, 10  # questions to the empty state; conversations, and questions to each
OWNERS = 4  # names in one text that a fact may be about
WORDS = 12  # of one source, that may be keys
ROWS = 576  # of the model's, for the questions that are left alone
_MY = re.compile(r"\b([Mm]y|[Yy]our) (?=(favourite )?KK\b)")
_MARKERS = ("WW", "XX", "VV")


# The way back, from a value to whose it is; its "key" is the value.
WHO = Family("who", (), (), WHO_ASKED, (), "", "", "", "")


@dataclass(frozen=True, slots=True)
class Source:
    """One thing to learn: a state, and of a text its own words."""

    state: State
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Taught:
    """A fact as the teacher tells it, in keys of words."""

    fact: Fact
    answer: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt with the answer that is wanted, as ids in the reciter's table; `memory` is an index."""

    prompt: list[int]
    answer: list[int]
    memory: int = 0


@dataclass(frozen=True, slots=True)
class Lessons:
    """All that a run trains and judges itself with. `memories`: [L, S, D] each, the first is the start state."""

    facts: tuple[Taught, ...]
    words: Mapping[str, Entry]
    taught: tuple[Question, ...]
    unseen: tuple[Question, ...]  # held-out phrasings of the same facts
    kept: tuple[Question, ...]
    memories: tuple[Memory, ...] = field(repr=False)


def phrasings(fact: Fact, *, unseen: bool = False) -> list[str]:
    """Every plain question about a fact, none of which suggests a value."""
    family = fact.family
    if family.name == WHO.name:
        return [question.replace("VV", fact.key) for question in divide(WHO_ASKED, 3)[unseen]]
    pool = divide(family.questions, 3)[unseen]
    if fact.owner:
        pool = [p for p in pool if fits_others(p)] + divide(family.theirs_asked, 3)[unseen]
    return [_filled(p, fact) for p in pool if not any(marker in p for marker in _MARKERS)]


def framed(fact: Fact, rng: random.Random, count: int) -> list[str]:
    """Questions composed of a trained frame and a trained clause ("I wonder what my dog is called.")."""
    parts = [
        (divide(frames, 0)[0], divide(inner, 3)[0])
        for frames, inner in ((WONDERING, fact.family.clauses), (NAMING, fact.family.things))
    ]
    out = []
    for _ in range(count):
        frames, inner = rng.choice(parts)
        fitting = [p for p in inner if fits_others(p)] if fact.owner else inner
        if frames and fitting:
            out.append(_filled(rng.choice(frames).replace("SS", rng.choice(fitting)), fact))
    return out


def _filled(phrase: str, fact: Fact) -> str:
    if fact.owner:
        phrase = _MY.sub(f"{fact.owner}'s ", phrase).replace("OO", fact.owner)
    return phrase.replace("KK", fact.key)


def candidates(source: Source, known: Mapping[str, int]) -> list[Fact]:
    """Whatever a source could be asked about."""
    if source.text is None:
        new = [entry.surface for entry in source.state.lexicon.entries.values() if entry.row >= 0][-WORDS:]
        keys, names = None, new
    else:
        words = split(source.text)
        spoken = [word.surface.lower() for word in words if not word.symbol]
        pairs = [" ".join(pair) for pair in pairwise(spoken)]
        keys = dict.fromkeys([*pairs, *spoken])
        names = list(dict.fromkeys(word.surface for word in words if word.key not in known and not word.symbol))
        new = [word for word in names if word.islower()][:WORDS]
    owners = [name for name in names if name[:1].isupper()][:OWNERS]
    out: dict[Fact, None] = {}
    for family in FAMILIES:
        if not family.keys:
            out[Fact(family)] = None
            continue
        fitting = [key for key in family.keys if keys is None or key in keys]
        fitting += owners if family.person else new
        for key in fitting:
            out[Fact(family, key)] = None
            if family.owned and keys is not None:
                out.update(dict.fromkeys(Fact(family, key, owner) for owner in owners))
    return list(out)


def told_by(engine: RxtEngine, reciter: Reciter, source: Source) -> list[Taught]:
    """The facts that a source tells, each with the answer that its phrasings get."""
    facts = [fact for fact in candidates(source, reciter.known) if phrasings(fact)]
    first = _answered(reciter, source, [(fact, phrasings(fact)[0]) for fact in facts])
    hopeful = [fact for fact, answer, _ in first if answer]
    start = Source(engine.start_state())
    guessed = {f for f, answer, _ in _answered(reciter, start, [(f, phrasings(f)[0]) for f in hopeful]) if answer}
    votes = {fact: _votes(reciter, source, fact) for fact in hopeful if fact not in guessed}
    told: dict[frozenset[str], list[tuple[float, Taught]]] = {}
    for fact, vote in votes.items():
        if vote is not None:
            told.setdefault(frozenset(value_in(fact, vote[1])), []).append((vote[0], Taught(fact, vote[1])))
    sure = [taught for rivals in told.values() for taught in _surest(rivals)]
    return sure + _ways_back(reciter, source, sure)


def _votes(reciter: Reciter, source: Source, fact: Fact) -> tuple[float, tuple[str, ...]] | None:
    """How surely a fact is answered, and what; None where its phrasings disagree."""
    questions = phrasings(fact)[:VOTES]
    said = _answered(reciter, source, [(fact, question) for question in questions])
    for answer, count in Counter(answer for _, answer, _ in said if answer).most_common(1):
        if count >= LEAST_SHARE * len(questions):
            return sum(sure if one == answer else UNSURE for _, one, sure in said) / len(said), answer
    return None


def _surest(told: Sequence[tuple[float, Taught]]) -> list[Taught]:
    """Of facts with one value those that the teacher is surest of: a value that it was told of something else it gives
    less surely. Of each key one, and where the teacher is as sure of several, the most usual kind of fact."""
    most = max(sure for sure, _ in told)
    near = [taught for sure, taught in told if sure >= max(LEAST_SURE, most - MARGIN)]
    kept: dict[tuple[str, str], Taught] = {}
    for taught in sorted(near, key=lambda taught: -taught.fact.family.weight):
        kept.setdefault((taught.fact.key, taught.fact.owner), taught)
    return list(kept.values())


def _ways_back(reciter: Reciter, source: Source, told: Sequence[Taught]) -> list[Taught]:
    """From the value to whose it is, where the teacher goes that way as well."""
    out: dict[Fact, Taught] = {}
    for taught in told:
        name = " ".join(value_in(taught.fact, taught.answer))
        if not taught.fact.key or name in reciter.known:
            continue
        vote = _votes(reciter, source, Fact(WHO, name))
        if vote is not None and " ".join(value_in(Fact(WHO, name), vote[1])) == taught.fact.key:
            out[Fact(WHO, name)] = Taught(Fact(WHO, name), vote[1])
    return list(out.values())


def _answered(
    reciter: Reciter, source: Source, asked: Sequence[tuple[Fact, str]]
) -> list[tuple[Fact, tuple[str, ...], float]]:
    """What is answered from memory, and how surely; nothing where the answer gives no value, or one that a text does
    not have."""
    said = reciter.answers(source.state.memory, source.state.lexicon, [question for _, question in asked])
    told = set(source.state.lexicon.entries) | {word.key for word in split(source.text or "")}
    out: list[tuple[Fact, tuple[str, ...], float]] = []
    for (fact, _), (answer, sure) in zip(asked, said, strict=True):
        value = set(value_in(fact, answer)) - MARKS
        fits = bool(value) and (source.text is None or value <= told)
        out.append((fact, answer if fits else (), sure))
    return out


def value_in(fact: Fact, answer: Sequence[str]) -> tuple[str, ...]:
    """The value that an answer gives, in keys of words; nothing where it is none of the family's answers, or only says
    the key again."""
    form = WHO_ANSWER.replace("VV", fact.key) if fact.family.name == WHO.name else _filled(fact.family.answer, fact)
    marker = "kk" if fact.family.name == WHO.name else "vv"
    keys = [word.key for word in split(form)]
    at = keys.index(marker)
    before, after = keys[:at], keys[at + 1 :]
    middle = tuple(answer[len(before) : len(answer) - len(after)])
    fits = list(answer[: len(before)]) == before and list(answer[len(answer) - len(after) :]) == after
    return middle if fits and " ".join(middle) != fact.key.lower() else ()


def prepare(engine: RxtEngine, checkpoint: Checkpoint, sources: Sequence[Source], seed: int) -> tuple[Reciter, Lessons]:
    """Everything a run needs; the same for equal sources and seed. Its facts may be none."""
    whole = Reciter(checkpoint, {})
    facts: dict[Fact, tuple[str, ...]] = {}
    for source in sources:
        for taught in told_by(engine, whole, source):
            facts.pop(taught.fact, None)
            facts[taught.fact] = taught.answer
    words = words_for(facts, sources, whole.known)
    reciter = Reciter(checkpoint, words, ROWS)
    rng = random.Random(f"lessons {seed}")
    learned, unseen = [], []
    for fact, answer in facts.items():
        wanted, held = reciter.own_ids(answer), phrasings(fact, unseen=True)
        never = {_bare(question) for question in held}
        asked_for = [q for q in (*phrasings(fact), *framed(fact, rng, FRAMED)) if _bare(q) not in never]
        learned += [Question(p, wanted) for p in reciter.own_prompts(asked_for)]
        unseen += [Question(p, wanted) for p in reciter.own_prompts(held)]
    memories = [engine.start_state().memory]
    asked = _alone(reciter, rng, facts) + _conversations(engine, reciter, rng, facts, memories)
    kept = zip(asked, reciter.recite(asked, memories), strict=True)
    return reciter, Lessons(
        tuple(Taught(fact, answer) for fact, answer in facts.items()),
        words,
        tuple(learned),
        tuple(unseen),
        tuple(Question(one.prompt, answer, one.memory) for one, answer in kept),
        tuple(memories),
    )


def _bare(question: str) -> tuple[str, ...]:
    """A question without its marks: one that differs from a held-out phrasing in these alone is held out too."""
    return tuple(word.key for word in split(question) if not word.symbol)


def words_for(
    facts: Mapping[Fact, tuple[str, ...]], sources: Sequence[Source], known: Mapping[str, int]
) -> dict[str, Entry]:
    """The unknown words of the facts, numbered, and how known ones are written, as the sources have them."""
    written: dict[str, Entry] = {}
    for source in sources:
        written.update(source.state.lexicon.entries)
    out: dict[str, Entry] = {}
    fresh = 0
    for fact, answer in facts.items():
        for key in (*answer, *(word.key for word in split(f"{fact.key} {fact.owner}"))):
            if key in out or (key in known and key not in written):
                continue
            surface = written[key].surface if key in written else key
            out[key] = Entry(surface, -1 if key in known else fresh)
            fresh += key not in known
    return out


def _alone(reciter: Reciter, rng: random.Random, facts: Mapping[Fact, tuple[str, ...]]) -> list[Asked]:
    script = Script(rng, reciter.known)
    out = []
    for _ in range(ALONE):
        draw = rng.random()
        question = script.chat() if draw < 0.2 else script.ask(_unlike(script, facts, near=draw < 0.85))
        out += reciter.asked(question, reciter.empty(rng))
    return out


def _conversations(
    engine: RxtEngine,
    reciter: Reciter,
    rng: random.Random,
    facts: Mapping[Fact, tuple[str, ...]],
    memories: list[Memory],
) -> list[Asked]:
    """Questions to conversations that tell other facts, and some that tell another value of a taught one."""
    out = []
    disputed = [fact for fact in facts if fact.family.statements]
    for _ in range(CONVERSATIONS):
        script = Script(rng, reciter.known)
        told = [_unlike(script, facts, near=rng.random() < 0.5) for _ in range(rng.randint(1, 5))]
        if disputed and rng.random() < 0.4:
            told.append(rng.choice(disputed))
        state = State(engine.start_state().memory, reciter.empty(rng))
        for fact in told:
            state = engine.advance(state, script.tell(fact, script.words.name()), "").state
        memories.append(state.memory)
        for _ in range(PROBES):
            draw = rng.random()
            if draw < 0.8:
                question = script.ask(rng.choice(told) if draw < 0.6 else _unlike(script, facts, near=draw < 0.7))
            else:
                question = script.chat()
            out += reciter.asked(question, state.lexicon, len(memories) - 1)
    return out


def _unlike(script: Script, facts: Mapping[Fact, tuple[str, ...]], *, near: bool) -> Fact:
    """A fact that is not taught: `near` ones share the family or the key with one that is."""
    rng = script.rng
    asked = [family for family in FAMILIES if not family.listed]
    families = [f for f in dict.fromkeys(fact.family for fact in facts) if f.name != WHO.name] or asked
    keys = [fact.key for fact in facts if fact.family.keys]
    while True:
        family, key, owner = rng.choice(asked), "", ""
        if near and rng.random() < 0.6:
            family = rng.choice(families)
        if family.keys:
            key = script.words.plain() if rng.random() < 0.2 else rng.choice(trained_keys(family))
            if near and keys and family not in families:
                key = rng.choice(keys)
            owner = script.words.name() if family.owned and rng.random() < 0.17 else ""
        fact = Fact(family, key, owner)
        if fact not in facts:
            return fact


def distinct(facts: Iterable[Taught]) -> int:
    """How many facts, without the ways back."""
    return sum(taught.fact.family.name != WHO.name for taught in facts)
