"""Deltas at decoding time: what each row of the fast decoder has mounted, added beside its matrices.

Notable choices
* Every row has a place in stacked factors [rows, I, r], zeros where nothing is mounted, so rows with different deltas
  take one batched product per map. Nothing is allocated before the first mount, and a pass of rows without any does not
  come here at all.
* Several deltas of one row are one with the sum of their ranks.
* Norm gains and the scale of scores are folded in, as they are into the decoder's own matrices.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from models.engine.deltas import Delta

Fold = tuple[Tensor | None, float]  # what inputs are multiplied with, [I], and outputs


@dataclass(frozen=True, slots=True, eq=False)
class Mount:
    """One or more deltas, ready for a row: by map V [I, r] and U [r, O]; `words` [E, D] in the order of `overlay`."""

    factors: Mapping[str, tuple[Tensor, Tensor]]
    words: Tensor
    rank: int


def mount_of(deltas: Sequence[Delta], folds: Mapping[str, Fold], like: Tensor) -> Mount:
    """For a decoder whose maps are folded so, in the type and on the device of `like`."""
    found: dict[str, tuple[Tensor, Tensor]] = {}
    rank = 0
    for name, (gain, scale) in folds.items():
        pairs = [delta.memory.factors()[name] for delta in deltas if name in delta.memory.factors()]
        if not pairs:
            continue
        down = torch.cat([pair[0] for pair in pairs]).to(like.device)
        up = torch.cat([pair[1] for pair in pairs], dim=1).to(like.device)
        down = down if gain is None else down * gain.float()
        found[name] = (down.t().to(like.dtype).contiguous(), (up * scale).t().to(like.dtype).contiguous())
        rank = max(rank, len(down))
    return Mount(found, torch.cat([delta.vectors for delta in deltas]).to(like), rank)


@dataclass(frozen=True, slots=True, eq=False)
class Additions:
    """The mounted factors of the rows of one pass."""

    factors: Mapping[str, tuple[Tensor, Tensor]]  # [b, I, r], [b, r, O]

    def add(self, name: str, onto: Tensor, x: Tensor) -> Tensor:
        """Adds to outputs [n, O] what the deltas make of inputs [n, I]; in place."""
        if name not in self.factors:
            return onto
        down, up = self.factors[name]
        inner = torch.bmm(x.view(len(down), -1, x.shape[-1]), down)
        return onto.add_(torch.bmm(inner, up).view_as(onto))


class Mounts:
    """What every row has mounted."""

    def __init__(self, rows: int, table: Tensor) -> None:
        self._rows, self._table = rows, table
        self._held: dict[int, int] = {}  # rows with a delta, and how many words each brought
        self._factors: dict[str, tuple[Tensor, Tensor]] = {}
        self._words = table.new_zeros(rows, 0, table.shape[1])

    def load(self, row: int, mount: Mount | None) -> None:
        """What is mounted in a row from now on."""
        if self._held.pop(row, None) is not None:
            for down, up in self._factors.values():
                down[row], up[row] = 0.0, 0.0
            self._words[row] = 0.0
        if mount is None:
            return
        for name, (down, up) in mount.factors.items():
            self._make_room(name, down.shape, up.shape)
            kept_down, kept_up = self._factors[name]
            kept_down[row, :, : down.shape[1]], kept_up[row, : len(up)] = down, up
        if len(mount.words) > self._words.shape[1]:
            self._words = F.pad(self._words, (0, 0, 0, len(mount.words) - self._words.shape[1]))
        self._words[row, : len(mount.words)] = mount.words
        self._held[row] = len(mount.words)

    def additions(self, rows: slice | Tensor, given: Collection[int]) -> Additions | None:
        """For a pass over these rows of the caches; None where none of the `given` has anything mounted."""
        if not self._held or self._held.keys().isdisjoint(given):
            return None
        return Additions({name: (down[rows], up[rows]) for name, (down, up) in self._factors.items()})

    def embedded(self, ids: Tensor, rows: Sequence[int]) -> Tensor:
        """Vectors [n, w, D] of ids [n, w]; those of the rows' own words stand behind the table's."""
        if not self._held:
            return F.embedding(ids.clamp_min(0), self._table)
        found = F.embedding(ids.clamp(0, len(self._table) - 1), self._table)
        own = ids >= len(self._table)
        if bool(own.any()):
            whose = torch.tensor(rows, device=ids.device)[:, None].expand_as(ids)[own]
            found[own] = self._words[whose, ids[own] - len(self._table)]
        return found

    def scores(self, scores: Tensor, activations: Tensor, rows: Sequence[int]) -> Tensor:
        """Scores [n, C], and behind them those of the rows' own words where any of them has some."""
        if not self._held or not any(self._held.get(row) for row in rows):
            return scores
        own = torch.bmm(self._words[list(rows)], activations[:, :, None])
        return torch.cat((scores, own[..., 0]), dim=1)

    def _make_room(self, name: str, down: torch.Size, up: torch.Size) -> None:
        if name not in self._factors:
            self._factors[name] = (
                self._table.new_zeros(self._rows, down[0], 0),
                self._table.new_zeros(self._rows, 0, up[1]),
            )
        kept_down, kept_up = self._factors[name]
        missing = down[1] - kept_down.shape[2]
        if missing > 0:
            self._factors[name] = (F.pad(kept_down, (0, missing)), F.pad(kept_up, (0, 0, 0, missing)))
