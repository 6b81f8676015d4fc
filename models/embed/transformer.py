"""The encoders of BERT (arXiv 1810.04805), RoBERTa (1907.11692) and MPNet (2004.09297) over their released tensors.

Notable choices
* Without padding: the tokens of all sentences lie in one row after the other, [N, D], and only attention looks at one
  sentence at a time, sentences of equal length together. Nothing is computed for tokens that are not there, nothing is
  masked, and a sentence's vector does not depend on what else is in its batch.
* Queries, keys and values are one matrix; the rows of the token types are added to those of the positions once.
* Post-norm, exact GELU. Linear layers in the precision of `models.embed.linear`, everything between in the same;
  the token table, the pooling and the last norm in float32.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from models.embed.folder import Recipe
from models.embed.linear import DTYPES, Kernel, Linear, linear
from models.shapes import Activations, Sentences

BUCKETS, FARTHEST = 32, 128  # of MPNet's relative positions


@dataclass(frozen=True, slots=True)
class Block:
    """One layer."""

    joined: Linear  # [N, D] -> [N, 3D]: queries, keys, values
    mixed: Linear
    wide: Linear
    narrow: Linear
    norms: tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True)
class Group:
    """Sentences of equal length, one after the other."""

    start: int
    sentences: int
    length: int

    @property
    def end(self) -> int:
        return self.start + self.sentences * self.length


class Transformer:
    """Loaded weights. Holds nothing else, so threads may share it."""

    def __init__(self, recipe: Recipe, tensors: Mapping[str, Tensor], precision: str, kernel: Kernel = linear) -> None:
        """Raises KeyError for a tensor that is missing."""
        self._kernel = kernel
        self._recipe = recipe
        self._dtype = DTYPES[precision]
        table = "embeddings"
        self._words = tensors[f"{table}.word_embeddings.weight"].float()
        positions = tensors[f"{table}.position_embeddings.weight"].float()[recipe.first_position :]
        if recipe.architecture != "mpnet":
            positions = positions + tensors[f"{table}.token_type_embeddings.weight"].float()[0]
        self._positions = positions
        self._norm = _pair(tensors, f"{table}.LayerNorm", torch.float32)
        self._relative: Tensor | None = None
        if recipe.architecture == "mpnet":
            self._relative = tensors["encoder.relative_attention_bias.weight"].to(self._dtype)
        self._blocks = [self._block(tensors, f"encoder.layer.{index}") for index in range(recipe.layers)]

    def encode(self, ids: Sequence[Sequence[int]]) -> Sentences:
        """Token ids of each sentence, at least one and at most `max_tokens` -> unit vectors [B, D], in order."""
        order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
        lengths = [len(ids[index]) for index in order]
        groups = _groups(lengths)
        with torch.inference_mode():
            tokens = torch.tensor([token for index in order for token in ids[index]])
            places = torch.cat([torch.arange(group.length).repeat(group.sentences) for group in groups])
            x = F.embedding(tokens, self._words) + self._positions[places]
            x = self._normed(x, self._norm).to(self._dtype)
            biases = [self._bias(group.length) for group in groups]
            for block in self._blocks:
                attended = block.mixed(self._attention(block.joined(x), groups, biases))
                x = self._normed(x + attended, block.norms[0])
                x = self._normed(x + block.narrow(F.gelu(block.wide(x))), block.norms[1])
            pooled = torch.cat([self._pooled(x, group) for group in groups])
            vectors = torch.empty_like(pooled)
            vectors[order] = F.normalize(pooled, dim=-1)
        return vectors

    def _attention(self, joined: Activations, groups: Sequence[Group], biases: Sequence[Tensor | None]) -> Activations:
        heads, width = self._recipe.heads, self._recipe.width
        mixed = joined.new_empty(joined.shape[0], width)
        for group, bias in zip(groups, biases, strict=True):
            parts = joined[group.start : group.end].view(group.sentences, group.length, 3, heads, width // heads)
            query, key, value = parts.permute(2, 0, 3, 1, 4)
            found = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
            mixed[group.start : group.end] = found.transpose(1, 2).reshape(-1, width)
        return mixed

    def _bias(self, length: int) -> Tensor | None:
        """What MPNet adds to the scores of two tokens for how far they are apart: [1, H, N, N]."""
        if self._relative is None:
            return None
        places = torch.arange(length)
        buckets = _buckets(places[None, :] - places[:, None])
        return self._relative[buckets].permute(2, 0, 1)[None].contiguous()

    def _pooled(self, x: Activations, group: Group) -> Tensor:
        tokens = x[group.start : group.end].float().view(group.sentences, group.length, -1)
        if self._recipe.pooling == "first":
            return tokens[:, 0]
        if self._recipe.pooling == "max":
            return tokens.amax(1)
        return tokens.mean(1)  # `root` differs from it in length alone, which the norm takes away

    def _normed(self, x: Activations, weights: tuple[Tensor, Tensor]) -> Activations:
        return F.layer_norm(x, (self._recipe.width,), *weights, self._recipe.eps)

    def _block(self, tensors: Mapping[str, Tensor], layer: str) -> Block:
        names = [f"{layer}.attention.self.{part}" for part in ("query", "key", "value")]
        mixed, first = f"{layer}.attention.output.dense", f"{layer}.attention.output.LayerNorm"
        if self._recipe.architecture == "mpnet":
            names = [f"{layer}.attention.attn.{part}" for part in ("q", "k", "v")]
            mixed, first = f"{layer}.attention.attn.o", f"{layer}.attention.LayerNorm"
        pairs = [_pair(tensors, name, self._dtype) for name in names]
        joined = (torch.cat([weight for weight, _ in pairs]), torch.cat([bias for _, bias in pairs]))
        return Block(
            self._kernel(*joined),
            self._kernel(*_pair(tensors, mixed, self._dtype)),
            self._kernel(*_pair(tensors, f"{layer}.intermediate.dense", self._dtype)),
            self._kernel(*_pair(tensors, f"{layer}.output.dense", self._dtype)),
            (_pair(tensors, first, self._dtype), _pair(tensors, f"{layer}.output.LayerNorm", self._dtype)),
        )


def _pair(tensors: Mapping[str, Tensor], name: str, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    return tensors[f"{name}.weight"].to(dtype), tensors[f"{name}.bias"].to(dtype)


def _groups(lengths: Sequence[int]) -> list[Group]:
    """Of lengths that never fall."""
    groups: list[Group] = []
    for length in lengths:
        if groups and groups[-1].length == length:
            last = groups.pop()
            groups.append(Group(last.start, last.sentences + 1, length))
        else:
            groups.append(Group(groups[-1].end if groups else 0, 1, length))
    return groups


def _buckets(distance: Tensor) -> Tensor:
    """Key place minus query place -> bucket: each near one its own, far ones by the logarithm (T5, 1910.10683)."""
    half, exact = BUCKETS // 2, BUCKETS // 4
    far = distance.abs()
    scaled = torch.log(far.clamp_min(1).float() / exact) / math.log(FARTHEST / exact) * (half - exact)
    coarse = (exact + scaled.long()).clamp_max(half - 1)
    return torch.where(far < exact, far, coarse) + (distance > 0).long() * half
