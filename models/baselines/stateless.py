"""The stateless twin: a decoder without memory that reads the full history of a conversation, prefix-cached.

Notable choices
* It has what helped RxT to bind a value to its key: the same table with frozen random rows, the same input scale and
  neighbour window, and in every layer a content attention of two wide heads, near identity at the start, not rotated,
  with a null key. Where RxT reads memory slots there, the twin reads the tokens themselves, all of them.
* Encoder and memory attention of RxT are paid for by more layers: about equal parameters in all.
* A batch may hold several continuations of one history side by side (`Layout`): the history is computed once.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.rxt.feed_forward import SwiGLU
from models.rxt.layers import RMSNorm, near_identity_, rotate
from models.rxt.model import INPUT_SCALE
from models.shapes import Activations, HeadActivations, Logits, Tokens
from models.text.tokenizer import PAD


@dataclass(frozen=True, slots=True)
class StatelessConfig:
    """Sizes in elements; see the legend in `models.shapes`. The defaults are the twin of the shipped RxT."""

    words: int
    name: str = "stateless-rows-128"
    rows: int = 4096
    width: int = 128
    layers: int = 4
    heads: int = 4
    content_heads: int = 2
    ffn: int = 304
    window_before: int = 4
    context: int = 1024  # tokens seen at once; the oldest interactions fall out beyond it
    max_query: int = 40
    max_answer: int = 28

    def as_dict(self) -> dict[str, Any]:
        """The config as JSON-able values."""
        return asdict(self)


TWINS: dict[str, dict[str, Any]] = {
    "shipped": {},
    # For tests: every mechanism, no knowledge.
    "tiny": {"name": "stateless-tiny", "rows": 64, "width": 16, "heads": 2, "ffn": 32, "layers": 2, "context": 160},
}


@dataclass(frozen=True, slots=True)
class Layout:
    """How the N tokens of a batch hang together; M = N tokens plus those cached before them."""

    positions: Tensor  # int64 [B, N], of each token in its own sequence
    previous: Tensor  # int64 [B, N], column of the token before it; N where there is none
    mask: Tensor  # bool [B, 1, N, M], True where a token may read another
    first: int = 0  # what the last layer makes of the columns before this one is not needed


class Cache(Protocol):
    """Where keys and values are kept between calls."""

    def put(self, layer: int, part: int, fresh: HeadActivations) -> HeadActivations:
        """Appends, and returns everything up to here. Parts: keys and values of self-attention, then of content."""
        ...


def _nothing_before(part: int, fresh: HeadActivations) -> HeadActivations:
    return fresh


def rotary(positions: Tensor, head_width: int, base: float = 10_000.0) -> tuple[Tensor, Tensor]:
    """Cosines and sines, each float32 [B, 1, N, head_width / 2], of positions [B, N]."""
    inverse = base ** (-torch.arange(0, head_width, 2, dtype=torch.float32) / head_width)
    angle = positions[:, None, :, None].float() * inverse
    return angle.cos(), angle.sin()


class _Heads(nn.Module):
    """The four projections of one attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def split(self, x: Activations) -> HeadActivations:
        batch, length, width = x.shape
        return x.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

    def join(self, mixed: HeadActivations) -> Activations:
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out


class ContentAttention(_Heads):
    """Matches by content over the whole prefix; attention that goes to the null key reads nothing."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, heads)
        self.null_key = nn.Parameter(torch.zeros(heads, width // heads))
        self.null_bias = nn.Parameter(torch.zeros(heads))
        for linear, identity in ((self.query, 1.0), (self.key, 1.0), (self.value, 0.5), (self.out, 0.5)):
            near_identity_(linear.weight, identity, 0.3)

    def forward(self, x: Activations, keys: HeadActivations, values: HeadActivations, mask: Tensor) -> Activations:
        queries = self.split(self.query(x)) * keys.shape[-1] ** -0.5
        scores = (queries @ keys.transpose(-1, -2)).masked_fill(~mask, float("-inf"))
        null = queries @ self.null_key[:, :, None] + self.null_bias[:, None, None]
        attention = torch.softmax(torch.cat((null, scores), dim=-1), dim=-1)
        return self.join(attention[..., 1:] @ values)


class StatelessLayer(nn.Module):
    """`x += SelfAttn(N1 x)`; `x += Content(N2 x, Nm x)`; `x += FFN(N3 x)`."""

    def __init__(self, config: StatelessConfig) -> None:
        super().__init__()
        width = config.width
        self.norm_attention = RMSNorm(width)
        self.attention = _Heads(width, config.heads)
        self.norm_query = RMSNorm(width)
        self.norm_content = RMSNorm(width)
        self.content = ContentAttention(width, config.content_heads)
        self.norm_ffn = RMSNorm(width)
        self.ffn = SwiGLU(width, config.ffn)

    def forward(
        self, x: Activations, layout: Layout, first: int, put: Callable[[int, HeadActivations], HeadActivations]
    ) -> Activations:
        """`x` [B, N, D] -> the columns from `first` on [B, N - first, D]. `put` caches keys and values (parts 0 to 3)
        and returns what there is up to their end."""
        own, content = self.attention, self.content
        turn = rotary(layout.positions, x.shape[2] // own.heads)
        normed = self.norm_attention(x)
        keys, values = put(0, rotate(own.split(own.key(normed)), turn)), put(1, own.split(own.value(normed)))
        # Not the fused kernel: on a CPU it is the slower one in bfloat16, in which most of the training runs.
        queries = rotate(own.split(own.query(normed)), turn) * keys.shape[-1] ** -0.5
        scores = (queries @ keys.transpose(-1, -2)).masked_fill(~layout.mask, float("-inf"))
        x = x + own.join(torch.softmax(scores, dim=-1) @ values)
        normed = self.norm_content(x)
        marks, things = put(2, content.split(content.key(normed))), put(3, content.split(content.value(normed)))
        x = x[:, first:]
        x = x + content(self.norm_query(x), marks, things, layout.mask[:, :, first:])
        out: Activations = x + self.ffn(self.norm_ffn(x))
        return out


class Stateless(nn.Module):
    """The whole twin. All tensors are float32."""

    row_table: Tensor

    def __init__(self, config: StatelessConfig) -> None:
        super().__init__()
        self.config = config
        deviation = config.width**-0.5
        self.word_table = nn.Parameter(torch.randn(config.words, config.width) * deviation)
        self.register_buffer("row_table", torch.randn(config.rows, config.width) * deviation)
        self.neighbours = nn.Parameter(torch.full((config.window_before, config.width), 0.35))  # 1, 2, ... before
        self.stack = tuple(StatelessLayer(config) for _ in range(config.layers))
        self.layers = nn.ModuleList(self.stack)  # registers the parameters; the tuple keeps the type
        self.norm = RMSNorm(config.width)

    def table(self, rows: Tensor | None = None) -> Tensor:
        """Vectors of all known words and of `rows` (int64 [R'], None for every row): [V + R', D]."""
        chosen = self.row_table if rows is None else self.row_table[rows]
        return torch.cat((self.word_table, chosen), dim=0)

    def inputs(self, tokens: Tokens, previous: Tensor, table: Tensor) -> Activations:
        """Scaled vectors [B, N, D], each with its share of the words before it in its own sequence."""
        x = F.embedding(tokens, table) * INPUT_SCALE * (tokens != PAD)[..., None]
        batch, length, width = x.shape
        # One more column, of zeros, is what comes before a first token.
        padded = F.pad(x, (0, 0, 0, 1)).reshape(-1, width)
        links = F.pad(previous, (0, 1), value=length)
        rows = torch.arange(batch)[:, None] * (length + 1)
        out, at = x, previous
        for weight in self.neighbours:
            out = out + weight * F.embedding(rows + at, padded)
            at = links.gather(1, at)
        return out

    def forward(self, x: Activations, layout: Layout, cache: Cache | None = None) -> Activations:
        """Normed activations of the columns from `layout.first` on; without a cache there is nothing before them."""
        for index, layer in enumerate(self.stack):
            put = _nothing_before if cache is None else partial(cache.put, index)
            x = layer(x, layout, layout.first if index + 1 == len(self.stack) else 0, put)
        out: Activations = self.norm(x)
        return out

    def logits(self, activations: Activations, table: Tensor) -> Logits:
        """Scores of every vector in `table`."""
        return activations @ table.T


def trained_parameters(model: nn.Module) -> int:
    """Numbers that training changes; frozen rows and a fixed start state are buffers."""
    return sum(p.numel() for p in model.parameters())
