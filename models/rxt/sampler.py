"""Chooses the next token from scores.

Notable choices
* Temperature 0 is greedy and needs no randomness; otherwise one generator per call, so equal seeds give equal answers
  whatever other threads do.
"""

import torch
from torch import Tensor


def sampler_of(seed: int | None) -> torch.Generator:
    """A random source for one answer; without a seed, fresh entropy."""
    generator = torch.Generator(device="cpu")
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed % 2**63)
    return generator


def sample(scores: Tensor, temperature: float, generator: torch.Generator) -> int:
    """One token id from float scores [C]; -inf excludes a candidate."""
    if temperature <= 0.0:
        return int(scores.argmax())
    probabilities = torch.softmax(scores / temperature, dim=-1)
    return int(torch.multinomial(probabilities, 1, generator=generator))
