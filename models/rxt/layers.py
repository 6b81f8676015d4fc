"""Small parts shared by encoder and decoder: norm, rotary positions, the neighbour window.

Notable choices
* RoPE restarts at 0 in every interaction (paper, section 3.2), so its tables are short and built once per length.
* The neighbour window is a bag: each channel adds its own share of the tokens around it, before the first layer. A slot
  that attends to a value then also sees the words which say whose value it is.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.shapes import Activations, HeadActivations


class RMSNorm(nn.Module):
    """Root-mean-square norm over the last axis, with a gain per channel."""

    def __init__(self, width: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.gain, self.eps)


class NeighbourWindow(nn.Module):
    """`x_n += sum_o w_o * x_(n+o)` for o in -before..-1 and 1..after, one weight per offset and channel.

    The input must be zero where padding is, or padding leaks into its neighbours.
    """

    def __init__(self, width: int, before: int, after: int) -> None:
        super().__init__()
        self.offsets = [o for o in range(-before, after + 1) if o]
        self.before = before
        self.after = after
        self.weight = nn.Parameter(torch.full((len(self.offsets), width), 0.35))

    def forward(self, x: Activations) -> Activations:
        length = x.shape[1]
        padded = F.pad(x, (0, 0, self.before, self.after))
        out = x
        for weight, offset in zip(self.weight, self.offsets, strict=True):
            start = self.before + offset
            out = out + weight * padded[:, start : start + length]
        return out


def rotary_table(
    length: int, head_width: int, start: int = 0, base: float = 10_000.0, device: torch.device | None = None
) -> tuple[Tensor, Tensor]:
    """Cosine and sine tables, each float32 [length, head_width / 2], for positions start..start+length-1."""
    inverse = base ** (-torch.arange(0, head_width, 2, dtype=torch.float32, device=device) / head_width)
    angle = torch.outer(torch.arange(start, start + length, dtype=torch.float32, device=device), inverse)
    return angle.cos(), angle.sin()


def rotate(x: HeadActivations, table: tuple[Tensor, Tensor]) -> HeadActivations:
    """Applies rotary positions to queries or keys [B, H, N, K]; turned in float32, given back in the type of `x`."""
    cos, sin = table
    left, right = x.chunk(2, dim=-1)
    return torch.cat((left * cos - right * sin, left * sin + right * cos), dim=-1).to(x.dtype)


def near_identity_(weight: Tensor, identity: float, noise: float) -> None:
    """Fills a square matrix with `identity * I` plus noise of standard deviation `noise / sqrt(D)`, in place."""
    width = weight.shape[0]
    with torch.no_grad():
        weight.normal_(0.0, noise / width**0.5)
        weight += identity * torch.eye(width, device=weight.device)
