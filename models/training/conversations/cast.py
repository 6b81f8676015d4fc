"""Chooses what a dialogue is about: facts to tell, and facts near them that are never told."""

from models.training.conversations.compile import FactPatterns
from models.training.conversations.plan import Fact, Ids, Owner
from models.training.conversations.speaker import Speaker

PERSONS = ("they live", "they work", "they like", "their birthday", "their age")


class Cast:
    """The facts of one dialogue."""

    def __init__(self, speaker: Speaker) -> None:
        self.speaker, self.rng = speaker, speaker.rng
        flatten = speaker.plan.flatten
        self.families = [p for p in speaker.language.facts if p.family.weight]
        self.weights = [p.family.weight**flatten for p in self.families]
        self.by_name = {p.family.name: p for p in speaker.language.facts}

    def told(self, count: int) -> list[Fact]:
        """Different facts, `count` of them where the language has as many."""
        rng, plan = self.rng, self.speaker.plan
        chosen: dict[Fact, None] = {}
        if count > 1 and rng.random() < plan.owners:
            chosen = dict.fromkeys(self._people(count))
        if count and rng.random() < plan.lists:
            chosen[self._list()] = None
        one_family = rng.random() < plan.one_family
        family = self._keyed() if one_family else None
        unknown = rng.randint(1, 4) if one_family and rng.random() < 0.25 else 0
        for _ in range(20 * count):
            if len(chosen) >= count:
                break
            patterns = family if family is not None and rng.random() < 0.85 else self._any()
            key: Ids = ()
            if patterns.keys:
                key = (self.speaker.row(),) if unknown > 0 else self.key(patterns)
                unknown -= 1
            chosen[self.own(patterns, key)] = None
        out = list(chosen)[:count]
        rng.shuffle(out)
        return out

    def untold(self, told: list[Fact], count: int) -> list[Fact]:
        """Facts that are not among the told ones, most of them near one."""
        out: list[Fact] = []
        for _ in range(4 * count):
            if len(out) == count:
                break
            fact = (
                self.near(self.rng.choice(told)) if told and self.rng.random() < self.speaker.plan.near else self.some()
            )
            if fact not in told and fact not in out:
                out.append(fact)
        return out

    def some(self) -> Fact:
        """Any fact of the speaker's own."""
        patterns = self._any()
        return self.own(patterns, self.key(patterns) if patterns.keys else ())

    def near(self, fact: Fact) -> Fact:
        """A fact that is easily mistaken for this one; it may be one that was told."""
        family, draw = fact.patterns.family, self.rng.random()
        if family.owned and draw < 0.2:
            return self._swapped(fact)
        similar = [self.by_name[name] for name in family.near]
        if fact.key and draw < 0.45:
            similar = [p for p in similar if fact.key in p.keys or p.family.name == "favourite"]
        if similar and (draw < 0.45 or not fact.key):
            patterns = self.rng.choice(similar)
            if fact.other and not fact.name and patterns.family.owned:
                return Fact(patterns, fact.key, fact.owner, other=True)
            if fact.name and patterns.family.person:
                return Fact(patterns, fact.key, fact.owner, other=True, name=True)
            if not fact.other:
                return self.own(patterns, (fact.key or self.key(patterns)) if patterns.keys else ())
        if not fact.key:
            return self.some()
        if fact.name:
            return self._named(fact.patterns, self.speaker.row())
        return Fact(fact.patterns, self.key(fact.patterns), fact.owner, fact.other)

    def own(self, patterns: FactPatterns, key: Ids) -> Fact:
        """The speaker's own fact."""
        return Fact(patterns, key, self.speaker.me)

    def key(self, patterns: FactPatterns) -> Ids:
        """A key for a family: one of its own, an unknown word, or any known word."""
        rng, plan = self.rng, self.speaker.plan
        draw = rng.random()
        if draw < plan.unknown_keys:
            return (self.speaker.row(),)
        if draw > 0.97:
            return (self.speaker.noun(),)
        return rng.choice(patterns.test_keys if plan.test_words and patterns.test_keys else patterns.keys)

    def _any(self) -> FactPatterns:
        return self.rng.choices(self.families, self.weights)[0]

    def _keyed(self) -> FactPatterns:
        keyed = [(p, w) for p, w in zip(self.families, self.weights, strict=True) if p.keys]
        return self.rng.choices([p for p, _ in keyed], [w for _, w in keyed])[0]

    def _list(self) -> Fact:
        bare = self.by_name["words"]
        if self.rng.random() < 0.25:
            return self.own(bare, ())
        patterns = self.by_name["list"]
        key = (self.speaker.row(), self.speaker.known["list"]) if self.rng.random() < 0.1 else self.key(patterns)
        return self.own(patterns, key)

    def _owner(self, name: int | None = None) -> Owner:
        """Another person: a name, or a relation of the speaker's."""
        known = self.speaker.known
        if name is not None or self.rng.random() < 0.65:
            name = self.speaker.row() if name is None else name
            return Owner((name, known["'s"]), (name, known["'s"]), (name,))
        kin = self.rng.choice(self.speaker.language.people)
        return Owner((known["my"], *kin, known["'s"]), (known["your"], *kin, known["'s"]), (known["my"], *kin))

    def _swapped(self, fact: Fact) -> Fact:
        """The same thing of somebody else."""
        if fact.other and self.rng.random() < 0.5:
            return self.own(fact.patterns, fact.key)
        return Fact(fact.patterns, fact.key, self._owner(), other=True)

    def _named(self, patterns: FactPatterns, name: int) -> Fact:
        return Fact(patterns, (name,), self.speaker.nobody, other=True, name=True)

    def _people(self, count: int) -> list[Fact]:
        """Facts about several people who have the same things."""
        rng = self.rng
        names = [self.speaker.row() for _ in range(rng.randint(1, 2))]
        owners = [self._owner(name) for name in names]
        if rng.random() < 0.5:
            owners.append(self._owner())
        owned = [(p, w) for p, w in zip(self.families, self.weights, strict=True) if p.family.owned]
        out: list[Fact] = []
        for _ in range(rng.randint(1, 3)):
            patterns = rng.choices([p for p, _ in owned], [w for _, w in owned])[0]
            key = self.key(patterns)
            out += [Fact(patterns, key, owner, other=True) for owner in owners if rng.random() < 0.8]
            if rng.random() < 0.7:
                out.append(self.own(patterns, key))
        for name in names:
            if rng.random() < 0.6:
                out.append(self._named(self.by_name[rng.choice(PERSONS)], name))
        rng.shuffle(out)
        return out[: max(1, min(count, rng.randint(count // 2 + 1, count)))]
