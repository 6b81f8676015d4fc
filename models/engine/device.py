"""Which device computes. One process uses one device; a machine with several runs a worker for each.

CUDA graphs are not used: whether they pay could not be measured where this was written.
"""

import torch

from models.errors import DeviceUnavailable

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def device_of(name: str) -> torch.device:
    """`auto` is CUDA where there is one. Raises DeviceUnavailable."""
    if name not in DEVICES:
        raise DeviceUnavailable(f"there is no device {name!r}; use one of: {', '.join(DEVICES)}")
    present = torch.cuda.is_available()
    if name == "cuda" and not present:
        raise DeviceUnavailable("CUDA was asked for, and torch sees no CUDA device here")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and present) else "cpu")
