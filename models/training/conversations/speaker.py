"""Says things: composes a pattern, roughens it, and fills in key and value.

Notable choices
* Everything that changes a sentence (frames, noise) works on the pattern, so that it never touches key or value, and
  a composed sentence can be compared with the held-out ones.
* Values: mostly one unknown word, a quarter of several words, some known words. Unknown words are rows drawn without
  repetition, so no value can be learned by heart.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from models.training.conversations.compile import (
    ANY,
    FIRST_LIST,
    KEY,
    MINE,
    OTHER,
    VALUE,
    YOURS,
    Frames,
    Language,
    Pattern,
)
from models.training.conversations.plan import Fact, Ids, Owner, Plan, Turn

TOLD, ASKED, CORRECTED = range(3)
FIRST_VALUE = 3  # asked for


class Speaker:
    """Fills patterns for one dialogue."""

    def __init__(self, language: Language, rng: random.Random, rows: Sequence[int], plan: Plan) -> None:
        self.language, self.rng, self.plan = language, rng, plan
        self.fresh = list(rows)
        self.known = language.tokenizer.ids
        self.marks = language.marks
        self.noise = plan.noise / 6 if plan.plain else plan.noise
        self.me = Owner((self.known["my"],), (self.known["your"],))
        self.nobody = Owner((), ())
        self.nouns = language.test_nouns if plan.test_words else language.nouns
        self._comma, self._and, self._colon = self.known[","], self.known["and"], self.known[":"]
        self._bare = language.marks | {self._comma, self._colon}

    def row(self) -> int:
        """An unknown word not used before in this dialogue."""
        return self.fresh.pop() if self.fresh else self.rng.choice(self.nouns)

    def noun(self) -> int:
        """A known word."""
        return self.rng.choice(self.nouns)

    def word(self) -> int:
        """A known word that is neither key nor value; so words that are held out as such are learned too."""
        held = self.rng.random() < 0.25
        return self.rng.choice(self.language.test_nouns if held else self.language.nouns)

    def value(self) -> Ids:
        """A value of one word, or of two or three."""
        draw = self.rng.random()
        if draw < self.plan.known_value:
            return (self.noun(),)
        if draw >= self.plan.known_value + self.plan.long_value:
            return (self.row(),)
        return self._long_value(self.rng.random())

    def _long_value(self, draw: float) -> Ids:
        rng = self.rng
        if draw < 0.28:
            return self.row(), self.row()
        if draw < 0.48:
            first = rng.choice(self.language.adjectives) if draw < 0.38 and not self.plan.test_words else self.noun()
            return first, self.noun()
        if draw < 0.60:
            return self.noun(), self.row()
        if draw < 0.70:
            return self.row(), self.noun()
        if draw < 0.80:
            one, two = (self.row() if rng.random() < 0.4 else self.noun() for _ in range(2))
            return one, self._and, two
        return tuple(self.row() if rng.random() < 0.6 else self.noun() for _ in range(3))

    def value_of(self, fact: Fact) -> Ids:
        """A value for a fact: of lists, two to five items with commas between them."""
        if not fact.patterns.family.listed:
            return self.value()
        rng, out = self.rng, []
        lead = rng.random()  # lists tend to be of one kind
        for _ in range(rng.randint(2, 5)):
            item = [self.noun() if rng.random() < (0.85 if lead < 0.5 else 0.15) else self.row()]
            if rng.random() < 0.1:
                item.append(self.noun() if rng.random() < 0.5 else self.row())
            out.append(item)
        return tuple(chain(out[0], *([self._comma, *item] for item in out[1:])))

    def spoken(self, fact: Fact, value: Ids) -> Ids:
        """How a user says a value: of lists, often with "and" before the last item."""
        if not fact.patterns.family.listed or self.rng.random() < 0.25:
            return value
        last = len(value) - 1 - value[::-1].index(self._comma)
        both = (self._comma, self._and) if self.rng.random() < 0.2 else (self._and,)
        return (*value[:last], *both, *value[last + 1 :])

    def fill(
        self, pattern: Sequence[int], fact: Fact | None = None, value: Ids = (), lists: dict[int, Ids] | None = None
    ) -> list[int]:
        """The pattern with everything in place of its markers."""
        if min(pattern, default=0) >= 0:
            return list(pattern)
        out: list[int] = []
        for token in pattern:
            if token >= 0:
                out.append(token)
            elif token == VALUE:
                out += value
            elif token == ANY:
                out.append(self.row() if self.rng.random() < 0.5 else self.word())
            elif token == OTHER:
                out += self.value()
            elif token <= FIRST_LIST:
                out += self._listed(token, {} if lists is None else lists)
            elif fact is not None:
                out += self._about(token, fact)
        return out

    @staticmethod
    def _about(token: int, fact: Fact) -> Ids:
        if token == KEY:
            return fact.key
        if token == MINE:
            return fact.owner.mine
        return fact.owner.yours if token == YOURS else fact.owner.subject

    def _listed(self, token: int, lists: dict[int, Ids]) -> Ids:
        items = self.language.lists[FIRST_LIST - token]
        if token not in lists:
            lists[token] = (self.row(),) if self.rng.random() < 0.1 else self.rng.choice(items)
            return lists[token]
        return lists[token]

    def pick(self, trained: Sequence[Pattern], unseen: Sequence[Pattern]) -> Pattern:
        """One of the trained phrasings, or of the held-out ones where the plan wants those."""
        return self.rng.choice(unseen if self.plan.unseen and unseen else trained)

    def core(self, fact: Fact, group: int) -> Pattern:
        """A phrasing by itself."""
        p = fact.patterns
        trained, unseen = (p.others, p.others_unseen) if fact.other else (p.trained, p.unseen)
        return self.pick(trained.groups[group], unseen.groups[group])

    def _framed(self, frames: Frames, cores: Sequence[Pattern]) -> list[int]:
        before, after = self.rng.choice(frames.unseen if self.plan.unseen else frames.trained)
        core = self.rng.choice(cores)
        return [*before, *(core[:-1] if core[-1] in self.marks else core), *after]

    def _composed(self, fact: Fact, group: int) -> list[int] | None:
        """A frame around a core, where there is one that fits."""
        language, cores = self.language, fact.patterns.others if fact.other else fact.patterns.trained
        if group in (TOLD, CORRECTED):
            frames = language.telling if group == TOLD else language.correcting
            return self._framed(frames, cores.declared) if cores.declared else None
        if group == FIRST_VALUE:
            return self._framed(language.asking, cores.groups[FIRST_VALUE])
        draw = self.rng.random()
        if draw < 0.45 and cores.clauses:
            return self._framed(language.wondering, cores.clauses)
        if draw < 0.7 and cores.things:
            return self._framed(language.naming, cores.things)
        return self._framed(language.asking, cores.direct)

    def sentence(self, fact: Fact, group: int, value: Ids = ()) -> list[int]:
        """What the user says to tell, ask for or correct a fact; held-out phrasings only where the plan wants them."""
        plan = self.plan
        alone = plan.plain or self.rng.random() >= plan.framed
        pattern = (None if alone else self._composed(fact, group)) or list(self.core(fact, group))
        pattern = self.roughen(pattern, fact.patterns.family.listed)
        if not plan.unseen and tuple(t for t in pattern if t not in self._bare) in fact.patterns.held:
            pattern = list(self.core(fact, group))
        return self.fill(pattern, self._introduced(fact) if group == TOLD else fact, value)

    def _introduced(self, fact: Fact) -> Fact:
        """Sometimes a name is told with who that is: "my friend Anna"."""
        if not fact.name or self.rng.random() < 0.75:
            return fact
        return replace(fact, owner=Owner(self.rng.choice(self.language.introduced), ()))

    def disturb(self, pattern: list[int]) -> list[int]:
        """Noise: one light word dropped or replaced by any word, or a filler put in; never beside key or value."""
        rng, light = self.rng, self.language.light
        draw = rng.random()
        if draw < 0.35:
            at = rng.randrange(len(pattern))
            if pattern[at] < 0 or (at and pattern[at - 1] < 0):
                return pattern
            return [*pattern[:at], rng.choice(self.language.fillers), *pattern[at:]]
        places = [i for i, token in enumerate(pattern) if token in light]
        if not places or len(pattern) < 4:
            return pattern
        at = rng.choice(places)
        if draw < 0.65 and min(pattern[max(at - 1, 0) : at + 2]) >= 0:
            return [*pattern[:at], ANY, *pattern[at + 1 :]]
        return pattern[:at] + pattern[at + 1 :]

    def roughen(self, said: list[int], commas: bool = False) -> list[int]:
        """What people do to a sentence: an opening, an afterthought, no punctuation. `commas`: they carry meaning."""
        if self.noise and self.rng.random() < self.noise and said:
            said = self.disturb(said)
        if self.plan.plain:
            return said
        rng, known = self.rng, self.known
        if rng.random() < 0.1:
            said = [*rng.choice(self.language.prefixes), *said]
        end = [said.pop()] if said and said[-1] in self.marks else []
        if rng.random() < 0.05:
            said = [*said, *rng.choice(self.language.suffixes)]
        if rng.random() < 0.7:
            said += end if rng.random() < 0.85 else [rng.choice((known["!"], known["."], known["?"]))]
        if rng.random() < 0.15 and not commas:
            said = [t for t in said if t != self._comma]
        return said

    def state(self, fact: Fact, value: Ids, group: int) -> Turn:
        """Tells a fact (group 0) or corrects it (group 2)."""
        p = fact.patterns
        said = self.sentence(fact, group, self.spoken(fact, value))
        if self.rng.random() < 0.06 and not self.plan.plain:
            said = [*self.chat().said, *said] if self.rng.random() < 0.5 else [*said, *self.aside()]
        reply = self.fill(p.noted if group == TOLD else p.changed, fact, value)
        return Turn(tuple(said), tuple(reply), self._words(value), "told")

    def _words(self, value: Ids) -> Ids:
        """A value without the commas of a list."""
        return tuple(token for token in value if token != self._comma)

    def aside(self) -> list[int]:
        """A short second sentence that asks for no answer."""
        topic = self.rng.choice(self.language.topics[:20])
        return self.fill(self.rng.choice(topic.trained))

    def ask(self, fact: Fact, value: Ids | None, kind: str) -> Turn:
        """A question about a fact; without a value it was never told."""
        p = fact.patterns
        said = tuple(self.sentence(fact, FIRST_VALUE if kind == "first" else ASKED))
        if value is None:
            return Turn(said, tuple(self.fill(p.unknown, fact)), (), "abstain")
        answer = self.fill(p.first_answer if kind == "first" else p.answer, fact, value)
        return Turn(said, tuple(answer), self._words(value), kind)

    def who(self, fact: Fact, value: Ids, known: bool) -> Turn:
        """The way back: from the value to whose it is."""
        said = tuple(self.fill(self.roughen(list(self.rng.choice(self.language.who_asked))), fact, value))
        if not known:
            return Turn(said, tuple(self.fill(self.language.who_unknown, fact, value)), (), "who abstain")
        return Turn(said, tuple(self.fill(self.language.who_answer, fact, value)), fact.key, "who")

    def chat(self) -> Turn:
        """Small talk and the reply to it. The last topics are the catch-alls, for what nobody wrote a topic for."""
        rng, topics, draw = self.rng, self.language.topics, self.rng.random()
        if draw < 0.5 and not self.plan.unseen:
            said, reply = rng.choice(self.language.talk)  # topics with many utterances come more often
        else:
            topic = topics[-rng.randint(1, 2)] if draw > 0.94 else rng.choice(topics)
            said, reply = self.pick(topic.trained, topic.unseen), topic.reply
        lists: dict[int, Ids] = {}
        out = self.fill(self.roughen(list(said)), lists=lists)
        return Turn(tuple(out), tuple(self.fill(reply, lists=lists)))

    def both(self, first: Turn, second: Turn) -> Turn:
        """Two facts in one message; the second is answered."""
        joint = [self._and] if self.rng.random() < 0.3 else []
        said = first.said[:-1] if joint and first.said[-1] in self.marks else first.said
        return Turn((*said, *joint, *second.said), second.answer, second.values, "told")

    def together(self, fact: Fact, value: Ids) -> Turn:
        """A fact and the question about it in one message."""
        told, asked = self.state(fact, value, TOLD), self.ask(fact, value, "together")
        return Turn(told.said + asked.said, asked.answer, asked.values, "together")

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
