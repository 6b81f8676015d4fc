"""One token, one expert and one hidden unit at a time."""

import math
from typing import cast

import torch
from torch import Tensor

from models.rxt.feed_forward import MixtureOfExperts, SwiGLU
from tests.models.twins.attention import shares


def swiglu(block: SwiGLU, token: Tensor) -> Tensor:
    """[D] -> [D]."""
    hidden = block.down.weight.shape[1]
    units = torch.zeros(hidden)
    for i in range(hidden):
        gate = float(block.up.weight[i] @ token)
        units[i] = gate / (1.0 + math.exp(-gate)) * float(block.up.weight[hidden + i] @ token)
    return block.down.weight @ units


def mixture(block: MixtureOfExperts, token: Tensor) -> Tensor:
    """[D] -> [D]: the best experts, one after another."""
    scores = [float(row @ token) for row in block.router.weight]
    best = sorted(range(len(scores)), key=lambda expert: -scores[expert])[: block.active]
    out = torch.zeros_like(token)
    for expert, share in zip(best, shares([scores[e] for e in best]), strict=True):
        out += share * swiglu(cast(SwiGLU, block.experts[expert]), token)
    return out


def balance(block: MixtureOfExperts, tokens: Tensor) -> float:
    """E times the sum over experts of the share of choices times the mean probability."""
    experts = len(block.experts)
    chosen, probability = [0] * experts, [0.0] * experts
    for token in tokens:
        scores = [float(row @ token) for row in block.router.weight]
        for expert in sorted(range(experts), key=lambda e: -scores[e])[: block.active]:
            chosen[expert] += 1
        for expert, share in enumerate(shares(scores)):
            probability[expert] += share / len(tokens)
    return experts * sum(c / sum(chosen) * p for c, p in zip(chosen, probability, strict=True))
