"""Stage 4: the whole model learns to answer from memory (paper, section 4.4).

Notable choices
* Gradients cross every turn of the dialogue. The authors detach the memory at each update; the recipe "one_update" does
  so too, to measure the difference (`models/LOG.md`).
* Everything is trained from step 0 unless the recipe has an order of unfreezing, as the paper's has: decoder, then
  memory attention, then encoder.
"""

import random
from collections.abc import Iterator
from typing import Any, ClassVar

from torch import Tensor

from models.training.batch import accuracy_of, draw_batch, loss_of
from models.training.conversations.dialogue import Plan
from models.training.stages.stage import PARTS, TrainingStage

EVALUATED = {
    "4 facts": Plan(8, 4, 8, plain=True),
    "8 facts": Plan(12, 8, 8, plain=True),
    "unseen": Plan(8, 4, 8, plain=True, unseen=True),
}


class SupervisedStage(TrainingStage):
    """Answer-only cross-entropy from the final state of each dialogue."""

    name: ClassVar[str] = "supervised"

    def trained(self, step: int) -> frozenset[str]:
        """What the recipe has unfrozen by now."""
        late = {entry.part for entry in self.recipe.unfreeze if step < entry.first_step}
        return PARTS - late

    def losses(self, step: int, rng: random.Random) -> Iterator[Tensor]:
        """One update."""
        yield loss_of(self.model, self.draw(step, rng), self.recipe.gradients)

    def evaluate(self, step: int) -> dict[str, Any]:
        """Teacher-forced accuracies by kind on new dialogues, with trained and with held-out phrasings."""
        out: dict[str, Any] = {}
        for name, plan in EVALUATED.items():
            rng = random.Random(10_000_019 + step)
            batch = draw_batch(self.language, rng, plan, self.recipe.evaluated, self.model.config.rows).to(self.device)
            counts = accuracy_of(self.model, batch)
            out[name] = {kind: round(hit / total, 3) for kind, (hit, total) in sorted(counts.items()) if total > 4}
        return out
