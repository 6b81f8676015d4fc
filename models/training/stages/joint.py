"""Stage 1: decoder and encoder learn the language together, before there is a memory (paper, section 4.1).

Notable choices
* Two losses, added: the encoder guesses 15 % of the tokens that were hidden from it (MLM), the decoder predicts every
  next token (AR) while its memory cross-attention reads the encoder's layers where the memory will be later.
* The encoder has seen the tokens the decoder is to predict, so what the decoder gets of it is detached, noisy and in
  part missing: each token's encoding survives with probability .5, at equal parts with noise of its own size; the
  others are noise alone. The paper asks for noise and for random masks and leaves the amounts open: these are ours.
* A hidden token is [PAD]'s vector: padding itself is zeroed before it is embedded, so that row of the table is free.
"""

import random
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from models.rxt.mlm import MlmHead
from models.rxt.model import Rxt
from models.shapes import EncodedLayers, Memory, TokenMask, Tokens
from models.text.tokenizer import PAD
from models.training.batch import Batch, draw_batch
from models.training.conversations.compile import Language
from models.training.conversations.dialogue import Plan
from models.training.recipe import Recipe
from models.training.stages.stage import TrainingStage

HIDDEN = 0.15
SURVIVES = 0.5
NOISE = 0.5


def spoken(batch: Batch) -> Tokens:
    """The interactions of a batch, without the turns in which nothing was said."""
    return batch.history[(batch.history != PAD).any(1)]


def noisy_memory(encoded: EncodedLayers, mask: TokenMask, generator: torch.Generator) -> Memory:
    """A stand-in for the memory, one slot for each token: [B, L, N, D], without gradients."""
    slots = encoded.detach()
    size = slots.square().mean(-1, keepdim=True).sqrt()
    noise = torch.randn(slots.shape, generator=generator, device=slots.device) * size
    kept = (torch.rand(mask.shape, generator=generator, device=slots.device) < SURVIVES) & mask
    return torch.where(kept[:, None, :, None], (1.0 - NOISE) * slots + NOISE * noise, noise)


class JointStage(TrainingStage):
    """AR and MLM on single interactions."""

    name: ClassVar[str] = "joint"

    def __init__(self, model: Rxt, language: Language, recipe: Recipe) -> None:
        super().__init__(model, language, recipe)
        self.head = MlmHead(model.config)
        self.beside["mlm"] = self.head

    def trained(self, step: int) -> frozenset[str]:
        """Memory attention is not used yet."""
        return frozenset(("decoder", "encoder"))

    def predicted(self, tokens: Tokens) -> Tensor:
        """bool [B, N], the tokens the decoder has to predict: all but the first."""
        out = tokens != PAD
        out[:, 0] = False
        return out

    def parts(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Scores and targets of the AR loss, then of the MLM loss; scores [n, C], targets int64 [n]."""
        model, table = self.model, self.model.table(batch.rows)
        tokens = spoken(batch)
        mask = tokens != PAD
        # Rows are left alone: which random vector stood there cannot be guessed, and the head has no place for it.
        guessable = mask & (tokens < model.config.words)
        hidden = (torch.rand(tokens.shape, generator=generator, device=tokens.device) < HIDDEN) & guessable
        encoded = model.encode(tokens.masked_fill(hidden, PAD), mask, table)
        guessed = self.head(encoded[:, -1][hidden])
        slots = model.project_memory(noisy_memory(encoded, mask, generator))
        activations, _ = model.decode(tokens[:, :-1], mask[:, :-1], table, slots, None)
        chosen = self.predicted(tokens)[:, 1:]
        scores = model.logits(activations[chosen], table)
        return scores, tokens[:, 1:][chosen], guessed, tokens[hidden]

    def losses(self, step: int, rng: random.Random) -> Iterator[Tensor]:
        """One update: AR + MLM."""
        batch = self.draw(step, rng)
        scores, targets, guessed, hidden = self.parts(batch, self.noise(rng))
        yield F.cross_entropy(scores, targets) + F.cross_entropy(guessed, hidden)

    @torch.no_grad()
    def evaluate(self, step: int) -> dict[str, Any]:
        """Shares of right tokens, and the losses in nats."""
        rng = random.Random(10_000_019 + step)
        batch = draw_batch(self.language, rng, Plan(6, 4, 2), self.recipe.evaluated, self.model.config.rows).to(
            self.device
        )
        scores, targets, guessed, hidden = self.parts(batch, self.noise(rng))
        return {
            "next token": round(float((scores.argmax(-1) == targets).float().mean()), 3),
            "hidden token": round(float((guessed.argmax(-1) == hidden).float().mean()), 3),
            "ar_nats": round(float(F.cross_entropy(scores, targets)), 3),
            "mlm_nats": round(float(F.cross_entropy(guessed, hidden)), 3),
        }
