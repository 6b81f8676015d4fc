"""The recipe of a training run: rates, curriculum and length, as values.

Notable choices (the trials behind them are in `models/LOG.md`)
* A high rate until single words are copied, then a low one: at the high rate a model recalls *a* fact of the
  conversation, never learns *which*.
* Dialogues grow with the steps: nothing is learned from twelve turns before one works.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """Steps are optimiser steps; `stages` are (first step, turns, facts at most)."""

    steps: int
    dialogues: int = 24
    probes: int = 8
    warm_up: int = 30
    high_lr: float = 0.01
    high_steps: int = 350
    low_lr: float = 0.002
    adam_lr: float = 0.001
    decay_from: float = 0.4  # share of the steps after which rates fall linearly to 2 %
    clip: float = 1.0
    stages: tuple[tuple[int, int, int], ...] = ((0, 1, 1), (120, 2, 2), (300, 3, 3), (600, 5, 4), (900, 8, 7), (1300, 12, 12))

    def rate(self, step: int) -> tuple[float, float]:
        """Learning rates of Muon and AdamW at a step."""
        base = self.high_lr if step < self.high_steps else self.low_lr
        start = self.decay_from * self.steps
        fall = 1.0 if step < start else 1.0 - 0.98 * (step - start) / max(1.0, self.steps - start)
        up = min(1.0, (step + 1) / self.warm_up)
        return base * fall * up, self.adam_lr * fall * up

    def stage(self, step: int) -> tuple[int, int]:
        """Turns and facts at most, at a step."""
        turns, facts = 1, 1
        for first, t, f in self.stages:
            if step >= first:
                turns, facts = t, f
        return turns, facts


RECIPES: dict[str, Recipe] = {
    "shipped": Recipe(steps=3000),
    "tiny": Recipe(steps=4, dialogues=2, probes=2, stages=((0, 2, 1),)),
}
