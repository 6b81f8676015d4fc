"""Optimisers: Muon for the matrices of the blocks, AdamW for the rest.

Notable choices
* Muon orthogonalises the momentum of a matrix by Newton-Schulz iteration (K. Jordan, 2024). Matrices of one shape are
  stacked, so a step costs a few batched products.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

_A, _B, _C = 3.4445, -4.7750, 2.0315  # quintic coefficients: fast, ends near 1


def orthogonalise(matrices: Tensor, steps: int = 5) -> Tensor:
    """Moves all singular values of [n, rows, columns] near 1."""
    transposed = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if transposed else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    out: Tensor = x.transpose(1, 2) if transposed else x
    return out


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised; the step of a tall matrix is scaled by sqrt(rows / columns)."""

    def __init__(self, params: Iterable[nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        super().__init__(list(params), {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update of every matrix that has a gradient."""
        for group in self.param_groups:
            by_shape: dict[tuple[int, ...], list[nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape.setdefault(tuple(parameter.shape), []).append(parameter)
            for shape, parameters in by_shape.items():
                updates = []
                for parameter in parameters:
                    state = self.state[parameter]
                    gradient = parameter.grad
                    assert gradient is not None
                    buffer = state.setdefault("momentum", torch.zeros_like(parameter))
                    buffer.mul_(group["momentum"]).add_(gradient)
                    updates.append(gradient.add(buffer, alpha=group["momentum"]))
                scale = group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5
                for parameter, update in zip(parameters, orthogonalise(torch.stack(updates)), strict=True):
                    parameter.add_(update, alpha=-scale)


def build_optimisers(model: nn.Module, muon_lr: float, adam_lr: float) -> tuple[Muon, torch.optim.AdamW]:
    """Muon takes the two-dimensional weights of linear layers, AdamW tables, gains, biases and windows.

    Parameters that are not trained when the run begins (a reference policy) belong to neither.
    """
    linears = [m.get_parameter("weight") for m in model.modules() if isinstance(m, nn.Linear)]
    matrices: list[nn.Parameter] = [p for p in linears if p.requires_grad]
    taken = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in taken and p.requires_grad]
    return Muon(matrices, muon_lr), torch.optim.AdamW(others, adam_lr, betas=(0.9, 0.98), weight_decay=0.0)


def optimiser_tensors(optimisers: Sequence[torch.optim.Optimizer]) -> dict[str, Tensor]:
    """The state of some optimisers as named tensors, for a run to be continued from."""
    return {
        f"optimiser.{index}.{key}.{field}": value
        for index, optimiser in enumerate(optimisers)
        for key, state in optimiser.state_dict()["state"].items()
        for field, value in state.items()
    }


def load_optimiser_tensors(optimisers: Sequence[torch.optim.Optimizer], tensors: Mapping[str, Tensor]) -> None:
    """The way back; names that are not of `optimiser_tensors` are passed over."""
    for index, optimiser in enumerate(optimisers):
        states: dict[int, dict[str, Tensor]] = {}
        lead = f"optimiser.{index}."
        for name, value in tensors.items():
            if name.startswith(lead):
                key, field = name[len(lead) :].split(".")
                states.setdefault(int(key), {})[field] = value
        optimiser.load_state_dict({"state": states, "param_groups": optimiser.state_dict()["param_groups"]})
