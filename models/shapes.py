"""The tensor vocabulary: one name per shape, so that a signature says what travels through it.

Legend of dimension letters
    B  batch (independent conversations, or independent sentences)
    T  turns of one conversation
    N  tokens of one interaction, or of one prompt
    L  layers; layer l of the decoder reads memory layer l, which layer l of the encoder wrote
    S  slots of short-term memory (STM) in one layer
    D  model width
    H  attention heads; G  heads of keys and values, of which several queries may share one
    K  width of one head
    M  keys that are attended to
    F  width of the feed-forward block; E  experts of a mixture
    V  known words; R  rows for unknown words; C  output candidates, V plus some of R

The names are aliases of `torch.Tensor`: they document, a checker does not enforce them.
"""

from typing import TypeAlias

from torch import Tensor

Tokens: TypeAlias = Tensor  # int64 [B, N]; 0..V-1 a known word, V..V+R-1 a row
TokenMask: TypeAlias = Tensor  # bool [B, N]; True where a token is, False where padding is
Activations: TypeAlias = Tensor  # float [B, N, D]
EncodedLayers: TypeAlias = Tensor  # float [B, L, N, D]; the output of every encoder layer (ED in the paper)
HeadActivations: TypeAlias = Tensor  # float [B, H, N, K]
MemoryLayer: TypeAlias = Tensor  # float [B, S, D]
Memory: TypeAlias = Tensor  # float [B, L, S, D]; the STM of B conversations
MemoryMask: TypeAlias = Tensor  # bool [B, S]; False hides a slot
Gate: TypeAlias = Tensor  # float [B, S, D] or [B, S, 1], as a rule between 0 (keep the old slot) and 1 (take the new)
Mass: TypeAlias = Tensor  # float [B, S, 1]; attention that did not go to the null key
Logits: TypeAlias = Tensor  # float [B, N, C]
Sentences: TypeAlias = Tensor  # float [B, D], unit norm
