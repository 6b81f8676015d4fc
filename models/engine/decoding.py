"""The decoder as inference wants it: weights prepared once, caches written in place, several conversations at a time.

`models.rxt.decoder` is the same arithmetic as the paper states it; it trains, and it is the twin of this one's tests.

Notable choices
* Queries, keys and values of a layer are one matrix, and the gains of norms are multiplied into the matrix after them,
  as is the scale of the scores. A token reads each weight once.
* Every conversation has a row in caches made at the start; a token is written at its position, nothing is appended.
* A step computes the span of rows from the first to the last active one, so that caches are read where they are; rows
  between that are not active write beyond their end, where their next token will go. Where the span is mostly idle, the
  active rows are gathered instead.
* Key-value heads shared by several queries are not repeated: the queries of a group take the place of query positions.
* Keys of memory lie turned, [K, S]: read from main memory, products with one query are half as fast the other way.
* Positions are known on the host, so nothing waits for the device here. Who reads the tokens, waits once per step.
* On a CPU each matrix is kept twice: turned, which is fastest for one token, and reordered by oneDNN, which is twice as
  fast for sixteen.
* A norm is three operations, its factor sqrt(D) is in the matrix after it: what calls cost counts for one token.
* On tokens that are padding the twin has zeros for input; here a token is a token. Prompts have no padding.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from models.engine.deltas import Delta
from models.engine.mounts import Additions, Fold, Mount, Mounts, mount_of
from models.rxt.attention import Heads
from models.rxt.decoder import DecoderLayer, KeysValues
from models.rxt.feed_forward import SwiGLU
from models.rxt.layers import RMSNorm, rotary_table
from models.rxt.memory_cross import ContentCross, RotaryCross
from models.rxt.model import INPUT_SCALE, Rxt

NEVER = float("-inf")


class Matrix:
    """A weight [O, I], applied to inputs [n, I]."""

    def __init__(self, weight: Tensor) -> None:
        self._turned = weight.detach().t().contiguous()
        self._packed: Tensor | None = None
        present: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        if present and weight.device.type == "cpu" and weight.dtype == torch.float32:
            self._packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), 16)

    def __call__(self, x: Tensor) -> Tensor:
        if self._packed is None or len(x) == 1:
            return torch.mm(x, self._turned)
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._packed, None, "none", [], "")
        return out

    def add(self, onto: Tensor, x: Tensor) -> Tensor:
        """`onto` [n, O] plus the product."""
        if self._packed is None or len(x) == 1:
            return torch.addmm(onto, x, self._turned)
        return self(x).add_(onto)


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the tokens of one pass are, the same for all layers: N tokens of each of b rows, b * N = n."""

    rows: slice | Tensor  # of the caches, b of them
    length: int  # N
    places: Tensor  # [n], where in the flattened caches keys and values go
    cosine: Tensor  # [n, 1, 1, K / 2]
    sine: Tensor  # [n, 1, 2, K / 2], the first of the two negative
    reach: int  # cached positions that are read
    mask: Tensor | None  # [b or 1, 1, 1 or N, reach], added to scores; None: all may be read
    slots: int  # slots of memory that are read
    mounted: Additions | None = None  # of the rows, where any has a delta


def unit(x: Tensor, least: Tensor) -> Tensor:
    """`x` [n, D] over its length; `least` is what the norm's epsilon makes of it, sqrt(D * epsilon)."""
    length: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / torch.hypot(length, least)


def gain_of(norm: RMSNorm) -> Tensor:
    """[D], what is left of a norm after `unit`: the gain times sqrt(D)."""
    return norm.gain.detach() * math.sqrt(norm.gain.shape[0])


def least_of(norm: RMSNorm) -> Tensor:
    return norm.gain.new_tensor(math.sqrt(norm.eps * norm.gain.shape[0]))


def turn(x: Tensor, plan: Plan) -> Tensor:
    """Rotary positions for heads [n, H, K]; as `models.rxt.layers.rotate`, in float32."""
    halves = x.view(*x.shape[:-1], 2, -1)
    return torch.addcmul(halves * plan.cosine, halves.flip(-2), plan.sine).flatten(2).to(x.dtype)


def grouped(queries: Tensor, batch: int, groups: int) -> Tensor:
    """Heads [b * N, H, K] -> [b, G, H / G * N, K]: the queries that share keys are as positions of one head."""
    width = queries.shape[-1]
    length = len(queries) // batch
    shared = queries.shape[1] // groups
    if length == 1:
        return queries.view(batch, groups, shared, width)
    apart = queries.view(batch, length, groups, shared, width).permute(0, 2, 3, 1, 4)
    return apart.reshape(batch, groups, shared * length, width)


def joined(mixed: Tensor, length: int) -> Tensor:
    """The way back: [b, G, H / G * N, K] -> [b * N, H * K]."""
    batch, groups, _, width = mixed.shape
    if length == 1:
        return mixed.reshape(batch, -1)
    apart = mixed.view(batch, groups, -1, length, width).permute(0, 3, 1, 2, 4)
    return apart.reshape(batch * length, -1)


class SelfAttention:
    """Self-attention of one layer and its cache."""

    def __init__(self, norm: RMSNorm, attention: Heads, rows: int, positions: int) -> None:
        scaled = attention.query.weight * attention.head_width**-0.5
        self._heads, self._groups, self._width = attention.query_heads, attention.kv_heads, attention.head_width
        self._in = Matrix(torch.cat((scaled, attention.key.weight, attention.value.weight)) * gain_of(norm))
        self._out = Matrix(attention.out.weight)
        self._keys = scaled.new_zeros(rows, positions, self._groups, self._width)
        self._values = torch.zeros_like(self._keys)

    def add(self, x: Tensor, normed: Tensor, plan: Plan) -> Tensor:
        heads = self._in(normed).view(len(normed), -1, self._width)
        turning = self._heads + self._groups
        turned = turn(heads[:, :turning], plan)
        self._keys.view(-1, self._groups, self._width).index_copy_(0, plan.places, turned[:, self._heads :])
        self._values.view(-1, self._groups, self._width).index_copy_(0, plan.places, heads[:, turning:])
        keys = self._keys[plan.rows, : plan.reach].transpose(1, 2)
        values = self._values[plan.rows, : plan.reach].transpose(1, 2)
        queries = grouped(turned[:, : self._heads], len(keys), self._groups)
        mixed = F.scaled_dot_product_attention(queries, keys, values, self._mask(plan), scale=1.0)
        return self._out.add(x, joined(mixed, plan.length))

    def _mask(self, plan: Plan) -> Tensor | None:
        if plan.mask is None or plan.length == 1:
            return plan.mask
        return plan.mask.repeat(1, 1, self._heads // self._groups, 1)


class MemoryCross:
    """Memory cross-attention of one layer, and the projected memory of every row."""

    def __init__(self, name: str, norm: RMSNorm, cross: object, rows: int, slots: int) -> None:
        heads = cross.attention if isinstance(cross, RotaryCross) else cross
        assert isinstance(heads, Heads)
        self._turns = isinstance(cross, RotaryCross)
        self._null = cross.null_bias.detach() if isinstance(cross, ContentCross) else None
        self._width = heads.head_width
        self._name = f"{name}.memory"
        self.folds: dict[str, Fold] = {
            f"{self._name}.query": (gain_of(norm), heads.head_width**-0.5),
            f"{self._name}.out": (None, 1.0),
        }
        weight = heads.query.weight
        self._query = Matrix(weight * gain_of(norm) * heads.head_width**-0.5)
        self._out = Matrix(heads.out.weight)
        # Zeros, as what is hidden is still multiplied, by zero; memory that is never written costs no memory.
        self._keys = weight.new_zeros(rows, heads.kv_heads, self._width, slots)
        self._values = weight.new_zeros(rows, heads.kv_heads, slots, self._width)
        self._bias = weight.new_zeros(rows, heads.kv_heads, 1, slots)

    def load(self, row: int, memory: KeysValues) -> int:
        """Keeps the projected memory of a conversation; returns its number of keys."""
        keys, values = memory
        count = keys.shape[2]
        self._keys[row, ..., :count] = keys[0].transpose(1, 2)
        self._values[row, :, :count] = values[0]
        self._bias[row, ..., :count] = 0.0
        self._bias[row, ..., count:] = NEVER
        if self._null is not None:
            self._bias[row, :, 0, count - 1] = self._null
        return count

    def add(self, x: Tensor, normed: Tensor, plan: Plan) -> Tensor:
        queries = self._query(normed)
        if plan.mounted is not None:
            queries = plan.mounted.add(f"{self._name}.query", queries, normed)
        queries = queries.view(len(normed), -1, self._width)
        if self._turns:
            queries = turn(queries, plan)
        bias = self._bias[plan.rows, ..., : plan.slots]
        keys, values = self._keys[plan.rows, ..., : plan.slots], self._values[plan.rows, :, : plan.slots]
        batch, groups = keys.shape[:2]
        scores = torch.baddbmm(bias.flatten(0, 1), grouped(queries, batch, groups).flatten(0, 1), keys.flatten(0, 1))
        mixed = torch.bmm(torch.softmax(scores, dim=-1), values.flatten(0, 1))
        read = joined(mixed.view(batch, groups, -1, self._width), plan.length)
        out = self._out.add(x, read)
        return out if plan.mounted is None else plan.mounted.add(f"{self._name}.out", out, read)


class FeedForward(Protocol):
    """Adds to activations [n, D] what it makes of them normed."""

    folds: dict[str, Fold]  # of the maps that a delta may change

    def add(self, x: Tensor, normed: Tensor, plan: Plan) -> Tensor: ...


class Dense:
    """SwiGLU."""

    def __init__(self, name: str, norm: RMSNorm, block: SwiGLU) -> None:
        self._name = f"{name}.ffn"
        self.folds: dict[str, Fold] = {f"{self._name}.up": (gain_of(norm), 1.0), f"{self._name}.down": (None, 1.0)}
        self._up = Matrix(block.up.weight * gain_of(norm))
        self._down = Matrix(block.down.weight)
        self._hidden = block.down.in_features

    def add(self, x: Tensor, normed: Tensor, plan: Plan) -> Tensor:
        both = self._up(normed)
        if plan.mounted is not None:
            both = plan.mounted.add(f"{self._name}.up", both, normed)
        hidden = F.silu(both[:, : self._hidden]).mul_(both[:, self._hidden :])
        out = self._down.add(x, hidden)
        return out if plan.mounted is None else plan.mounted.add(f"{self._name}.down", out, hidden)


class AsTrained:
    """Any other block, as it is."""

    def __init__(self, norm: RMSNorm, block: torch.nn.Module) -> None:
        self._gain = gain_of(norm)
        self._block = block
        self.folds: dict[str, Fold] = {}

    def add(self, x: Tensor, normed: Tensor, plan: Plan) -> Tensor:
        out: Tensor = x + self._block(normed * self._gain)
        return out


class Layer:
    """One decoder layer."""

    def __init__(self, name: str, layer: DecoderLayer, rows: int, positions: int, slots: int) -> None:
        self.attention = SelfAttention(layer.norm_attention, layer.attention, rows, positions)
        self.memory = MemoryCross(name, layer.norm_query, layer.memory, rows, slots)
        norm = layer.norm_ffn
        self._least = least_of(norm)
        ffn = layer.ffn
        self.ffn: FeedForward = Dense(name, norm, ffn) if isinstance(ffn, SwiGLU) else AsTrained(norm, ffn)
        self.folds = self.memory.folds | self.ffn.folds

    def __call__(self, x: Tensor, plan: Plan) -> Tensor:
        x = self.attention.add(x, unit(x, self._least), plan)
        x = self.memory.add(x, unit(x, self._least), plan)
        return self.ffn.add(x, unit(x, self._least), plan)


class FastDecoder:
    """Decodes up to `rows` conversations at a time, each in a row of its own. For one thread at a time.

    `table` [C, D] has the vectors of all words; `positions` bounds prompt and answer together.
    """

    def __init__(self, model: Rxt, table: Tensor, rows: int = 16, positions: int | None = None) -> None:
        config = model.config
        self.rows = rows
        self.positions = positions or config.max_query + config.max_answer + 8
        self._reach = config.window_before
        with torch.no_grad():
            decoder, self._table, self._scores = model.decoder, table.detach(), Matrix(table)
            slots = 2 * config.slots + 1
            self._layers = [Layer(str(n), x, rows, self.positions, slots) for n, x in enumerate(decoder.stack)]
            self._gain, self._least = gain_of(decoder.norm), least_of(decoder.norm)
            # Oldest neighbour first, the token itself last: the order of the window's offsets.
            shares = torch.cat((decoder.window.weight, torch.ones_like(decoder.norm.gain)[None]))
            self._shares = shares * INPUT_SCALE
            width = decoder.stack[0].attention.head_width
            cosine, sine = rotary_table(self.positions, width, device=table.device)
            self._cosine, self._sine = cosine[:, None, None], torch.stack((-sine, sine), dim=1)[:, None]
            ones = torch.ones(self.positions, self.positions, dtype=torch.bool, device=table.device)
            self._causal = table.new_zeros(self.positions, self.positions).masked_fill(ones.triu(1), NEVER)
        self._folds = {name: fold for layer in self._layers for name, fold in layer.folds.items()}
        self._mounts = Mounts(rows, self._table)
        self._lengths = [0] * rows
        self._slots = [0] * rows
        self._recent = [[-1] * self._reach for _ in range(rows)]

    @property
    def candidates(self) -> int:
        """C, without the words of deltas."""
        return len(self._table)

    def mount(self, deltas: Sequence[Delta]) -> Mount:
        """Deltas, ready for `prefill`."""
        return mount_of(deltas, self._folds, self._table)

    def scores(self, activations: Tensor, rows: Sequence[int] = ()) -> Tensor:
        """Scores of every vector in the table [n, C] after activations [n, D]; of these rows, where any of them has
        words of its own mounted, those of its words behind them."""
        return self._mounts.scores(self._scores(activations), activations, rows)

    def prefill(
        self, row: int, tokens: Sequence[int], memory: Sequence[KeysValues], mount: Mount | None = None
    ) -> Tensor:
        """Starts a conversation in `row`, whatever was there; returns the activations [D] after its last token.

        `memory` is what `Rxt.project_memory` gives for a batch of one. Tokens beyond the table are words of the mount.
        Raises ValueError for a prompt that is empty or does not fit.
        """
        length = len(tokens)
        if not 0 < length <= self.positions:
            raise ValueError(f"a prompt of {length} tokens; 1 to {self.positions} can be read")
        with torch.inference_mode():
            counts = {layer.memory.load(row, part) for layer, part in zip(self._layers, memory, strict=True)}
            self._slots[row], self._lengths[row] = max(counts), length
            self._mounts.load(row, mount)
            first = row * self.positions
            plan = Plan(
                rows=slice(row, row + 1),
                length=length,
                places=torch.arange(first, first + length, device=self._table.device),
                cosine=self._cosine[:length],
                sine=self._sine[:length],
                reach=length,
                mask=self._causal[None, None, :length, :length] if length > 1 else None,
                slots=self._slots[row],
                mounted=self._mounts.additions(slice(row, row + 1), (row,)),
            )
            known = [-1] * self._reach + list(tokens)
            x = self._embed([known[n : n + self._reach + 1] for n in range(length)], [row] * length)
            self._recent[row] = known[length:]
            return self._run(x, plan, slice(length - 1, length))[0]

    def step(self, rows: Sequence[int], tokens: Sequence[int]) -> Tensor:
        """One more token for each of several different rows, in one pass; activations [n, D] in their order.

        Raises ValueError when a row has no conversation or no position is left in it.
        """
        for row in rows:
            if not 0 < self._lengths[row] < self.positions:
                raise ValueError(f"row {row} has {self._lengths[row]} of {self.positions} tokens; no more can be added")
        first, last = min(rows), max(rows) + 1
        given = dict(zip(rows, tokens, strict=True))
        span = range(first, last) if last - first <= 2 * len(rows) else sorted(given)
        with torch.inference_mode():
            plan = self._plan(span, given)
            x = self._embed([[*self._recent[row], given.get(row, 0)][-self._reach - 1 :] for row in span], span)
            place = {row: index for index, row in enumerate(span)}
            order = [place[row] for row in rows]
            whole = order == list(range(len(span)))
            chosen = slice(None) if whole else torch.tensor(order, device=self._table.device)
            out = self._run(x, plan, chosen)
        for row, token in given.items():
            self._lengths[row] += 1
            if self._reach:
                self._recent[row] = [*self._recent[row][1:], token]
        return out

    def _plan(self, span: Sequence[int], given: dict[int, int]) -> Plan:
        """One token for each row of the span; those not `given` are there because they are in between."""
        device = self._table.device
        at = [min(self._lengths[row], self.positions - 1) for row in span]
        reach = 1 + max(self._lengths[row] for row in given)
        if len(set(at)) == 1:
            cosine, sine, mask = self._cosine[at[0] : at[0] + 1], self._sine[at[0] : at[0] + 1], None
        else:
            positions = torch.tensor(at, device=device)
            cosine, sine = self._cosine[positions], self._sine[positions]
            mask = self._causal[positions, :reach][:, None, None]
        rows = slice(span[0], span[-1] + 1) if isinstance(span, range) else torch.tensor(span, device=device)
        return Plan(
            rows=rows,
            length=1,
            places=torch.tensor([r * self.positions + p for r, p in zip(span, at, strict=True)], device=device),
            cosine=cosine,
            sine=sine,
            reach=reach,
            mask=mask,
            slots=max(self._slots[row] for row in given),
            mounted=self._mounts.additions(rows, given),
        )

    def _embed(self, windows: list[list[int]], rows: Sequence[int]) -> Tensor:
        """Inputs [n, D] of tokens given with their neighbours to the left, of these rows; -1 is none."""
        ids = torch.tensor(windows, device=self._table.device)
        found = self._mounts.embedded(ids, rows)
        if not self._reach:
            return found[:, 0] * INPUT_SCALE
        return (found * self._shares * (ids >= 0)[..., None]).sum(1)

    def _run(self, x: Tensor, plan: Plan, chosen: slice | Tensor) -> Tensor:
        for layer in self._layers:
            x = layer(x, plan)
        return unit(x[chosen], self._least) * self._gain
