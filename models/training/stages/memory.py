"""Stage 3: memory attention is prepared without an answer in sight (paper, section 4.3).

`loss = -cos(M_t, (1 - w) M_(t-1) + w ED_t)`, per slot, meant over slots, layers and updates. Only memory attention is
trained; its last update is all that gradients cross, as each update has a target of its own.

Notable choices, where the paper leaves it open
* ED has N tokens and the memory S slots: slot s takes the mean of the s-th of S equal stretches of the tokens
  (fractions of a token count as such), so the slots have different targets and do not become one.
* Both sides of the target are brought to unit length first: encodings are several times longer than slots, and w would
  not be a share otherwise.
* w is .9 at the first update of a dialogue, falls by .15 a turn to at least .15, and is moved by up to .1 at random.
"""

import random
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from models.shapes import EncodedLayers, Memory, TokenMask
from models.text.tokenizer import PAD
from models.training.batch import Batch, draw_batch
from models.training.conversations.dialogue import Plan
from models.training.stages.stage import TrainingStage

FIRST_SHARE, FALL, LEAST_SHARE, JITTER = 0.9, 0.15, 0.15, 0.1


def pooled(encoded: EncodedLayers, mask: TokenMask, slots: int) -> Memory:
    """Tokens [B, L, N, D] averaged to `slots` equal stretches: [B, L, S, D]. Padding comes last."""
    length = encoded.shape[2]
    count = mask.sum(1, keepdim=True).float()[..., None]  # [B, 1, 1]
    stretch = torch.arange(slots, device=mask.device)[None, :, None] * count / slots  # [B, S, 1], left edges
    token = torch.arange(length, device=mask.device)[None, None]  # [1, 1, N]
    overlap = torch.minimum(stretch + count / slots, token + 1) - torch.maximum(stretch, token)
    share = overlap.clamp_min(0.0) * slots / count.clamp_min(1.0)
    return torch.einsum("bsn,blnd->blsd", share, encoded)


def share_of(turn: int, jitter: float) -> float:
    """w at a turn (from 0); `jitter` in -1..1."""
    return max(LEAST_SHARE, FIRST_SHARE - FALL * turn) + JITTER * jitter


class MemoryStage(TrainingStage):
    """Each update should leave a slot between what it was and its stretch of the interaction."""

    name: ClassVar[str] = "memory"

    def trained(self, step: int) -> frozenset[str]:
        """Memory attention alone."""
        return frozenset(("memory",))

    def cosines(self, batch: Batch, rng: random.Random) -> tuple[Tensor, Memory]:
        """Cosine of every slot to its target, [updates, L, S], and the memories after the last update."""
        model, table = self.model, self.model.table(batch.rows)
        tokens = batch.history.view(-1, batch.turns, batch.history.shape[1])
        memory = model.start_memory(len(tokens))
        found = []
        for turn in range(batch.turns):
            mask = tokens[:, turn] != PAD
            with torch.no_grad():
                encoded = model.encode(tokens[:, turn], mask, table)
            before = memory.detach()
            memory = model.write(before, encoded, mask).memory
            share = share_of(turn, rng.uniform(-1.0, 1.0))
            read = F.normalize(pooled(encoded, mask, memory.shape[2]), dim=-1)
            target = (1.0 - share) * F.normalize(before, dim=-1) + share * read
            found.append(F.cosine_similarity(memory, target, dim=-1)[mask.any(1)])
        return torch.cat(found), memory

    def losses(self, step: int, rng: random.Random) -> Iterator[Tensor]:
        """One update of the weights over all updates of the memory."""
        batch = self.draw(step, rng)
        yield -self.cosines(batch, rng)[0].mean()

    @torch.no_grad()
    def evaluate(self, step: int) -> dict[str, Any]:
        """The cosine reached, and whether the slots are still different ones (1 - mean cosine of two of them)."""
        rng = random.Random(10_000_019 + step)
        batch = draw_batch(self.language, rng, Plan(8, 4, 1), self.recipe.evaluated, self.model.config.rows).to(
            self.device
        )
        cosines, memory = self.cosines(batch, rng)
        unit = F.normalize(memory, dim=-1)
        slots = memory.shape[2]
        alike = ((unit @ unit.transpose(-1, -2)).sum((-1, -2)) - slots) / max(1, slots * (slots - 1))
        return {"cosine": round(float(cosines.mean()), 3), "slot_diversity": round(1.0 - float(alike.mean()), 3)}
