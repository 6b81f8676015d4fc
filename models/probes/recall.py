"""Probes of plain recall: how far back, how many, which words, whose, and in which phrasing."""

from collections.abc import Callable
from functools import partial

from models.probes.judge import gives, gives_as_written, lists
from models.probes.registry import Bench, register
from models.probes.script import Fact, Script
from models.probes.words import Words

DISTANCES = (0, 1, 4, 16, 64)
COUNTS = {1: 1.0, 4: 0.5, 8: 0.24, 12: 0.2, 16: 0.16}  # facts held, and the share of `n` that is enough of them
CHATS = 4  # turns of small talk between the last fact and the questions


@register("distance")
def distance(bench: Bench) -> None:
    """One fact, asked for after 0 to 64 turns of small talk. At 0 a memory of the previous turn is enough."""
    for index in range(bench.n):
        script, talk = bench.script("", index), bench.talk()
        fact, value = script.facts(1)[0], script.words.name()
        talk.say(script.tell(fact, value))
        gone = 0
        for turns in DISTANCES if index < bench.part(0.4) else DISTANCES[:-1]:
            for _ in range(turns - gone):
                talk.say(script.chat())
            gone = turns
            bench.tally.add(turns, "exact", talk.ask(script.ask(fact)), partial(gives, value=value))


def ask_all(bench: Bench, case: object, script: Script, told: dict[Fact, str], chats: int = CHATS) -> None:
    """Tells all facts, chats, and asks for every one of them."""
    talk = bench.talk()
    for fact, value in told.items():
        talk.say(script.tell(fact, value))
    for _ in range(chats):
        talk.say(script.chat())
    for fact, value in told.items():
        answers = talk.ask(script.ask(fact))
        bench.tally.add(case, "exact", answers, partial(gives, value=value, others=told.values()))


@register("facts")
def facts(bench: Bench) -> None:
    """So many facts held at once; in every second conversation all are of one family, which is harder."""
    for count, share in COUNTS.items():
        for index in range(bench.part(share)):
            script = bench.script(count, index)
            told = {fact: script.words.name() for fact in script.facts(count, one_family=index % 2 == 0)}
            ask_all(bench, count, script, told)


@register("phrasings")
def phrasings(bench: Bench) -> None:
    """The same in sentences, questions and small talk that training never sees; and in frames that it never sees."""
    for case, count in (("1 fact", 1), ("4 facts", 4), ("frames, 4 facts", 4)):
        for index in range(bench.part(COUNTS[count])):
            script = bench.script(case, index, unseen="frames" not in case, unseen_frames="frames" in case)
            told = {fact: script.words.name() for fact in script.facts(count, one_family=index % 2 == 0)}
            ask_all(bench, case, script, told)


VALUES: dict[str, Callable[[Words], str]] = {
    "two words": Words.two_words,
    "first and last name": Words.full_name,
    "cased": Words.cased,
    "13+ letters": Words.long,
    "vocabulary": Words.known,
}


@register("values")
def values(bench: Bench) -> None:
    """Two facts whose values are not one plain new word; cased ones count only as they were written."""
    for kind, draw in VALUES.items():
        right = gives_as_written if kind == "cased" else gives
        for index in range(bench.part(0.5)):
            script, talk = bench.script(kind, index), bench.talk()
            told = {fact: draw(script.words) for fact in script.facts(2)}
            for fact, value in told.items():
                talk.say(script.tell(fact, value))
            for _ in range(2):
                talk.say(script.chat())
            for fact, value in told.items():
                answers = talk.ask(script.ask(fact))
                bench.tally.add(kind, "exact", answers, partial(right, value=value, others=told.values()))


@register("keys")
def keys(bench: Bench) -> None:
    """Facts about things whose word is new as well ("My zorb is called ..."), or known but never a key in training."""
    for case, count in (("1 new", 1), ("4 new", 4), ("4 held out", 4)):
        for index in range(bench.part(COUNTS[count])):
            script = bench.script(case, index)
            chosen = script.unknown_facts(count) if "new" in case else script.held_out_facts(count)
            ask_all(bench, case, script, {fact: script.words.name() for fact in chosen}, chats=2)


@register("owners")
def owners(bench: Bench) -> None:
    """The same thing of several people: the speaker's dog, Anna's dog, Ben's dog."""
    for count in (2, 4):
        for index in range(bench.part(COUNTS[4])):
            script = bench.script(count, index)
            told = {fact: script.words.name() for fact in script.owned_facts(count)}
            ask_all(bench, count, script, told, chats=2)


@register("lists")
def repeated_lists(bench: Bench) -> None:
    """A list told and asked for: every item, in order, and nothing else."""
    for size in (2, 3, 4, 5):
        for index in range(bench.part(0.5)):
            script, talk = bench.script(size, index), bench.talk()
            fact = script.list_fact()
            items = [script.words.plain() if script.rng.random() < 0.5 else script.words.known() for _ in range(size)]
            talk.say(script.tell(fact, script.written_list(items)))
            for _ in range(2):
                talk.say(script.chat())
            bench.tally.add(size, "verbatim", talk.ask(script.ask(fact)), partial(lists, items=items))
