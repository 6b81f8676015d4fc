"""One attention, one head, one query and one key at a time."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from models.rxt.attention import Heads


def rotated(vector: Tensor, position: int) -> Tensor:
    """Channel i and channel i + K/2 turned together by position * 10000^(-2i / K)."""
    out, half = vector.clone(), len(vector) // 2
    for i in range(half):
        angle = position * 10_000.0 ** (-2.0 * i / len(vector))
        left, right = float(vector[i]), float(vector[i + half])
        out[i] = left * math.cos(angle) - right * math.sin(angle)
        out[i + half] = left * math.sin(angle) + right * math.cos(angle)
    return out


def shares(scores: Sequence[float]) -> list[float]:
    """Softmax."""
    highest = max(scores)
    powers = [math.exp(score - highest) for score in scores]
    return [power / sum(powers) for power in powers]


def attend(
    heads: Heads,
    x: Tensor,
    context: Tensor,
    *,
    turn_queries: bool = False,
    turn_keys: bool = False,
    may_read: Callable[[int, int], bool] = lambda n, m: True,
    null: tuple[Tensor, Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """What `x` [N, D] reads of `context` [M, D], and the weights [H, N, M]; a null key and bias make them M + 1."""
    width, served = heads.head_width, heads.query_heads // heads.kv_heads
    columns = len(context) + (null is not None)
    mixed = torch.zeros(len(x), heads.query_heads * width)
    weights = torch.zeros(heads.query_heads, len(x), columns)
    for head in range(heads.query_heads):
        own = slice(head * width, (head + 1) * width)
        shared = slice(head // served * width, (head // served + 1) * width)
        for n in range(len(x)):
            query = heads.query.weight[own] @ x[n]
            query = rotated(query, n) if turn_queries else query
            scores = []
            for m in range(len(context)):
                key = heads.key.weight[shared] @ context[m]
                key = rotated(key, m) if turn_keys else key
                scores.append(float(query @ key) / math.sqrt(width) if may_read(n, m) else -math.inf)
            if null is not None:
                scores.append(float(query @ null[0][head]) / math.sqrt(width) + float(null[1][head]))
            for m, share in enumerate(shares(scores)):
                weights[head, n, m] = share
                if m < len(context):
                    mixed[n, own] += share * (heads.value.weight[shared] @ context[m])
    return mixed @ heads.out.weight.T, weights
