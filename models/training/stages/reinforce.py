"""Stage 5: the model answers for itself and is paid for what it says (paper, section 4.5).

Notable choices
* Reward and objective are names in the recipe; the recipe "reinforce" has the authors' pair (mixed, ppo), the recipe
  "reinforce_exact" the simpler one (exact, reinforce).
* The reference policy is a frozen copy of the model as the stage begins; it is saved with the run's progress.
"""

import copy
import random
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor

from models.rxt.model import Rxt
from models.training.conversations.compile import Language
from models.training.recipe import Recipe
from models.training.reinforce import METHODS, SAMPLES, advantages, per_token, roll_out
from models.training.reward import REWARDS
from models.training.stages.supervised import SupervisedStage


class ReinforceStage(SupervisedStage):
    """Evaluated as the supervised stage is, and by the mean reward of sampled answers."""

    name: ClassVar[str] = "reinforce"

    def __init__(self, model: Rxt, language: Language, recipe: Recipe) -> None:
        super().__init__(model, language, recipe)
        self.reward = REWARDS[recipe.reward]
        self.method = METHODS[recipe.method]()
        self.reference = copy.deepcopy(model).requires_grad_(False)
        self.beside["reference"] = self.reference

    def losses(self, step: int, rng: random.Random) -> Iterator[Tensor]:
        """Samples answers, then as many updates as the method makes of them."""
        rollout = roll_out(self.model, self.draw(step, rng), self.noise(rng))
        advantage = advantages(self._rewards(rollout.answers, rollout.wanted, rollout.batch.rows), SAMPLES)
        yield from self.method.losses(self.model, self.reference, rollout, per_token(advantage, rollout))

    def _rewards(self, answers: tuple[Any, ...], wanted: tuple[Any, ...], rows: Tensor) -> Tensor:
        # The table of the stage's start: a reward that moves with the policy could be raised by moving the table.
        table = self.reference.table(rows)
        paid = [self.reward(one, other, table) for one, other in zip(answers, wanted, strict=True)]
        return torch.tensor(paid, device=self.device)

    def evaluate(self, step: int) -> dict[str, Any]:
        """The supervised figures, and the mean reward."""
        rng = random.Random(10_000_079 + step)
        rollout = roll_out(self.model, self.draw(step, rng), self.noise(rng))
        paid = self._rewards(rollout.answers, rollout.wanted, rollout.batch.rows)
        return super().evaluate(step) | {"reward": round(float(paid.mean()), 3)}
