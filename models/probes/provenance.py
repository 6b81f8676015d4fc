"""Probe of provenance: are the slots that an answer is said to have read the slots that the fact is in?

Ablation: the slots named by `engine.reads` are put back to the start state, and the question is asked again; beside
it, as many random other slots. A name is worth something if clearing the named ones loses the fact 5 times as often.

Notable choices
* Only facts that are answered before the ablation are asked again; the parties are `named` and `random`.
"""

from models.probes.judge import gives
from models.probes.parties import advanced, reply
from models.probes.registry import Bench, register

HELD, CHATS, DRAWS = 4, 4, 2
CLEARED = (4, 8, 16)
NAMED_SLOTS, RANDOM_SLOTS = "named", "random"


@register("provenance")
def provenance(bench: Bench) -> None:
    """How often clearing the slots that were read most loses the fact, and how often clearing others does."""
    engine = bench.parties.engine
    shape = engine.identity["state_shape"]
    slots = [(layer, slot) for layer in range(shape["layers"]) for slot in range(shape["slots"])]
    for index in range(bench.part(0.2)):
        script, state = bench.script("", index), engine.start_state()
        told = {fact: script.words.name() for fact in script.facts(HELD, one_family=index % 2 == 0)}
        for text in [*(script.tell(f, v) for f, v in told.items()), *(script.chat() for _ in range(CHATS))]:
            state = advanced(engine, state, text, reply(engine, state, text))
        for fact, value in told.items():
            question = script.ask(fact)
            answer = reply(engine, state, question)
            if not gives(answer, value, told.values()):
                continue
            read = [(r.layer, r.slot) for r in engine.reads(state, question, answer)]
            for count in CLEARED:
                named = read[:count]
                others = [slot for slot in slots if slot not in named]
                for cleared, party in [(named, NAMED_SLOTS)] + [
                    (script.rng.sample(others, len(named)), RANDOM_SLOTS) for _ in range(DRAWS)
                ]:
                    again = reply(engine, engine.forget_slots(state, cleared), question)
                    lost = not gives(again, value, told.values())
                    bench.tally.count(f"{count} slots cleared", "loses the fact", {party: lost})
