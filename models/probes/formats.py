"""Probe of the state's number format: the memory is rounded to it after every turn, as if it had been stored.

Notable choices
* The parties are the formats; each answers its own turns, so what rounding does to a memory adds up over the turns.
"""

from collections.abc import Callable

from torch import Tensor

from models.engine import State
from models.probes.judge import gives
from models.probes.parties import advanced, reply
from models.probes.registry import Bench, register

Format = Callable[[Tensor], Tensor]
HELD, CHATS = 8, 16


def _float16(memory: Tensor) -> Tensor:
    return memory.half().float()


def _int8(memory: Tensor) -> Tensor:
    """One scale per slot."""
    scale = memory.abs().amax(dim=-1, keepdim=True).clamp_min(1e-12) / 127
    return (memory / scale).round().clamp(-127, 127) * scale


FORMATS: dict[str, Format] = {"float32": lambda memory: memory, "float16": _float16, "int8": _int8}


@register("state format")
def state_format(bench: Bench) -> None:
    """Eight facts and sixteen turns of small talk, the state kept in each format."""
    engine = bench.parties.engine
    for index in range(bench.part(0.2)):
        script = bench.script("", index)
        told = {fact: script.words.name() for fact in script.facts(HELD, one_family=index % 2 == 0)}
        said = [script.tell(fact, value) for fact, value in told.items()] + [script.chat() for _ in range(CHATS)]
        asked = [(script.ask(fact), value) for fact, value in told.items()]
        right: list[dict[str, bool]] = [{} for _ in asked]
        for name, rounded in FORMATS.items():
            state = engine.start_state()
            for text in said:
                state = advanced(engine, state, text, reply(engine, state, text))
                state = State(rounded(state.memory), state.lexicon)
            for place, (question, value) in zip(right, asked, strict=True):
                place[name] = gives(reply(engine, state, question), value, told.values())
        for place in right:
            bench.tally.count(f"{HELD} facts, {HELD + CHATS} turns", "exact", place)
