"""Probes of what changes and of what was never said: corrections, first values, abstention."""

from functools import partial

from models.probes.judge import abstains, gives, invents
from models.probes.recall import CHATS
from models.probes.registry import Bench, register


def correct(bench: Bench, case: str, count: int, *, asked_before: int = 0, corrections: int = 1) -> None:
    """Tells facts, corrects one of them, and asks for it. Questions before a correction have the old value repeated."""
    for index in range(bench.part(0.5)):
        script, talk = bench.script(case, index), bench.talk()
        told = {fact: script.words.name() for fact in script.facts(count, one_family=count > 1)}
        for fact, value in told.items():
            talk.say(script.tell(fact, value))
        fact, newest = script.rng.choice(list(told.items()))
        said = list(told.values())
        talk.say(script.chat())
        for _ in range(corrections):
            for _ in range(asked_before):
                talk.say(script.ask(fact))
            old, newest = newest, script.words.name()
            talk.say(script.correct(fact, newest, old))
        talk.say(script.chat())
        bench.tally.add(case, "newest", talk.ask(script.ask(fact)), partial(gives, value=newest, others=said))


@register("corrections")
def corrections(bench: Bench) -> None:
    """The newest value wins, and no old one is said."""
    for count in (1, 4, 8):
        correct(bench, f"{count} facts" if count > 1 else "1 fact", count)
    correct(bench, "after 2 questions", 4, asked_before=2)
    correct(bench, "twice in a row", 4, corrections=2)
    correct(bench, "twice, asked between", 4, asked_before=1, corrections=2)


@register("first value")
def first_value(bench: Bench) -> None:
    """What it was before the correction."""
    for count in (1, 4):
        for index in range(bench.part(0.5)):
            script, talk = bench.script(count, index), bench.talk()
            told = {fact: script.words.name() for fact in script.revisable_facts(count)}
            for fact, value in told.items():
                talk.say(script.tell(fact, value))
            fact, first = script.rng.choice(list(told.items()))
            talk.say(script.chat())
            new = script.words.name()
            talk.say(script.correct(fact, new, first))
            talk.say(script.chat())
            others = [new, *told.values()]
            answers = talk.ask(script.ask_first(fact))
            bench.tally.add(count, "first", answers, partial(gives, value=first, others=others))


@register("abstention")
def abstention(bench: Bench) -> None:
    """What was never told is not known; what is said instead is counted too."""
    for count in (0, 1, 4, 8):
        for index in range(bench.part(0.5 if count else 0.25)):
            script, talk = bench.script(count, index), bench.talk()
            *known, untold = script.facts(count + 1, one_family=index % 2 == 0)
            told = [script.words.name() for _ in known]
            for fact, value in zip(known, told, strict=True):
                talk.say(script.tell(fact, value))
            for _ in range(CHATS if count else 0):
                talk.say(script.chat())
            answers = talk.ask(script.ask(untold))
            bench.tally.add(count, "abstains", answers, partial(abstains, told=told))
            bench.tally.add(count, "gives a told value", answers, partial(invents, told=told))
