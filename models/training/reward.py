"""Rewards of an answer against the one that was wanted, found by name in `REWARDS`; all in 0..1, over token ids.

Notable choices
* "mixed" is the authors' formula: .4 BLEU + .5 cosine + .1 length. Theirs embeds texts with a separate model; here an
  answer is the sum of its tokens' vectors in the model's own table, so that nothing else has to be loaded.
* "exact" is the plain alternative: 1 if the answer is word for word the wanted one, else 0. "mixed" pays an answer
  with the wrong name nearly as well as the right one; "exact" does not.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

Ids = Sequence[int]
Reward = Callable[[Ids, Ids, Tensor], float]  # answer, wanted, table [V + R', D]

BLEU_SHARE, COSINE_SHARE, LENGTH_SHARE = 0.4, 0.5, 0.1
MOST_GRAM = 4


def bleu(answer: Ids, wanted: Ids) -> float:
    """Sentence BLEU (Papineni et al., 2002) up to 4-grams; counts above 1-grams are smoothed by adding one."""
    if not answer:
        return 0.0
    logs = 0.0
    for size in range(1, MOST_GRAM + 1):
        have = Counter(tuple(answer[i : i + size]) for i in range(len(answer) - size + 1))
        want = Counter(tuple(wanted[i : i + size]) for i in range(len(wanted) - size + 1))
        hit, total = sum((have & want).values()), sum(have.values())
        if size > 1:
            hit, total = hit + 1, total + 1
        if hit == 0:
            return 0.0
        logs += math.log(hit / total)
    brevity = min(1.0, math.exp(1.0 - len(wanted) / len(answer)))
    return brevity * math.exp(logs / MOST_GRAM)


def cosine(answer: Ids, wanted: Ids, table: Tensor) -> float:
    """Cosine of the summed token vectors; negative ones count as 0."""
    if not answer or not wanted:
        return 0.0
    one, other = (table[torch.tensor(list(ids), device=table.device)].sum(0) for ids in (answer, wanted))
    return max(0.0, float(F.cosine_similarity(one, other, dim=0)))


def length(answer: Ids, wanted: Ids) -> float:
    """The shorter length over the longer."""
    return min(len(answer), len(wanted)) / max(len(answer), len(wanted), 1)


def mixed(answer: Ids, wanted: Ids, table: Tensor) -> float:
    """The authors' reward."""
    return (
        BLEU_SHARE * bleu(answer, wanted)
        + COSINE_SHARE * cosine(answer, wanted, table)
        + LENGTH_SHARE * length(answer, wanted)
    )


def exact(answer: Ids, wanted: Ids, table: Tensor) -> float:
    """1 for the wanted answer, else 0."""
    return float(list(answer) == list(wanted))


REWARDS: dict[str, Reward] = {"mixed": mixed, "exact": exact}
