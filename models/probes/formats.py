"""Probe of the state's number format: the engine rounds the memory to it after every turn, as it does when it serves.

Notable choices
* The parties are the formats; each answers its own turns, so what rounding does to a memory adds up over the turns.
"""

from models.engine import RxtEngine
from models.engine.codecs import CODECS
from models.probes.judge import gives
from models.probes.parties import advanced, reply
from models.probes.registry import Bench, register

HELD, CHATS = 8, 16


@register("state format")
def state_format(bench: Bench) -> None:
    """Eight facts and sixteen turns of small talk, the state kept in each format."""
    engines = {name: RxtEngine.load(bench.parties.folder, state_dtype=name) for name in CODECS}
    for index in range(bench.part(0.2)):
        script = bench.script("", index)
        told = {fact: script.words.name() for fact in script.facts(HELD, one_family=index % 2 == 0)}
        said = [script.tell(fact, value) for fact, value in told.items()] + [script.chat() for _ in range(CHATS)]
        asked = [(script.ask(fact), value) for fact, value in told.items()]
        right: list[dict[str, bool]] = [{} for _ in asked]
        for name, engine in engines.items():
            state = engine.start_state()
            for text in said:
                state = advanced(engine, state, text, reply(engine, state, text))
            for place, (question, value) in zip(right, asked, strict=True):
                place[name] = gives(reply(engine, state, question), value, told.values())
        for place in right:
            bench.tally.count(f"{HELD} facts, {HELD + CHATS} turns", "exact", place)
