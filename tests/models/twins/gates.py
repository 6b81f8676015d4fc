"""Every residual gate by name, one slot and one channel at a time."""

import math
from typing import Any

import torch
from torch import Tensor


def sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


def levels(name: str, gate: Any, query: Tensor, old: Tensor, new: Tensor) -> list[list[float]]:
    """How far the gate opens, [S][D], before the share of a null key."""
    slots, width = old.shape
    kind, _, level = name.partition("_")
    if name == "none":
        return [[1.0] * width for _ in range(slots)]
    if name == "query_new":
        both = torch.cat((query, new), dim=1)
        scores = [
            [float(w @ b) + float(z) for w, z in zip(gate.linear.weight, gate.linear.bias, strict=True)] for b in both
        ]
        return [[sigmoid(s) for s in row] for row in scores]
    means = [sum(float(o) + float(n) for o, n in zip(old[s], new[s], strict=True)) / width for s in range(slots)]
    act = {"sigmoid": sigmoid, "tanh": math.tanh}[kind]
    out = []
    for s in range(slots):
        if level == "static":
            score = float(gate.level.weight[s])
        elif level == "elementwise":
            score = float(gate.level.weight[s]) * means[s]
        else:
            row, bias = gate.level.linear.weight[s], gate.level.linear.bias[s]
            score = sum(float(row[t]) * means[t] for t in range(slots)) + float(bias)
        out.append([act(score)] * width)
    return out


def mixed(name: str, old: Tensor, new: Tensor, gate: list[list[float]], share: list[float] | None = None) -> Tensor:
    """The slots afterwards [S, D]; `share` is how much of the change each slot makes."""
    out = old.clone()
    for s in range(old.shape[0]):
        for d in range(old.shape[1]):
            o, n, g = float(old[s, d]), float(new[s, d]), gate[s][d]
            if name == "none":
                after = o + n
            elif name.startswith("tanh"):
                after = (1.0 + g) * n + (1.0 - g) * o
            else:
                after = g * n + (1.0 - g) * o
            out[s, d] = o + (1.0 if share is None else share[s]) * (after - o)
    return out
