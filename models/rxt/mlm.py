"""The head of masked language modelling, which trains the encoder in the first two stages only (paper, section 4.1).

It is no part of the model: the stages that need it hold it beside the model, and no checkpoint has it.
"""

from torch import nn
from torch.nn import functional as F

from models.rxt.config import RxtConfig
from models.rxt.layers import RMSNorm
from models.shapes import Activations, Logits


class MlmHead(nn.Module):
    """Linear, GELU, norm, linear: encoded tokens [B, N, D] -> scores of the known words [B, N, V]."""

    def __init__(self, config: RxtConfig) -> None:
        super().__init__()
        self.inner = nn.Linear(config.width, config.width)
        self.norm = RMSNorm(config.width)
        self.words = nn.Linear(config.width, config.words)

    def forward(self, encoded: Activations) -> Logits:
        out: Logits = self.words(self.norm(F.gelu(self.inner(encoded))))
        return out
