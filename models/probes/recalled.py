"""Probes of recalled texts: snippets found elsewhere and handed in with the question, beside the state.

The control without memory is handed the same snippets: what it answers needed no state.
"""

from functools import partial

from models.probes.judge import abstains, gives
from models.probes.registry import Bench, register

SNIPPETS = 3


@register("recalled")
def recalled(bench: Bench) -> None:
    """From snippets alone; from snippets and state together; and where they disagree, the conversation wins."""
    for index in range(bench.part(0.5)):
        alone(bench, index)
        together(bench, index)
        conflict(bench, index)
        unrelated(bench, index)


def alone(bench: Bench, index: int) -> None:
    """Nothing was told, three facts are recalled."""
    script, talk = bench.script("alone", index), bench.talk()
    told = {fact: script.words.name() for fact in script.facts(SNIPPETS)}
    snippets = [script.tell(fact, value) for fact, value in told.items()]
    talk.say(script.chat())
    fact, value = script.rng.choice(list(told.items()))
    answers = talk.ask(script.ask(fact), snippets)
    bench.tally.add("snippets alone", "exact", answers, partial(gives, value=value, others=told.values()))


def together(bench: Bench, index: int) -> None:
    """Two facts were told and two are recalled; both sorts are asked for with the snippets at hand."""
    script, talk = bench.script("together", index), bench.talk()
    told = {fact: script.words.name() for fact in script.facts(4)}
    said, found = list(told.items())[:2], list(told.items())[2:]
    for fact, value in said:
        talk.say(script.tell(fact, value))
    talk.say(script.chat())
    snippets = [script.tell(fact, value) for fact, value in found]
    for case, (fact, value) in (
        ("told, beside snippets", script.rng.choice(said)),
        ("recalled, beside state", script.rng.choice(found)),
    ):
        answers = talk.ask(script.ask(fact), snippets)
        bench.tally.add(case, "exact", answers, partial(gives, value=value, others=told.values()))


def conflict(bench: Bench, index: int) -> None:
    """A snippet has another value than the conversation."""
    script, talk = bench.script("conflict", index), bench.talk()
    fact, other = script.facts(2)
    own, old = script.words.name(), script.words.name()
    talk.say(script.tell(fact, own))
    talk.say(script.chat())
    snippets = [script.tell(fact, old), script.tell(other, script.words.name())]
    answers = talk.ask(script.ask(fact), snippets)
    bench.tally.add("conflict", "the conversation wins", answers, partial(gives, value=own, others=(old,)))


def unrelated(bench: Bench, index: int) -> None:
    """Neither the snippets nor the conversation have it."""
    script, talk = bench.script("unrelated", index), bench.talk()
    fact, *others = script.facts(SNIPPETS + 1)
    values = [script.words.name() for _ in others]
    talk.say(script.chat())
    snippets = [script.tell(other, value) for other, value in zip(others, values, strict=True)]
    answers = talk.ask(script.ask(fact), snippets)
    bench.tally.add("never told nor recalled", "abstains", answers, partial(abstains, told=values))
