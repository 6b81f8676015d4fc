"""Draws conversations: facts told and corrected, questions and small talk between them, and probes of the final state.

Notable choices
* Values are drawn per dialogue: mostly one unknown word, sometimes two or three, sometimes a known word. Unknown words
  are rows drawn without repetition, so no value can be learned by heart.
* Dialogues with many facts of one family are over-sampled: that is what forces key and value to be bound.
* What the assistant said in the past is not always the ideal answer: it may be empty (imported or redacted turns), or
  something else (another generator answered), so a fact must be read from the user's own words.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from models.training.conversations.compile import (
    ANY,
    KEY,
    OTHER,
    VALUE,
    FactPatterns,
    Language,
    Pattern,
)

Ids = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """One interaction as token ids, and which answer tokens carry a value. `kind` labels probes in evaluations."""

    said: Ids
    answer: Ids
    values: Ids = ()
    kind: str = "chat"


@dataclass(frozen=True, slots=True)
class Fact:
    patterns: FactPatterns
    key: Ids


@dataclass(frozen=True, slots=True)
class Plan:
    """What a dialogue should look like. Probabilities in 0..1."""

    turns: int
    facts: int
    probes: int
    one_family: float = 0.45
    corrections: float = 0.3
    asked: float = 0.6  # share of the probes that ask for a told fact
    unseen: bool = False  # draw from the held-out phrasings
    plain: bool = False  # evaluation: no wrappers around phrasings, ideal answers in the past
    known_value: float = 0.17
    long_value: float = 0.13
    untold: float = 0.27  # share of the other probes that ask for what was never told
    flatten: float = 1.0  # exponent on the families' weights: below 1, rare families come more often
    questions: float = 0.12  # share of the turns, besides those that tell a fact, that ask for one
    joined: float = 0.08  # share of the facts told together with the next one, in one message
    first_weight: float = 1.0  # of an answer's first token, which decides between answering and "I don't know"
    blank: float = 0.0  # share of the dialogues that have not begun: probes meet the start state
    empty_answers: float = 0.0  # more of them, as recalled texts have no answer


@dataclass
class _Told:
    """The facts of a dialogue so far, newest value each."""

    values: dict[Fact, Ids] = field(default_factory=dict)


class Speaker:
    """Fills patterns for one dialogue."""

    def __init__(self, language: Language, rng: random.Random, rows: Sequence[int], plan: Plan) -> None:
        self.language, self.rng, self.plan = language, rng, plan
        self.fresh = list(rows)
        self.known = language.tokenizer.ids
        self.marks = {self.known["."], self.known["?"], self.known["!"]}

    def row(self) -> int:
        """An unknown word not used before in this dialogue."""
        return self.fresh.pop() if self.fresh else self.rng.choice(self.language.nouns)

    def value(self) -> Ids:
        draw = self.rng.random()
        if draw < self.plan.known_value:
            return (self.rng.choice(self.language.nouns),)
        if draw < self.plan.known_value + self.plan.long_value:
            size = 2 if self.rng.random() < 0.8 else 3
            return tuple(
                self.row() if self.rng.random() < 0.75 else self.rng.choice(self.language.nouns) for _ in range(size)
            )
        return (self.row(),)

    def fill(self, pattern: Pattern, key: Ids = (), value: Ids = (), lists: dict[int, Ids] | None = None) -> list[int]:
        out: list[int] = []
        for token in pattern:
            if token >= 0:
                out.append(token)
            elif token == KEY:
                out += key
            elif token == VALUE:
                out += value
            elif token == OTHER:
                out += self.value()
            elif token == ANY:
                out.append(self.row() if self.rng.random() < 0.6 else self.rng.choice(self.language.nouns))
            else:
                out += self._listed(token, {} if lists is None else lists)
        return out

    def _listed(self, token: int, lists: dict[int, Ids]) -> Ids:
        if token not in lists:
            items = self.language.lists[ANY - 1 - token]
            lists[token] = (self.row(),) if self.rng.random() < 0.12 else self.rng.choice(items)
        return lists[token]

    def pick(self, trained: Sequence[Pattern], unseen: Sequence[Pattern]) -> Pattern:
        pool = unseen if self.plan.unseen and unseen else trained
        return self.rng.choice(pool)

    def roughen(self, said: list[int]) -> list[int]:
        """What people do to a sentence: an opening, an afterthought, no punctuation, 's for is."""
        if self.plan.plain:
            return said
        rng, known = self.rng, self.known
        if rng.random() < 0.12:
            said = [*rng.choice(self.language.prefixes), *said]
        end = [said.pop()] if said and said[-1] in self.marks else []
        if rng.random() < 0.06:
            said = [*said, *rng.choice(self.language.suffixes)]
        if rng.random() < 0.7:
            said += end if rng.random() < 0.85 else [rng.choice((known["!"], known["."], known["?"]))]
        if rng.random() < 0.15:
            said = [t for t in said if t != known[","]]
        if rng.random() < 0.02 and len(said) > 4:
            del said[rng.randrange(len(said))]
        return said

    def state(self, fact: Fact, value: Ids, group: int) -> Turn:
        """Group 0 tells a fact, group 2 corrects it."""
        p = fact.patterns
        said = self.roughen(self.fill(self.pick(p.trained[group], p.unseen[group]), fact.key, value))
        reply = p.noted if group == 0 else p.changed
        if self.rng.random() < 0.06 and not self.plan.plain:
            said = [*self.chat().said, *said] if self.rng.random() < 0.5 else [*said, *self.aside()]
        return Turn(tuple(said), tuple(self.fill(reply, fact.key, value)), value, "told")

    def aside(self) -> list[int]:
        """A short second sentence that asks for no answer."""
        topic = self.rng.choice(self.language.topics[:20])
        return self.fill(self.rng.choice(topic.trained))

    def ask(self, fact: Fact, value: Ids | None, kind: str) -> Turn:
        p = fact.patterns
        said = self.roughen(self.fill(self.pick(p.trained[1], p.unseen[1]), fact.key))
        if value is None:
            return Turn(tuple(said), tuple(self.fill(p.unknown, fact.key)), (), "abstain")
        return Turn(tuple(said), tuple(self.fill(p.answer, fact.key, value)), value, kind)

    def who(self, fact: Fact, value: Ids, known: bool) -> Turn:
        """The way back: from the value to whose it is."""
        said = self.roughen(self.fill(self.rng.choice(self.language.who_asked), (), value))
        if not known:
            return Turn(tuple(said), tuple(self.fill(self.language.who_unknown, (), value)), (), "who abstain")
        return Turn(tuple(said), tuple(self.fill(self.language.who_answer, fact.key, value)), fact.key, "who")

    def chat(self) -> Turn:
        # The last topics are the catch-alls, for what nobody wrote a topic for.
        topics = self.language.topics
        topic = topics[-self.rng.randint(1, 2)] if self.rng.random() < 0.07 else self.rng.choice(topics)
        lists: dict[int, Ids] = {}
        said = self.roughen(self.fill(self.pick(topic.trained, topic.unseen), lists=lists))
        return Turn(tuple(said), tuple(self.fill(topic.reply, lists=lists)))

    def both(self, first: Turn, second: Turn) -> Turn:
        """Two facts in one message; the second is answered."""
        joint = [self.known["and"]] if self.rng.random() < 0.3 else []
        said = first.said[:-1] if joint and first.said[-1] in self.marks else first.said
        return Turn((*said, *joint, *second.said), second.answer, second.values, "told")

    def together(self, fact: Fact, value: Ids) -> Turn:
        """A fact and the question about it in one message."""
        told, asked = self.state(fact, value, 0), self.ask(fact, value, "together")
        return Turn(told.said + asked.said, asked.answer, value, "together")

    def past(self, turn: Turn) -> Turn:
        """The turn as it may stand in the history."""
        if self.plan.plain:
            return turn
        draw = self.rng.random()
        rate = 0.14 if turn.kind == "told" else 0.05
        if draw < rate + self.plan.empty_answers:
            return Turn(turn.said, ())
        if draw < 2 * rate + self.plan.empty_answers:
            return Turn(turn.said, self.chat().answer)
        return turn


def _facts(language: Language, rng: random.Random, speaker: Speaker, count: int, one_family: bool) -> list[Fact]:
    flatten = speaker.plan.flatten
    weights = [p.family.weight**flatten for p in language.facts]
    chosen: list[Fact] = []
    family: FactPatterns | None = None
    if one_family:
        keyed = [p for p in language.facts if p.keys]
        family = rng.choices(keyed, [p.family.weight**flatten for p in keyed])[0]
    for _ in range(20 * count):
        if len(chosen) == count:
            break
        patterns = family if family is not None and rng.random() < 0.85 else rng.choices(language.facts, weights)[0]
        key: Ids = ()
        if patterns.keys:
            draw = rng.random()
            key = (speaker.row(),) if draw < 0.06 else rng.choice(patterns.keys)
            if draw > 0.97:
                key = (rng.choice(language.nouns),)
        fact = Fact(patterns, key)
        if fact not in chosen:
            chosen.append(fact)
    return chosen


def draw_dialogue(
    language: Language, rng: random.Random, rows: Sequence[int], plan: Plan
) -> tuple[list[Turn], list[Turn]]:
    """The turns to remember, and probes to answer from the state after them. `rows` are token ids, shuffled."""
    speaker = Speaker(language, rng, rows, plan)
    one_family = rng.random() < plan.one_family
    # Some facts are never told: questions about them must not be answered with another fact.
    facts = _facts(language, rng, speaker, plan.facts + 2, one_family)
    told, untold = facts[: -min(2, len(facts) - 1)], facts[-min(2, len(facts) - 1) :]
    values: dict[Fact, Ids] = {}
    turns: list[Turn] = []
    queue = [(f, 0) for f in told]
    queue += [(f, 2 if rng.random() < 0.8 else 0) for f in told if rng.random() < plan.corrections]
    queue = _ordered(queue[: plan.turns], rng)
    corrected = set()
    while len(turns) < plan.turns:
        left = plan.turns - len(turns)
        if queue and rng.random() < len(queue) / left:
            fact, group = queue.pop(0)
            if fact in values:
                corrected.add(fact)
            values[fact] = speaker.value()
            turn = speaker.state(fact, values[fact], group)
            if queue and queue[0][0] not in values and not plan.plain and rng.random() < plan.joined:
                second, _ = queue.pop(0)
                values[second] = speaker.value()
                turn = speaker.both(turn, speaker.state(second, values[second], 0))
            turns.append(speaker.past(turn))
        elif values and rng.random() < plan.questions and not plan.plain:
            fact = rng.choice([*values, *untold])
            turns.append(speaker.past(speaker.ask(fact, values.get(fact), "fact")))
        else:
            turns.append(speaker.past(speaker.chat()))
    return turns, _probes(speaker, rng, plan, values, untold, corrected)


def _ordered(queue: list[tuple[Fact, int]], rng: random.Random) -> list[tuple[Fact, int]]:
    """Shuffled, but a correction stays after its fact."""
    shuffled = queue[:]
    rng.shuffle(shuffled)
    seen: set[Fact] = set()
    out = []
    for fact, _ in shuffled:
        groups = [g for f, g in queue if f is fact]
        out.append((fact, groups[1] if fact in seen else groups[0]))
        seen.add(fact)
    return out


def _probes(
    speaker: Speaker, rng: random.Random, plan: Plan, values: dict[Fact, Ids], untold: list[Fact], corrected: set[Fact]
) -> list[Turn]:
    probes: list[Turn] = []
    asked = list(values)
    rng.shuffle(asked)
    for index in range(plan.probes):
        draw = rng.random()
        abstains = draw < plan.untold
        if not abstains:  # the other kinds keep their proportions
            draw = 0.27 + (draw - plan.untold) * 0.73 / (1.0 - plan.untold)
        fact = asked[index % len(asked)] if asked else None
        if fact is not None and rng.random() < plan.asked:
            kind = "corrected" if fact in corrected else "fact"
            probes.append(speaker.ask(fact, values[fact], kind))
        elif abstains and untold:
            probes.append(speaker.ask(rng.choice(untold), None, "abstain"))
        elif draw < 0.65:
            probes.append(speaker.chat())
        elif draw < 0.74 and fact is not None and fact.patterns.family.name == "named":
            known = rng.random() < 0.75
            probes.append(speaker.who(fact, values[fact] if known else speaker.value(), known))
        elif draw < 0.80 and untold:
            probes.append(speaker.together(rng.choice(untold), speaker.value()))
        elif draw < 0.90 or fact is None:
            new = rng.choice(untold) if untold else Fact(speaker.language.facts[1], ())
            probes.append(speaker.state(new, speaker.value(), 0))
        else:
            probes.append(speaker.state(fact, speaker.value(), 2))
    return probes
