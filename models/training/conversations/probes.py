"""Draws the questions that are put to the final state of a conversation, and what they should be answered.

Notable choices
* Where recalled lines in the prompt and the conversation disagree, the conversation's own words win.
"""

from dataclasses import dataclass, field

from models.training.conversations.cast import Cast
from models.training.conversations.plan import Fact, Ids, Turn
from models.training.conversations.speaker import CORRECTED, TOLD, Speaker

MAX_SNIPPETS = 4
SNIPPET_TOKENS = 18  # of one line
ALL_SNIPPET_TOKENS = 60


@dataclass(slots=True)
class Story:
    """What a conversation has told so far: newest and first values, and facts that are never told."""

    untold: list[Fact]
    values: dict[Fact, Ids] = field(default_factory=dict)
    firsts: dict[Fact, Ids] = field(default_factory=dict)
    corrected: set[Fact] = field(default_factory=set)

    def tell(self, fact: Fact, value: Ids) -> Ids:
        """Notes a value and returns it."""
        if fact in self.values:
            self.corrected.add(fact)
        self.firsts.setdefault(fact, value)
        self.values[fact] = value
        return value


def draw_probes(speaker: Speaker, cast: Cast, story: Story) -> list[Turn]:
    """As many as the plan says."""
    drawer = _Drawer(speaker, cast, story)
    asked = list(story.values)
    speaker.rng.shuffle(asked)
    # A list is one fact among many, of which a dialogue has few probes: it is asked for first, and again.
    lists = [fact for fact in asked if fact.patterns.family.listed]
    asked = lists + asked
    return [drawer.one(asked[i % len(asked)] if asked else None) for i in range(speaker.plan.probes)]


class _Drawer:
    def __init__(self, speaker: Speaker, cast: Cast, story: Story) -> None:
        self.speaker, self.cast, self.story, self.rng = speaker, cast, story, speaker.rng
        plan = speaker.plan
        self.firsts = [f for f in story.corrected if f.patterns.family.first_asked]
        self.firsts.sort(key=list(story.values).index)  # sets have no order of their own
        self.first_share = plan.first * (1.8 if self.firsts else 0.35)

    def one(self, fact: Fact | None) -> Turn:
        """One probe; `fact` is the told fact whose turn it is."""
        speaker, story, plan = self.speaker, self.story, self.speaker.plan
        draw = self.rng.random()
        if draw < plan.snippets:
            return self.with_snippets(fact)
        if draw < plan.snippets + self.first_share:
            return self.first(fact)
        if fact is not None and self.rng.random() < plan.asked:
            return speaker.ask(fact, story.values[fact], self.kind_of(fact))
        if self.rng.random() < plan.untold:
            return speaker.ask(self.unknown(), None, "abstain")
        return self.other(fact, self.rng.random())

    def kind_of(self, fact: Fact) -> str:
        """How evaluations count a question about a told fact."""
        if fact.patterns.family.listed:
            return "list"
        if fact in self.story.corrected:
            return "corrected"
        if fact.other:
            return "owner"
        return "key" if fact.key and fact.key[0] >= len(self.speaker.language.tokenizer) else "fact"

    def unknown(self) -> Fact:
        """A fact that was never told."""
        if self.story.untold:
            return self.rng.choice(self.story.untold)
        patterns = self.cast.by_name["named"]
        return self.cast.own(patterns, (self.speaker.row(),))

    def first(self, fact: Fact | None) -> Turn:
        """What was told first; sometimes of what never changed, or was never told."""
        story, draw = self.story, self.rng.random()
        if self.firsts and draw < 0.9:
            fact = self.rng.choice(self.firsts)
        elif fact is None or draw > 0.96:
            fact = self.unknown()
        if not fact.patterns.family.first_asked:
            return self.speaker.ask(fact, story.values.get(fact), self.kind_of(fact))
        return self.speaker.ask(fact, story.firsts.get(fact), "first")

    def other(self, fact: Fact | None, draw: float) -> Turn:
        """Small talk, the way back from value to key, and statements."""
        speaker = self.speaker
        if draw < 0.52:
            return speaker.chat()
        if draw < 0.64 and fact is not None and fact.patterns.family.name == "named":
            known = self.rng.random() < 0.75
            return speaker.who(fact, self.story.values[fact] if known else speaker.value(), known)
        if draw < 0.74 or fact is None:
            new = self.unknown()
            if draw < 0.64 and not new.patterns.family.listed:
                return speaker.together(new, speaker.value_of(new))
            return speaker.state(new, speaker.value_of(new), TOLD)
        return speaker.state(fact, speaker.value_of(fact), CORRECTED)

    def with_snippets(self, fact: Fact | None) -> Turn:
        """A question whose prompt has recalled lines, of which at most one is about it."""
        speaker, story, draw = self.speaker, self.story, self.rng.random()
        own = fact is not None and draw < 0.45
        asked = fact if fact is not None and own else self.unknown()
        relevant = draw < 0.28 if own else draw < 0.82
        lines: list[Ids] = []
        value = story.values.get(asked)
        if relevant:
            recalled = speaker.value_of(asked)
            lines.append(self.snippet(asked, recalled))
            value = recalled if value is None else value
        for _ in range(self.rng.randint(0 if relevant else 1, MAX_SNIPPETS - len(lines))):
            beside = self.cast.near(asked) if self.rng.random() < 0.6 else self.cast.some()
            if beside != asked:
                line = self.snippet(beside, speaker.value_of(beside))
                if sum(map(len, lines)) + len(line) <= ALL_SNIPPET_TOKENS:
                    lines.append(line)
        self.rng.shuffle(lines)
        turn = speaker.ask(asked, value, "snippet own" if own else "snippet")
        kind = "snippet abstain" if turn.kind == "abstain" else turn.kind
        return Turn(turn.said, turn.answer, turn.values, kind, tuple(lines))

    def snippet(self, fact: Fact, value: Ids) -> Ids:
        """A recalled line: the user's words of some other time."""
        for _ in range(8):
            line = tuple(self.speaker.sentence(fact, TOLD, self.speaker.spoken(fact, value)))
            if len(line) <= SNIPPET_TOKENS:
                break
        return line
