"""What a stage of training is: which parts of the model it moves, from which losses, and how its success is measured.

Notable choices
* A stage keeps no progress of its own: everything random at a step comes from the `rng` of that step, so a run that is
  killed continues with the same losses.
* Modules that are trained or needed beside the model (`beside`: the MLM head, a reference policy) never enter the
  released weights.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from models.rxt.model import Rxt
from models.training.batch import Batch, draw_batch
from models.training.conversations.compile import Language
from models.training.recipe import Recipe, plan_of

PARTS = frozenset(("decoder", "encoder", "memory"))


def part_of(parameter: str) -> str:
    """The part of the model a parameter belongs to. The shared token table counts as the encoder's."""
    head = parameter.split(".")[0]
    if head == "decoder":
        return "decoder"
    return "encoder" if head in ("encoder", "word_table") else "memory"


class TrainingStage(ABC):
    """One stage. Subclasses are named in `models.training.stages.STAGES`."""

    name: ClassVar[str]

    def __init__(self, model: Rxt, language: Language, recipe: Recipe) -> None:
        self.model = model.requires_grad_(True)  # an earlier stage may have left parts of it frozen
        self.language = language
        self.recipe = recipe
        self.beside = nn.ModuleDict()
        # Where batches come from; an ablation puts its own narrower language here.
        self.draw: Callable[[int, random.Random], Batch] = self.by_curriculum

    @property
    def device(self) -> torch.device:
        """Where the model is; batches go there."""
        return self.model.start.device

    def by_curriculum(self, step: int, rng: random.Random) -> Batch:
        """The batch of a step, by the recipe's curriculum."""
        plan = plan_of(self.recipe, step, rng)
        batch = draw_batch(self.language, rng, plan, self.recipe.dialogues, self.model.config.rows)
        return batch.to(self.device)

    def noise(self, rng: random.Random) -> torch.Generator:
        """A source of random tensors for one step."""
        return torch.Generator(device=self.device).manual_seed(rng.getrandbits(62))

    def trained(self, step: int) -> frozenset[str]:
        """The parts of the model that are trained at a step."""
        return PARTS

    def freeze(self, step: int) -> None:
        """Lets gradients reach the parts that are trained at a step, and no others."""
        parts = self.trained(step)
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(part_of(name) in parts)

    @abstractmethod
    def losses(self, step: int, rng: random.Random) -> Iterator[Tensor]:
        """The losses of a step: the run makes one update of the weights after each."""

    @abstractmethod
    def evaluate(self, step: int) -> dict[str, Any]:
        """Figures on new data, for the log; shares in 0..1 unless their names say otherwise."""
