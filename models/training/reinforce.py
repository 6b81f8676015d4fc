"""Reinforcement from the model's own answers: sampling them, scoring their tokens, and the objectives in `METHODS`.

Notable choices
* Answers are sampled by decoding the whole prefix anew for every token: training needs no cache, and an answer is
  short.
* An answer's advantage is its reward minus the mean of the other answers to the same question: no critic to train.
* "ppo" is the authors' objective: clip .2, entropy .01, KL .05 to the policy the stage began with, and a penalty for
  memories that drift from what that policy would have written. "reinforce" is the plain alternative: the
  log-probability of the answer times its advantage, one update for each batch.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from models.rxt.model import Rxt
from models.shapes import Memory
from models.text.tokenizer import EOS, PAD
from models.training.batch import Batch, decode_probes, write_turns

SAMPLES = 4  # answers to each question
MAX_ANSWER = 16
CLIP, ENTROPY, KL, DRIFT = 0.2, 0.01, 0.05, 0.01
EPOCHS = 2  # updates of the weights from one set of answers


@dataclass(frozen=True, slots=True)
class Rollout:
    """Sampled answers of P' prompts (SAMPLES for each question of the batch, side by side)."""

    batch: Batch  # prompts with their sampled answers, targets the sampled tokens, PAD elsewhere
    answers: tuple[tuple[int, ...], ...]  # without their end
    wanted: tuple[tuple[int, ...], ...]
    log_probs: Tensor  # float32 [tokens], of the sampled tokens at the time of sampling


def _log_probs(model: Rxt, activations: Tensor, table: Tensor) -> Tensor:
    """Of every candidate; [PAD] is none, it marks where nothing is said."""
    scores = model.logits(activations, table)
    return torch.cat((torch.full_like(scores[:, :1], -1e4), scores[:, 1:]), dim=1).log_softmax(-1)


def _questions(batch: Batch, samples: int) -> tuple[Tensor, list[int], list[tuple[int, ...]]]:
    """Prompts without answers, repeated, with room for one; their lengths; the wanted answers."""
    first = (batch.targets != PAD).int().argmax(1)  # the position of [A], whose target is the answer's first token
    width = int(first.max()) + 1
    prompts = batch.prompts[:, :width].clone()
    prompts[torch.arange(width, device=prompts.device)[None] > first[:, None]] = PAD
    wanted = [tuple(t for t in row if t not in (PAD, EOS)) for row in batch.targets.tolist()]
    room = F.pad(prompts, (0, MAX_ANSWER + 1), value=PAD).repeat_interleave(samples, 0)
    lengths = [int(n) + 1 for n in first.repeat_interleave(samples)]
    return room, lengths, [w for w in wanted for _ in range(samples)]


@torch.no_grad()
def roll_out(model: Rxt, batch: Batch, generator: torch.Generator, samples: int = SAMPLES) -> Rollout:
    """Samples answers at temperature 1 from the memories that the model itself writes."""
    table = model.table(batch.rows)
    memory, recalled = write_turns(model, batch, table)
    prompts, lengths, wanted = _questions(batch, samples)
    count = len(prompts)
    row = torch.arange(count, device=prompts.device)
    at = torch.tensor(lengths, device=prompts.device)
    open_ = torch.ones(count, dtype=torch.bool, device=prompts.device)
    targets, log_probs = torch.zeros_like(prompts), torch.zeros(prompts.shape, device=prompts.device)
    for turn in range(MAX_ANSWER + 1):
        longest = int(at.max())
        state = replace(batch, prompts=prompts[:, :longest])
        last = decode_probes(model, state, table, memory, recalled)[row, at - 1]
        scores = _log_probs(model, last, table)
        token = torch.multinomial(scores.exp(), 1, generator=generator)[:, 0]
        if turn == MAX_ANSWER:
            token = torch.full_like(token, EOS)  # the answer is cut here
        chosen = row[open_]
        targets[chosen, at[open_] - 1] = token[open_]
        log_probs[chosen, at[open_] - 1] = scores[chosen, token[open_]]
        open_ = open_ & (token != EOS)
        if not open_.any():
            break
        chosen = row[open_]
        prompts[chosen, at[open_]] = token[open_]
        at = torch.where(open_, at + 1, at)
    longest = int(at.max())
    answers = tuple(tuple(t for t in line if t not in (PAD, EOS)) for line in targets.tolist())
    drawn = replace(batch, prompts=prompts[:, :longest], targets=targets[:, :longest])
    return Rollout(drawn, answers, tuple(wanted), log_probs[:, :longest][drawn.targets != PAD])


@dataclass(frozen=True, slots=True)
class Scored:
    """What a policy says of a rollout."""

    log_probs: Tensor  # [tokens, C], every candidate
    chosen: Tensor  # [tokens], the sampled ones
    memory: Memory


def score(model: Rxt, rollout: Rollout) -> Scored:
    """Reads the conversation and the sampled answers again, with gradients through every turn."""
    batch = rollout.batch
    table = model.table(batch.rows)
    memory, recalled = write_turns(model, batch, table)
    picked = batch.targets != PAD
    log_probs = _log_probs(model, decode_probes(model, batch, table, memory, recalled)[picked], table)
    return Scored(log_probs, log_probs.gather(1, batch.targets[picked][:, None])[:, 0], memory)


def advantages(rewards: Tensor, samples: int) -> Tensor:
    """Each answer's reward minus the mean reward of the other answers to its question: float [P']."""
    grouped = rewards.view(-1, samples)
    others = (grouped.sum(1, keepdim=True) - grouped) / max(1, samples - 1)
    return (grouped - others).flatten()


def per_token(values: Tensor, rollout: Rollout) -> Tensor:
    """One value for each answer -> one for each of its tokens, in the order of `Rollout.log_probs`."""
    picked = rollout.batch.targets != PAD
    return values.repeat_interleave(picked.sum(1))


class Method(ABC):
    """From a rollout and its advantages to losses, one update of the weights each."""

    @abstractmethod
    def losses(self, policy: Rxt, reference: Rxt, rollout: Rollout, advantage: Tensor) -> Iterator[Tensor]:
        """`advantage` is per token; `reference` is the policy the stage began with."""


class Reinforce(Method):
    """Williams (1992) with a leave-one-out baseline."""

    def losses(self, policy: Rxt, reference: Rxt, rollout: Rollout, advantage: Tensor) -> Iterator[Tensor]:
        yield -(score(policy, rollout).chosen * advantage).mean()


class Ppo(Method):
    """Schulman et al. (2017) with the authors' weights; advantages are scaled to unit deviation."""

    epochs: ClassVar[int] = EPOCHS

    def losses(self, policy: Rxt, reference: Rxt, rollout: Rollout, advantage: Tensor) -> Iterator[Tensor]:
        with torch.no_grad():
            theirs = score(reference, rollout)
        scaled = advantage / advantage.std().clamp_min(1e-4)
        for _ in range(self.epochs):
            ours = score(policy, rollout)
            ratio = (ours.chosen - rollout.log_probs).exp()
            gain = torch.minimum(ratio * scaled, ratio.clamp(1.0 - CLIP, 1.0 + CLIP) * scaled).mean()
            probabilities = ours.log_probs.exp()
            entropy = -(probabilities * ours.log_probs).sum(-1).mean()
            apart = (probabilities * (ours.log_probs - theirs.log_probs)).sum(-1).mean()
            drift = (ours.memory - theirs.memory).square().mean() / theirs.memory.square().mean().clamp_min(1e-12)
            yield -gain - ENTROPY * entropy + KL * apart + DRIFT * drift


METHODS: dict[str, type[Method]] = {"ppo": Ppo, "reinforce": Reinforce}
