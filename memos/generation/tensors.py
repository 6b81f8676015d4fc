"""Payloads of plain tensors (a delta's) beside each other, without the model that made them: safetensors and NumPy."""

import math
from collections.abc import Iterable

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from memos.generation.engine import TensorChange

Named = dict[str, "np.ndarray[tuple[int, ...], np.dtype[np.float64]]"]


class NotTensors(ValueError):
    """The payload is not tensors of numbers."""


def tensor_changes(before: bytes, after: bytes) -> tuple[TensorChange, ...]:
    """By name, what changed most first. Raises NotTensors."""
    one, other = _numbers(before), _numbers(after)
    return changed(_change(name, one, other) for name in one.keys() | other.keys())


def changed(found: Iterable[TensorChange]) -> tuple[TensorChange, ...]:
    return tuple(sorted(found, key=lambda change: (-change.norm, change.name)))


def _numbers(payload: bytes) -> Named:
    try:
        tensors = load(payload)
        return {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise NotTensors(f"the payload is not tensors of numbers: {error}") from error


def _change(name: str, one: Named, other: Named) -> TensorChange:
    before, after = one.get(name), other.get(name)
    norms = [0.0 if tensor is None else float(np.linalg.norm(tensor)) for tensor in (before, after)]
    if before is None or after is None:
        norm = max(norms)
    elif before.shape == after.shape:
        norm = float(np.linalg.norm(after - before))
    else:  # of another rank, say: what is not in both counts whole
        norm = float(math.hypot(*norms))
    return TensorChange(name, norm, *norms)
