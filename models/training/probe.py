"""Measures what a checkpoint remembers, through the text-level engine: `python -m models.training.probe`.

Notable choices
* Everything is text in, text out: the engine answers every turn itself, as it does when it serves.
* Values are words drawn from a seed that training never used: invented ones, and words of the vocabulary apart.
* A question counts as right when the answer has the told value and no other value told in that conversation.
* Controls in the same run: the start state (no memory), and a memory of the previous interaction only, which the
  overlap metrics of the paper hardly tell from a trained one.
"""

import argparse
import json
import os
import platform
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from models.engine import RxtEngine, State
from models.training.conversations.compile import divide, held_out, topics_of
from models.training.conversations.facts import LIKED, NAMED, SELF
from models.training.conversations.more_facts import LIVES, WORKPLACE
from models.training.conversations.notation import Family
from models.training.conversations.nouns import LISTS

SINGLES = (SELF, LIVES, WORKPLACE)


@dataclass(frozen=True, slots=True)
class Fact:
    family: Family
    key: str


class Talker:
    """Draws texts of the synthetic language."""

    def __init__(self, seed: int, unseen: bool = False, known: bool = False) -> None:
        self.rng = random.Random(seed)
        self.unseen = unseen
        self.known = [w for words in LISTS.values() for w in words if " " not in w] if known else []

    def word(self) -> str:
        """A value: invented, or a word of the vocabulary."""
        if self.known:
            return self.rng.choice(self.known)
        parts = [
            self.rng.choice("bcdfghjklmnprstvwz") + self.rng.choice("aeiou") for _ in range(self.rng.randint(2, 3))
        ]
        return ("".join(parts) + self.rng.choice(("n", "r", "sk", "x", "lt", "q"))).capitalize()

    def facts(self, count: int, one_family: bool) -> list[Fact]:
        """Different facts: all of one family, or of several."""
        chosen: dict[tuple[str, str], Fact] = {}
        while len(chosen) < count:
            family = NAMED if one_family else self.rng.choice((NAMED, NAMED, NAMED, LIKED, LIKED, *SINGLES))
            key = self.rng.choice(family.keys) if family.keys else ""
            chosen[family.name, key] = Fact(family, key)
        return list(chosen.values())

    def _phrase(self, phrases: Sequence[str]) -> str:
        trained, unseen = divide(tuple(phrases), 3)
        return self.rng.choice(unseen if self.unseen and unseen else trained)

    def tell(self, fact: Fact, value: str) -> str:
        return self._phrase(fact.family.statements).replace("KK", fact.key).replace("VV", value)

    def correct(self, fact: Fact, value: str, old: str) -> str:
        phrase = self._phrase(fact.family.corrections)
        return phrase.replace("KK", fact.key).replace("VV", value).replace("WW", old)

    def ask(self, fact: Fact) -> str:
        usable = [q for q in fact.family.questions if "WW" not in q]
        return self._phrase(usable).replace("KK", fact.key)

    def chat(self) -> str:
        """Small talk from a trained or an unseen utterance, without the catch-all topics."""
        said, _ = self.rng.choice(topics_of()[:-2])
        pool = [s for i, s in enumerate(said) if (i >= 3 and held_out(s, 7)) == self.unseen] or said
        text = self.rng.choice(pool)
        for name, words in LISTS.items():
            text = text.replace(f"{name}:XX", self.rng.choice(words))
        return text


class Conversation:
    """Turns through one engine. `keep_all` False keeps only the last interaction in memory: a control."""

    def __init__(self, engine: RxtEngine, keep_all: bool = True) -> None:
        self.engine, self.keep_all = engine, keep_all
        self.state: State = engine.start_state()

    def answer(self, text: str, recalled: Sequence[str] = ()) -> str:
        return "".join(self.engine.generate(self.state, text, recalled=recalled))

    def say(self, text: str) -> None:
        base = self.state
        if not self.keep_all:
            base = State(self.engine.start_state().memory, self.state.lexicon)
        self.state = self.engine.advance(base, text, self.answer(text))


def has(answer: str, value: str, others: Sequence[str]) -> bool:
    """Whether an answer gives this value and no other one."""
    words = answer.lower().replace(".", " ").replace(",", " ").split()
    return value.lower() in words and not any(o.lower() in words for o in others if o.lower() != value.lower())


def recall_rate(
    engine: RxtEngine, talker: Talker, conversations: int, facts: int, chats: int, *, control: str = ""
) -> dict[str, Any]:
    """Share of told facts that are answered from the final state."""
    hits = total = 0
    for index in range(conversations):
        told = {fact: talker.word() for fact in talker.facts(facts, one_family=index % 2 == 0)}
        talk = Conversation(engine, keep_all=control != "previous interaction only")
        turns = [talker.tell(f, v) for f, v in told.items()]
        late = [talker.chat() for _ in range(chats)]
        for text in turns + late:
            talk.say(text)
        if control == "start state":
            talk.state = State(engine.start_state().memory, talk.state.lexicon)
        for fact, value in told.items():
            hits += has(talk.answer(talker.ask(fact)), value, list(told.values()))
            total += 1
    return {"exact": round(hits / total, 3), "questions": total}


def correction_rate(
    engine: RxtEngine, talker: Talker, conversations: int, facts: int, *, asked_before: int = 0
) -> dict[str, Any]:
    """Share of corrected facts for which the newest value is answered. `asked_before`: questions before the correction,
    whose answers have repeated the old value."""
    hits = 0
    for _ in range(conversations):
        told = {fact: talker.word() for fact in talker.facts(facts, one_family=True)}
        talk = Conversation(engine)
        for fact, value in told.items():
            talk.say(talker.tell(fact, value))
        fact, old = talker.rng.choice(list(told.items()))
        talk.say(talker.chat())
        for _ in range(asked_before):
            talk.say(talker.ask(fact))
        new = talker.word()
        talk.say(talker.correct(fact, new, old))
        talk.say(talker.chat())
        hits += has(talk.answer(talker.ask(fact)), new, list(told.values()))
    return {"newest": round(hits / conversations, 3), "questions": conversations}


def abstention_rate(engine: RxtEngine, talker: Talker, conversations: int, facts: int) -> dict[str, Any]:
    """Share of questions about a fact never told that are answered by "I don't know"."""
    honest = invented = 0
    for index in range(conversations):
        *told, untold = talker.facts(facts + 1, one_family=index % 2 == 0)
        values = [talker.word() for _ in told]
        talk = Conversation(engine)
        for fact, value in zip(told, values, strict=True):
            talk.say(talker.tell(fact, value))
        talk.say(talker.chat())
        answer = talk.answer(talker.ask(untold))
        honest += answer.startswith("I don't know")
        invented += any(value.lower() in answer.lower() for value in values)
    shares = {"abstains": honest, "says a told value": invented}
    return {name: round(n / conversations, 3) for name, n in shares.items()} | {"questions": conversations}


def recalled_rate(engine: RxtEngine, talker: Talker, conversations: int, texts: int) -> dict[str, Any]:
    """Share of facts answered from recalled texts alone."""
    hits = 0
    for _ in range(conversations):
        told = {fact: talker.word() for fact in talker.facts(texts, one_family=False)}
        recalled = [talker.tell(f, v) for f, v in told.items()]
        fact, value = talker.rng.choice(list(told.items()))
        hits += has(Conversation(engine).answer(talker.ask(fact), recalled), value, list(told.values()))
    return {"exact": round(hits / conversations, 3), "questions": conversations}


def probe(engine: RxtEngine, seed: int, n: int) -> dict[str, Any]:
    """All figures, about `n` conversations each."""

    def talker(offset: int, **options: bool) -> Talker:
        return Talker(seed * 1000 + offset, **options)

    few = max(4, n // 2)
    return {
        "by_facts": {str(k): recall_rate(engine, talker(k), n if k < 8 else few, k, 4) for k in (1, 4, 8, 12)},
        "by_distance": {
            str(d): recall_rate(engine, talker(100 + d), n if d < 32 else few, 1, d) for d in (1, 4, 16, 64)
        },
        "corrected": {str(k): correction_rate(engine, talker(200 + k), n, k) for k in (1, 4, 8)},
        "corrected_after_2_questions": {
            str(k): correction_rate(engine, talker(250 + k), n, k, asked_before=2) for k in (1, 4)
        },
        "never_told": {str(k): abstention_rate(engine, talker(300 + k), n, k) for k in (1, 4, 8)},
        "held_out_phrasings": {str(k): recall_rate(engine, talker(400 + k, unseen=True), n, k, 4) for k in (1, 4)},
        "vocabulary_values": {str(k): recall_rate(engine, talker(500 + k, known=True), n, k, 4) for k in (1, 4)},
        "recalled_texts": {str(k): recalled_rate(engine, talker(600 + k), n, k) for k in (1, 4)},
        "controls": {
            name: {str(k): recall_rate(engine, talker(700 + k), few, k, 4, control=name) for k in (1, 4)}
            for name in ("start state", "previous interaction only")
        },
    }


def main() -> None:
    """The command line; prints one JSON object."""
    parser = argparse.ArgumentParser(description="Measure what a checkpoint remembers.")
    parser.add_argument("--checkpoint", type=Path, help="a folder; default: the released one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--n", type=int, default=100, help="conversations per figure")
    arguments = parser.parse_args()
    engine = RxtEngine.load(arguments.checkpoint)
    began = time.process_time()
    figures = probe(engine, arguments.seed, arguments.n)
    machine = {
        "cpu": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load": [round(x, 2) for x in os.getloadavg()],
        "torch": torch.__version__,
        "cpu_s": round(time.process_time() - began, 1),
    }
    print(
        json.dumps(
            {"seed": arguments.seed, "n": arguments.n, "identity": engine.identity, "machine": machine, **figures},
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
