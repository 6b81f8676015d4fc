"""Chooses the next token from scores.

Notable choices
* Temperature 0 is greedy and needs no randomness; otherwise one generator per answer, so equal seeds give equal
  answers whatever other threads do.
* top_k first, then top_p over what is left, then the draw: the order of most servers.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Sampling:
    """`top_k` 0 and `top_p` 1 leave every candidate in the draw."""

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int | None = None

    @property
    def greedy(self) -> bool:
        return self.temperature <= 0.0


def sampler_of(seed: int | None) -> torch.Generator:
    """A random source for one answer; without a seed, fresh entropy."""
    generator = torch.Generator(device="cpu")
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed % 2**63)
    return generator


def sample(scores: Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """One token id from float scores [C]; -inf excludes a candidate."""
    if sampling.greedy:
        return int(scores.argmax())
    scores = scores.float().cpu()  # where the generator is
    # Softmax of small temperatures would overflow without this shift.
    scaled = (scores - scores.max()) / max(sampling.temperature, 1e-6)
    if 0 < sampling.top_k < int(torch.isfinite(scaled).sum()):
        least = scaled.topk(sampling.top_k).values[-1]
        scaled = scaled.masked_fill(scaled < least, float("-inf"))
    probabilities = torch.softmax(scaled, dim=-1)
    if sampling.top_p < 1.0:
        ordered, order = probabilities.sort(descending=True, stable=True)
        # A candidate stays while those before it hold less than top_p; the first always stays.
        beyond = ordered.cumsum(0) - ordered >= sampling.top_p
        beyond[0] = False
        probabilities = probabilities.index_fill(0, order[beyond], 0.0)
    return int(torch.multinomial(probabilities, 1, generator=generator))
