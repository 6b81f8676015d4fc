"""What each part of the model and each stage of training adds: `python -m models.training.ablation --cpu-s 60`.

Every arm trains a small model on a toy language (`models.training.toy`) for the same CPU time, then answers for facts
it has never seen; one JSON line for each arm. `--only NAME` runs the arms whose name begins so.

Notable choices
* Equal CPU time, not equal steps: a part that costs time has to earn it. The curriculum and the rates go by the share
  of the time that is used, so a slow arm gets the same schedule in fewer steps.
* With one told fact an arm shows that it copies a value; with more, all of one family, that it knows whose value
  is whose (chance is 1 / facts).
* One seed an arm unless asked otherwise: differences of a few hundredths mean nothing.
"""

import argparse
import json
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch

from models.rxt.config import RxtConfig
from models.rxt.gates import GATES
from models.rxt.memory_attention import MEMORY_ATTENTION
from models.rxt.memory_cross import MEMORY_CROSS
from models.rxt.model import Rxt
from models.text.tokenizer import Tokenizer
from models.training.batch import Batch, accuracy_of
from models.training.conversations.compile import Language, build_language
from models.training.optim import build_optimisers
from models.training.recipe import Recipe, Unfreeze
from models.training.stages import STAGES
from models.training.toy import Toy, toy_tokenizer
from models.training.train import update

BASE: dict[str, Any] = {
    "name": "rxt-ablation",
    "rows": 256,
    "width": 64,
    "layers": 2,
    "heads": 2,
    "memory_heads": 1,
    "slots": 32,
    "ffn": 128,
    "memory_cross": "content",
    "memory_attention": "selective",
    "gate": "query_new",
}
DIALOGUES = 24
VARIANTS: tuple[tuple[str, str, Mapping[str, object]], ...] = (
    ("memory cross-attention", "memory_cross", MEMORY_CROSS),
    ("gate", "gate", GATES),
    ("memory attention", "memory_attention", MEMORY_ATTENTION),
)
STEPS = 1000  # of the schedule, however many of them the time allows
RECIPE = Recipe(steps=STEPS, dialogues=DIALOGUES, warm_up=30, high_steps=300, low_lr=0.004, adam_lr=0.002)
# Reinforcement samples its answers: small batches, and rates that do not undo what was learned.
PAID_DIALOGUES, PAID_MUON_LR, PAID_ADAM_LR = 4, 0.0004, 0.0002
SUPERVISED = (("supervised", 1.0),)


@dataclass(frozen=True)
class Arm:
    """One line of the table: what differs from the base model, and which stages share the time."""

    group: str
    name: str
    config: dict[str, Any] = field(default_factory=dict)
    recipe: Recipe = RECIPE
    chain: tuple[tuple[str, float], ...] = SUPERVISED


def arms() -> Iterator[Arm]:
    """Every arm of the table, by group; the base is the released model's kind of everything."""
    yield Arm("base", "base")
    yield Arm("gradients", "gradients: one update", recipe=replace(RECIPE, gradients="one_update"))
    yield Arm("inputs", "inputs: no neighbour window", {"window_before": 0, "window_after": 0})
    for group, key, registry in VARIANTS:
        for name in registry:
            if name != BASE[key]:
                yield Arm(group, f"{group}: {name}", {key: name})
    yield Arm("feed-forward", "feed-forward: moe", {"feed_forward": "moe", "experts": 4, "experts_active": 2})
    early = {"joint": 0.15, "interaction": 0.1, "memory": 0.1}
    for left_out in (None, *early):
        kept = [(stage, share) for stage, share in early.items() if stage != left_out]
        chain = (*kept, ("supervised", 1.0 - sum(share for _, share in kept)))
        yield Arm("stages", "stages: all four" if left_out is None else f"stages: without {left_out}", chain=chain)
    paid = (("supervised", 0.7), ("reinforce", 0.3))
    yield Arm("stages", "stages: supervised, reinforce (mixed, ppo)", chain=paid)
    exact = replace(RECIPE, reward="exact", method="reinforce")
    yield Arm("stages", "stages: supervised, reinforce (exact, reinforce)", recipe=exact, chain=paid)
    late = (Unfreeze(0, "decoder"), Unfreeze(STEPS // 10, "memory"), Unfreeze(STEPS // 5, "encoder"))
    yield Arm("stages", "stages: supervised, unfrozen in the paper's order", recipe=replace(RECIPE, unfreeze=late))


def toy_at(share: float) -> Toy:
    """One fact for the first tenth of the time, then two, four and six."""
    facts = 1 if share < 0.1 else 2 if share < 0.3 else 4 if share < 0.6 else 6
    return Toy(turns=facts + 1, facts=facts)


def figures(model: Rxt, words: Tokenizer) -> dict[str, float]:
    """Shares of right answers, teacher-forced, on dialogues never trained."""
    model.eval()
    out: dict[str, float] = {}
    abstained = [0, 0]
    for facts in (1, 2, 4, 6):
        toy = Toy(turns=facts + 1, facts=facts)
        batch = toy.draw(words, random.Random(10_000_019 + facts), 128, model.config.rows)
        counts = accuracy_of(model, batch)
        hit, total = counts["fact"]
        out[f"facts_{facts}"] = round(hit / total, 3)
        abstained = [a + b for a, b in zip(abstained, counts["abstain"], strict=True)]
    model.train()
    return out | {"abstains": round(abstained[0] / abstained[1], 3)}


def _draw(words: Tokenizer, dialogues: int, rows: int, at: int, rng: random.Random) -> Batch:
    return toy_at(at / STEPS).draw(words, rng, dialogues, rows)


def _gentle(recipe: Recipe) -> Recipe:
    return replace(recipe, high_steps=0, low_lr=PAID_MUON_LR, adam_lr=PAID_ADAM_LR, dialogues=PAID_DIALOGUES)


def run(arm: Arm, language: Language, cpu_s: float, seed: int) -> dict[str, Any]:
    """Trains one arm for `cpu_s` seconds of CPU time in all; returns its line of the table."""
    torch.manual_seed(seed)
    words = toy_tokenizer()
    model = Rxt(RxtConfig(words=len(words), **(BASE | arm.config)))
    losses: list[float] = []
    used, step = 0.0, 0
    for name, share in arm.chain:
        recipe = _gentle(arm.recipe) if name == "reinforce" else arm.recipe
        stage = STAGES[name](model, language, recipe)
        optimisers = build_optimisers(torch.nn.ModuleList((model, stage.beside)), RECIPE.high_lr, RECIPE.adam_lr)
        stage.draw = partial(_draw, words, recipe.dialogues, model.config.rows)
        budget, began, losses = share * cpu_s, time.process_time(), []
        while (spent := time.process_time() - began) < budget:
            at = min(STEPS - 1, int(STEPS * spent / budget))
            fall = min(1.0, 2.0 * (1.0 - at / STEPS) + 0.02)  # from half of the time on, to nearly nothing
            rates = tuple(rate * fall for rate in recipe.rate(at))
            losses.append(update(stage, optimisers, rates, at, random.Random(seed * 1_000_003 + step)))
            step += 1
        used += time.process_time() - began
    last = losses[-50:]
    return {
        "group": arm.group,
        "arm": arm.name,
        **figures(model, words),
        "loss": round(sum(last) / max(1, len(last)), 3),
        "steps": step,
        "cpu_s": round(used, 1),
        "seed": seed,
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="What each part of the model and each stage of training adds.")
    parser.add_argument("--cpu-s", type=float, default=60.0, help="CPU seconds of training for each arm")
    parser.add_argument("--only", default="", help="the arms whose name begins so")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    language = build_language()
    for arm in arms():
        if arm.name.startswith(options.only):
            print(json.dumps(run(arm, language, options.cpu_s, options.seed)), flush=True)


if __name__ == "__main__":
    main()
