"""The recipe of a training run: rates, curriculum and length, as values.

Notable choices (the trials behind them are in `models/LOG.md`)
* A high rate until single words are copied, then a low one: at the high rate a model recalls *a* fact of the
  conversation, never learns *which*.
* Dialogues grow with the steps: nothing is learned from twelve turns before one works. While binding is learned, most
  probes ask for a told fact and most dialogues hold several facts of one family; breadth comes after.
"""

from dataclasses import dataclass


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


@dataclass(frozen=True, slots=True)
class Decay:
    """From `first_step` on, rates lie on the line from 1 at step `origin` to 2 % at step `end`."""

    first_step: int
    origin: int
    end: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """A training run; steps are optimiser steps."""

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
    "tiny": Recipe(steps=4, dialogues=2, probes=2, stages=(Stage(0, 2, 1),)),
}
