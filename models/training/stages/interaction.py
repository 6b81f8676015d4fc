"""Stage 2: the decoder learns to answer (paper, section 4.2). As stage 1, but only an answer's tokens are predicted."""

from typing import ClassVar

from torch import Tensor

from models.shapes import Tokens
from models.text.tokenizer import ANSWER, PAD
from models.training.stages.joint import JointStage


class InteractionStage(JointStage):
    """Supervised fine-tuning on single interactions; the encoder goes on guessing hidden tokens anywhere."""

    name: ClassVar[str] = "interaction"

    def predicted(self, tokens: Tokens) -> Tensor:
        """bool [B, N], what comes after [A]: the answer and its end."""
        after = (tokens == ANSWER).cumsum(1) - (tokens == ANSWER).long()
        return (after > 0) & (tokens != PAD)
