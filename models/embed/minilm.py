"""The BERT encoder of all-MiniLM-L6-v2 as functions over its released tensors.

Notable choices
* No module classes: weights are a dictionary under their released names, so loading is the file and nothing else.
* Post-norm, as BERT is (arXiv 1810.04805); exact GELU; absolute positions; mean pooling over tokens, then unit norm.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from models.shapes import Activations, Sentences, TokenMask, Tokens

LAYERS, HEADS, WIDTH, EPS = 6, 12, 384, 1e-12
Weights = Mapping[str, Tensor]


def _linear(weights: Weights, name: str, x: Tensor) -> Tensor:
    return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])


def _norm(weights: Weights, name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, (WIDTH,), weights[f"{name}.weight"], weights[f"{name}.bias"], EPS)


def _attention(weights: Weights, name: str, x: Activations, mask: TokenMask) -> Activations:
    batch, length, _ = x.shape
    query, key, value = (
        _linear(weights, f"{name}.self.{part}", x).view(batch, length, HEADS, -1).transpose(1, 2)
        for part in ("query", "key", "value")
    )
    mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None, :])
    return _linear(weights, f"{name}.output.dense", mixed.transpose(1, 2).reshape(batch, length, WIDTH))


def encode_tokens(weights: Weights, tokens: Tokens, mask: TokenMask) -> Sentences:
    """Token ids [B, N], N <= 512 -> unit vectors [B, 384]. Every row needs at least one token."""
    table = "embeddings"
    x = F.embedding(tokens, weights[f"{table}.word_embeddings.weight"])
    x = x + weights[f"{table}.position_embeddings.weight"][: tokens.shape[1]]
    x = x + weights[f"{table}.token_type_embeddings.weight"][0]
    x = _norm(weights, f"{table}.LayerNorm", x)
    for index in range(LAYERS):
        layer = f"encoder.layer.{index}"
        x = _norm(
            weights, f"{layer}.attention.output.LayerNorm", x + _attention(weights, f"{layer}.attention", x, mask)
        )
        inner = F.gelu(_linear(weights, f"{layer}.intermediate.dense", x))
        x = _norm(weights, f"{layer}.output.LayerNorm", x + _linear(weights, f"{layer}.output.dense", inner))
    shares = mask[..., None].to(x.dtype)
    pooled = (x * shares).sum(1) / shares.sum(1).clamp_min(1e-9)
    return F.normalize(pooled, dim=-1)


def required_names() -> list[str]:
    """Names of the tensors that `encode_tokens` reads."""
    names = [f"embeddings.{part}_embeddings.weight" for part in ("word", "position", "token_type")]
    linears = ["embeddings.LayerNorm"]
    for index in range(LAYERS):
        layer = f"encoder.layer.{index}"
        linears += [f"{layer}.attention.self.{part}" for part in ("query", "key", "value")]
        linears += [f"{layer}.attention.output.dense", f"{layer}.attention.output.LayerNorm"]
        linears += [f"{layer}.intermediate.dense", f"{layer}.output.dense", f"{layer}.output.LayerNorm"]
    return names + [f"{name}.{part}" for name in linears for part in ("weight", "bias")]


def as_weights(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The needed tensors as float32. Raises KeyError for a missing one."""
    return {name: tensors[name].to(torch.float32) for name in required_names()}
