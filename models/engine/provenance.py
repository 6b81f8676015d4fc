"""Where memory came from and what an answer read: figures per slot, from what the model did while it wrote or read.

Notable choices
* A message is written in pieces; of what a slot holds after the last, a piece has the share `gate * (1 - later gates)`.
  A slot is put down to the piece with the largest share, and to no piece when that share is small: a slot that was
  only brushed keeps being what an earlier turn made it.
* Words are those the slot attended to most. They are the user's own: whoever keeps them erases them with the state.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

LEAST_SHARE = 0.25  # of a slot's content: less is a brush
MOST_WRITTEN = 32
MOST_READ = 16
MOST_WORDS = 3
LEAST_ATTENTION = 0.3  # of the attention to the first word: a word with less is left out


@dataclass(frozen=True, slots=True)
class SlotWrite:
    """What one slot took in at one step. `gate` is the share of its content, 0..1; `words` most attended first."""

    layer: int
    slot: int
    gate: float
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SlotRead:
    """The share of what an answer read from the conversation's memory that came from one slot."""

    layer: int
    slot: int
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class PieceWritten:
    """One piece of a message, written: gate [L, S], attention [L, S, N], and the N tokens as words, None for marks."""

    gate: Tensor
    attention: Tensor
    words: Sequence[str | None]


def slots_written(pieces: Sequence[PieceWritten]) -> tuple[SlotWrite, ...]:
    """The slots in which a step is to be found, most first, at most 32."""
    kept = torch.ones_like(pieces[-1].gate)
    shares = []
    for piece in reversed(pieces):
        shares.append(kept * piece.gate)
        kept = kept * (1.0 - piece.gate)
    share, back = torch.stack(shares).max(0)
    best = share.flatten().sort(descending=True, stable=True)
    slots = share.shape[1]
    out = []
    for value, index in zip(best.values[:MOST_WRITTEN].tolist(), best.indices[:MOST_WRITTEN].tolist(), strict=True):
        if value < LEAST_SHARE:
            break
        layer, slot = divmod(index, slots)
        piece = pieces[len(pieces) - 1 - int(back[layer, slot])]
        out.append(SlotWrite(layer, slot, round(value, 4), _words(piece, layer, slot)))
    return tuple(out)


def _words(piece: PieceWritten, layer: int, slot: int) -> tuple[str, ...]:
    attention = piece.attention[layer, slot].tolist()
    said = sorted(((a, w) for a, w in zip(attention, piece.words, strict=True) if w is not None), reverse=True)
    found = [w for a, w in said if a >= LEAST_ATTENTION * said[0][0]]
    return tuple(dict.fromkeys(found))[:MOST_WORDS]


def slots_read(weights: Sequence[Tensor], slots: int, answer: slice) -> tuple[SlotRead, ...]:
    """From what each token read of each slot (per layer [1, H, N, S or more]): the slots most read over the answer.

    Only the first `slots` columns count: those after them are of recalled texts, or a null key's.
    """
    read = torch.stack([layer[0, :, answer, :slots].mean((0, 1)) for layer in weights])
    total = read.sum().clamp_min(1e-12)
    best = (read / total).flatten().sort(descending=True, stable=True)
    pairs = zip(best.values[:MOST_READ].tolist(), best.indices[:MOST_READ].tolist(), strict=True)
    return tuple(SlotRead(index // slots, index % slots, round(share, 4)) for share, index in pairs)
