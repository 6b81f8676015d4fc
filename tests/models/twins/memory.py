"""One update of one conversation's memory, by name of the memory attention and of the gate."""

from typing import Any

import torch
from torch import Tensor

from models.rxt.config import RxtConfig
from models.rxt.memory_writer import MemoryWriter
from tests.models.twins.attention import attend
from tests.models.twins.gates import levels, mixed


def normed(norm: Any, x: Tensor) -> Tensor:
    """Every row divided by its root mean square."""
    rows = [row / (sum(float(v) ** 2 for v in row) / len(row) + 1e-6) ** 0.5 * norm.gain for row in x]
    return torch.stack(rows)


def selective(config: RxtConfig, layer: Any, own: Tensor, encoded: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The shipped one: only the share of the change that did not go to the null key is made."""
    query = normed(layer.norm_memory, own) + layer.slot
    tokens = normed(layer.norm_encoded, encoded)
    _, weights = attend(layer, query, tokens, null=(layer.null_key, layer.null_bias))
    heads, slots, _ = weights.shape
    width = layer.head_width
    joined = torch.zeros(slots, heads * width)
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        for s in range(slots):
            found = sum(float(weights[head, s, n]) for n in range(len(tokens)))
            for n in range(len(tokens)):
                joined[s, part] += weights[head, s, n] / found * (layer.value.weight[part] @ tokens[n])
    new = joined @ layer.out.weight.T
    share = [1.0 - sum(float(weights[h, s, -1]) for h in range(heads)) / heads for s in range(slots)]
    gate = levels(config.gate, layer.gate, query, own, new)
    applied = torch.tensor([sum(row) / len(row) * part for row, part in zip(gate, share, strict=True)])
    return mixed(config.gate, own, new, gate, share), applied, weights[:, :, :-1].mean(0)


def beside(config: RxtConfig, memory: Tensor, index: int) -> Tensor:
    """The slots [S, D] of the old memory that a layer may look at before it reads the interaction."""
    if config.memory_attention == "self":
        return memory[index]
    layers = list(range(len(memory)))
    if config.memory_attention == "grouped":
        size = len(memory) // config.groups
        layers = [other for other in layers if other // size == index // size]
    return sum((memory[other] for other in layers), torch.zeros_like(memory[index])) / len(layers)


def published(
    config: RxtConfig, layer: Any, memory: Tensor, index: int, encoded: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The paper's: maybe A and M~ first, then U and M'."""
    own, query = memory[index], normed(layer.norm_memory, memory[index])
    if config.memory_attention != "simple":
        source = normed(layer.norm_memory, beside(config, memory, index))
        if config.memory_attention == "gated_self":
            gate = levels(config.gate, layer.source_gate, query, query, source)
            source = mixed(config.gate, query, source, gate)
        elif config.memory_attention == "gated_interlayer":
            gate = levels(config.gate, layer.source_gate, query, source, query)
            source = mixed(config.gate, source, query, gate)
        read, _ = attend(layer.slots, query, source)
        own = mixed(config.gate, own, read, levels(config.gate, layer.slots_gate, query, own, read))
        query = normed(layer.norm_memory, own)
    new, weights = attend(layer, query, normed(layer.norm_encoded, encoded), turn_keys=True)
    gate = levels(config.gate, layer.gate, query, own, new)
    return mixed(config.gate, own, new, gate), torch.tensor(gate).mean(1), weights.mean(0)


def write(config: RxtConfig, writer: MemoryWriter, memory: Tensor, encoded: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Memory [L, S, D] after an interaction [L, N, D], the gates [L, S] and the attention [L, S, N]."""
    parts = []
    for index, layer in enumerate(writer):
        if config.memory_attention == "selective":
            parts.append(selective(config, layer, memory[index], encoded[index]))
        else:
            parts.append(published(config, layer, memory, index, encoded[index]))
    after, gates, attention = zip(*parts, strict=True)
    return torch.stack(after), torch.stack(gates), torch.stack(attention)
