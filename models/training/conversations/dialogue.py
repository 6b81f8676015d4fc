"""Draws conversations: facts told and corrected, questions and small talk between them, and probes of the final state.

Notable choices
* Dialogues with many facts of one family are over-sampled: that is what forces key and value to be bound. Some are made
  of unknown words as keys, some are about several people who have the same things.
* What is never told is mostly near to what is: another key of the family, the same key in another family or of another
  person. So abstaining is learned as a comparison.
* What the assistant said in the past is not always the ideal answer: it may be empty (imported or redacted turns), or
  something else (another generator answered), so a fact must be read from the user's own words.
"""

import random
from collections.abc import Sequence

from models.training.conversations.cast import Cast
from models.training.conversations.compile import Language
from models.training.conversations.plan import Fact, Plan, Turn
from models.training.conversations.probes import Story, draw_probes
from models.training.conversations.speaker import CORRECTED, TOLD, Speaker

__all__ = ["Plan", "Turn", "draw_dialogue"]


def draw_dialogue(
    language: Language, rng: random.Random, rows: Sequence[int], plan: Plan
) -> tuple[list[Turn], list[Turn]]:
    """The turns to remember, and probes to answer from the state after them. `rows` are token ids, shuffled."""
    speaker = Speaker(language, rng, rows, plan)
    cast = Cast(speaker)
    told = cast.told(plan.facts)
    story = Story(cast.untold(told, 4))
    queue = _ordered(told, plan, rng)
    turns: list[Turn] = []
    while len(turns) < plan.turns:
        left = plan.turns - len(turns)
        if queue and rng.random() < len(queue) / left:
            fact, group = queue[0]
            if fact in story.values and left > len(queue) and not plan.plain and rng.random() < 0.25:
                turn = speaker.ask(fact, story.values[fact], "fact")  # a correction right after a question
            else:
                turn = _told(speaker, story, queue, group)
        elif story.values and rng.random() < plan.questions and not plan.plain:
            fact = rng.choice([*story.values, *story.untold])
            turn = speaker.ask(fact, story.values.get(fact), "fact")
        else:
            turn = speaker.chat()
        turns.append(speaker.past(turn))
    return turns, draw_probes(speaker, cast, story)


def _told(speaker: Speaker, story: Story, queue: list[tuple[Fact, int]], group: int) -> Turn:
    """Tells the first fact of the queue, and maybe the second in the same message."""
    fact, _ = queue.pop(0)
    turn = speaker.state(fact, story.tell(fact, speaker.value_of(fact)), group)
    if queue and queue[0][0] not in story.values and not speaker.plan.plain:
        if speaker.rng.random() < speaker.plan.joined:
            second, _ = queue.pop(0)
            turn = speaker.both(turn, speaker.state(second, story.tell(second, speaker.value_of(second)), TOLD))
    return turn


def _ordered(told: list[Fact], plan: Plan, rng: random.Random) -> list[tuple[Fact, int]]:
    """Who is told when, at most one a turn: corrections come after their fact, two of them sometimes in a row."""
    units = [(fact, 1) for fact in told]
    for fact in told:
        if rng.random() < plan.corrections:
            draw = rng.random()
            units += [(fact, 2)] if draw < 0.12 else [(fact, 1), (fact, 1)] if draw < 0.22 else [(fact, 1)]
    units = units[: plan.turns]
    rng.shuffle(units)
    seen: set[Fact] = set()
    out: list[tuple[Fact, int]] = []
    for fact, times in units:
        for _ in range(times):
            # Told once more in the words of a first telling, it is a correction too.
            out.append((fact, CORRECTED if fact in seen and rng.random() < 0.8 else TOLD))
            seen.add(fact)
    return out[: plan.turns]
