"""The recipe of a training run: rates, curriculum and length, as values.

Notable choices (the trials behind them are in `models/LOG.md`)
* A high rate until single words are copied, then a low one: at the high rate a model recalls *a* fact of the
  conversation, never learns *which*.
* Dialogues grow with the steps: nothing is learned from twelve turns before one works. While binding is learned, most
  probes ask for a told fact and most dialogues hold several facts of one family; breadth comes after.
* One optimiser for all stages of training (Muon and AdamW, no weight decay), where the paper has AdamW with .02; the
  rates of the stages keep the paper's proportions (joint 1e-3, interaction 2e-4).
"""

import random
from dataclasses import dataclass, fields, replace

from models.training.conversations.dialogue import Plan


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the curriculum: dialogues of `turns` turns with at most `facts` facts; see `Plan` for the shares."""

    first_step: int
    turns: int
    facts: int
    asked: float = 0.6
    one_family: float = 0.45
    untold: float = 0.27
    flatten: float = 1.0
    corrections: float = 0.3
    questions: float = 0.12
    joined: float = 0.08
    first_weight: float = 1.0
    blank: float = 0.0
    unknown_keys: float = 0.15
    owners: float = 0.12
    lists: float = 0.07
    first: float = 0.04
    snippets: float = 0.1
    noise: float = 0.06
    framed: float = 0.4
    long_value: float = 0.25


@dataclass(frozen=True, slots=True)
class Decay:
    """From `first_step` on, rates lie on the line from 1 at step `origin` to 2 % at step `end`."""

    first_step: int
    origin: int
    end: int


@dataclass(frozen=True, slots=True)
class Unfreeze:
    """A part of the model ("decoder", "memory", "encoder") that is not trained before `first_step`."""

    first_step: int
    part: str


@dataclass(frozen=True, slots=True)
class Pace:
    """How often, in steps, a run logs, is evaluated and saves itself. Saving falls on logged steps."""

    log_every: int = 50
    evaluate_every: int = 250
    save_every: int = 100


@dataclass(frozen=True, slots=True)
class Recipe:
    """A training run; steps are those of the curriculum, one batch of dialogues each.

    `gradients` names how far gradients cross the turns (`models.training.batch.GRADIENTS`); `unfreeze` is empty when
    everything is trained from step 0; `reward` and `method` are those of reinforcement (`REWARDS`, `METHODS`).
    """

    steps: int
    dialogues: int = 24
    probes: int = 8
    warm_up: int = 30
    high_lr: float = 0.01
    high_steps: int = 350
    low_lr: float = 0.002
    adam_lr: float = 0.001
    decays: tuple[Decay, ...] = ()
    clip: float = 1.0
    gradients: str = "whole_window"
    unfreeze: tuple[Unfreeze, ...] = ()
    reward: str = "mixed"
    method: str = "ppo"
    pace: Pace = Pace()
    evaluated: int = 32  # dialogues of each kind in an evaluation
    stages: tuple[Stage, ...] = (
        Stage(0, 1, 1),
        Stage(120, 2, 2, asked=0.75),
        Stage(250, 3, 3, asked=0.8, one_family=0.7),
        Stage(500, 4, 4, asked=0.8, one_family=0.7),
        Stage(1100, 6, 5, asked=0.7, one_family=0.6),
        Stage(1300, 6, 5, asked=0.7, one_family=0.6, blank=0.1),
        Stage(1500, 8, 7, blank=0.08),
        Stage(1800, 12, 12, asked=0.5, untold=0.34, flatten=0.7, blank=0.06),
        Stage(2000, 12, 12, asked=0.5, untold=0.45, flatten=0.7, blank=0.06),
        Stage(2300, 9, 9, asked=0.5, untold=0.42, flatten=0.7, blank=0.06),
        Stage(2900, 9, 9, asked=0.45, untold=0.5, flatten=0.7, joined=0.2, first_weight=4.0, blank=0.06),
        Stage(3300, 9, 9, asked=0.6, untold=0.42, flatten=0.7, joined=0.2, first_weight=4.0, blank=0.06),
        Stage(
            4100,
            9,
            6,
            asked=0.65,
            untold=0.4,
            flatten=0.7,
            corrections=0.7,
            questions=0.4,
            joined=0.05,
            first_weight=4.0,
            blank=0.06,
        ),
    )

    def rate(self, step: int) -> tuple[float, float]:
        """Learning rates of Muon and AdamW at a step."""
        base = self.high_lr if step < self.high_steps else self.low_lr
        fall = 1.0
        for decay in self.decays:
            if step >= decay.first_step:
                fall = max(0.02, 1.0 - 0.98 * (step - decay.origin) / (decay.end - decay.origin))
        up = min(1.0, (step + 1) / self.warm_up)
        return base * fall * up, self.adam_lr * fall * up

    def stage(self, step: int) -> Stage:
        """The stage of a step."""
        return [stage for stage in self.stages if step >= stage.first_step][-1]


RECIPES: dict[str, Recipe] = {
    # Each line continues the one before it with another slope: the time left was estimated anew while the run went on.
    "shipped": Recipe(
        steps=4480,
        decays=(
            Decay(1600, 1600, 4000),
            Decay(2000, 1400, 5000),
            Decay(2300, 1833, 3700),
            Decay(2900, 1033, 4300),
            Decay(3300, 1486, 4100),
            Decay(4100, 3101, 4500),
        ),
    ),
    "tiny": Recipe(steps=4, dialogues=2, probes=2, stages=(Stage(0, 2, 1),), pace=Pace(1, 1000, 2), evaluated=4),
    # The stages before and after supervised training.
    "joint": Recipe(steps=1000, warm_up=50, decays=(Decay(400, 400, 1000),), stages=(Stage(0, 6, 5),)),
    "interaction": Recipe(
        steps=500,
        warm_up=25,
        high_steps=0,
        low_lr=0.0004,
        adam_lr=0.0002,
        decays=(Decay(200, 200, 500),),
        stages=(Stage(0, 6, 5),),
    ),
    "memory": Recipe(
        steps=300, warm_up=15, high_steps=0, decays=(Decay(150, 150, 300),), stages=(Stage(0, 3, 3), Stage(100, 6, 5))
    ),
    "reinforce": Recipe(
        steps=200,
        dialogues=4,
        probes=4,
        high_steps=0,
        low_lr=0.0001,
        adam_lr=0.00005,
        stages=(Stage(0, 4, 4), Stage(50, 8, 6), Stage(100, 12, 8), Stage(150, 16, 10)),
    ),
}
# What the released model went through after "shipped", each from the checkpoint of the one before (`--from`): longer
# dialogues, then the broad language. The first two ran with the narrow language of their time (see the card).
_LATER = Stage(
    0, 9, 9, asked=0.55, one_family=0.5, untold=0.5, flatten=0.7, corrections=0.35, questions=0.2, joined=0.05,
    first_weight=4.0, blank=0.05,
)  # fmt: skip
_BROAD = replace(_LATER, asked=0.6, one_family=0.45)
_LAST = replace(_BROAD, turns=12, facts=12, snippets=0.0)
RECIPES["continued"] = Recipe(
    steps=2800,
    probes=12,
    high_steps=0,
    low_lr=0.0012,
    adam_lr=0.0006,
    stages=(
        _LATER,
        replace(_LATER, first_step=150, turns=12, facts=12),
        replace(_LATER, first_step=500, turns=16, facts=16),
    ),
)
RECIPES["broadened"] = Recipe(
    steps=4650,
    probes=12,
    high_steps=0,
    low_lr=0.0015,
    adam_lr=0.001,
    decays=(Decay(1800, 1800, 4800), Decay(2400, -1149, 4650)),  # the second: the first was too high, see the log
    stages=(
        _BROAD,
        replace(_BROAD, first_step=600, turns=12, facts=12),
        replace(_BROAD, first_step=1800, turns=14, facts=14),
        replace(_LAST, first_step=2400),
        replace(_LAST, first_step=3000, long_value=0.35, lists=0.18),
    ),
)
RECIPES["refined"] = Recipe(
    steps=6000,
    probes=12,
    warm_up=100,
    high_steps=0,
    low_lr=0.0008,
    adam_lr=0.0005,
    decays=(Decay(0, 0, 6000),),
    stages=(replace(_LAST, asked=0.58, corrections=0.4, questions=0.3, long_value=0.4, lists=0.15, owners=0.17),),
)
# Variants, each a change of one value, to measure what that value does.
RECIPES["one_update"] = replace(RECIPES["shipped"], gradients="one_update")
RECIPES["unfreezing"] = replace(
    RECIPES["shipped"], unfreeze=(Unfreeze(0, "decoder"), Unfreeze(200, "memory"), Unfreeze(400, "encoder"))
)
RECIPES["reinforce_exact"] = replace(RECIPES["reinforce"], reward="exact", method="reinforce")


def recipe_name(stage: str, preset: str) -> str:
    """Which recipe a stage takes when none is named: the preset's own where it has one, else the stage's."""
    if preset in RECIPES and (stage == "supervised" or preset == "tiny"):
        return preset
    return "shipped" if stage == "supervised" else stage


_OWN = {"first_step", "turns", "facts"}  # all other fields of a stage are the plan's, by the same names


def plan_of(recipe: Recipe, step: int, rng: random.Random) -> Plan:
    """A plan at this step of the curriculum; later stages still meet shorter dialogues."""
    stage = recipe.stage(step)
    turns, facts = stage.turns, stage.facts
    if turns > 2 and rng.random() < 0.3:
        turns = rng.randint(1, turns)
        facts = min(facts, turns)
    shares = {field.name: getattr(stage, field.name) for field in fields(Stage) if field.name not in _OWN}
    return Plan(turns, facts, recipe.probes, **shares)
