"""Parametric memory as a value and as bytes: what a decoder knows beyond its weights, and the words to say it with.

Notable choices
* One class per kind, found by name in `KINDS`, and one law for all: mounting changes no weight, so after unmounting
  every output is what it was, bit for bit.
* A delta brings its own unknown words with vectors of their own. A conversation's rows are its own business: a delta
  cannot know which row "Biscuit" has there, or whether it has one.
* The vector of a word is drawn from a hash of the word: two deltas with the same word agree about it.
* Payloads are checked like states are (`models.engine.payload`): another model's is refused by name.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from models.engine.payload import FINGERPRINTED, canonical, recorded_in
from models.errors import DeltaCorrupt, DeltaMismatch
from models.rxt.low_rank import Factors
from models.text.lexicon import Entry, Lexicon

_META = "memos.delta"
MOST_WORDS = 1024


class ParametricMemory(Protocol):
    """One kind of parametric memory."""

    kind: str

    def factors(self) -> Factors:
        """What it adds to linear maps of the decoder."""
        ...

    def pack(self) -> dict[str, Tensor]:
        """The tensors of a payload."""
        ...

    @classmethod
    def unpack(cls, tensors: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, int]]) -> "ParametricMemory":
        """From a payload's tensors; `shapes` are the decoder's maps [O, I]. Raises DeltaCorrupt."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class LowRank:
    """Factors, kept in float16."""

    by_map: Factors
    kind = "low_rank"

    def factors(self) -> Factors:
        return self.by_map

    def pack(self) -> dict[str, Tensor]:
        out: dict[str, Tensor] = {}
        for name, (down, up) in self.by_map.items():
            out[f"down.{name}"], out[f"up.{name}"] = down.half().contiguous(), up.half().contiguous()
        return out

    @classmethod
    def unpack(cls, tensors: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, int]]) -> "LowRank":
        found: dict[str, tuple[Tensor, Tensor]] = {}
        names = {name.partition(".")[2] for name in tensors}
        if tensors.keys() != {f"{part}.{name}" for name in names for part in ("down", "up")}:
            raise DeltaCorrupt("the delta's factors do not come in pairs")
        for name in sorted(names):
            down, up = tensors[f"down.{name}"], tensors[f"up.{name}"]
            if name not in shapes:
                raise DeltaCorrupt(f"the model has no map {name!r} that a delta could change", [name])
            rank = down.shape[0]
            wanted = ((rank, shapes[name][1]), (shapes[name][0], rank))
            if (tuple(down.shape), tuple(up.shape)) != wanted or {down.dtype, up.dtype} != {torch.float16}:
                raise DeltaCorrupt(f"the factors of {name} are {tuple(down.shape)} and {tuple(up.shape)}", [name])
            if not (bool(torch.isfinite(down).all()) and bool(torch.isfinite(up).all())):
                raise DeltaCorrupt(f"the factors of {name} hold numbers that are not finite", [name])
            found[name] = (down.float(), up.float())
        return cls(found)


KINDS: dict[str, type[LowRank]] = {LowRank.kind: LowRank}


@dataclass(frozen=True, slots=True, eq=False)
class Delta:
    """`words`: keys with how they are written and their index in `vectors` [W, D]; -1 for a known word that is written
    in a way of its own."""

    memory: ParametricMemory
    words: Mapping[str, Entry]
    vectors: Tensor


def vectors_of(words: Sequence[str], width: int) -> Tensor:
    """[W, D], like the rows of unknown words: random, and the same wherever the word is met."""
    out = torch.empty(len(words), width)
    for index, word in enumerate(words):
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big") % 2**63
        out[index] = torch.randn(width, generator=torch.Generator().manual_seed(seed)) * width**-0.5
    return out.half().float()  # as they are kept


def overlay(lexicon: Lexicon, deltas: Sequence[Delta], rows: int) -> tuple[Lexicon, dict[int, str]]:
    """The lexicon with the words of the deltas behind the conversation's own, which win; and how all of them are
    written, by row. Their rows begin after the model's, delta after delta."""
    entries: dict[str, Entry] = {}
    surfaces: dict[int, str] = {}
    first = rows
    for delta in deltas:
        for key, entry in delta.words.items():
            row = entry.row if entry.row < 0 else first + entry.row
            if row >= 0:
                surfaces[row] = entry.surface
            if key not in lexicon.entries:
                entries.setdefault(key, Entry(entry.surface, row))
        first += len(delta.vectors)
    # In front: where the lexicon is full, what goes first is what this conversation has not said.
    return Lexicon(entries | lexicon.entries, lexicon.next_row), surfaces


def pack_delta(delta: Delta, identity: Mapping[str, Any], about: Mapping[str, Any]) -> bytes:
    """The payload of a delta for the model of that identity; equal deltas give equal bytes. `about`: what else its
    header says, such as rank and seed."""
    text = b"".join(key.encode() + b"\0" + entry.surface.encode() + b"\0" for key, entry in delta.words.items())
    tensors = {
        **delta.memory.pack(),
        "words.rows": torch.tensor([entry.row for entry in delta.words.values()], dtype=torch.int32),
        "words.text": torch.tensor(list(text), dtype=torch.uint8),
        "words.vectors": delta.vectors.half().contiguous(),
    }
    header = {name: identity[name] for name in FINGERPRINTED} | {"kind": delta.memory.kind, "about": dict(about)}
    return save(tensors, {_META: canonical(header)})


def unpack_delta(payload: bytes, identity: Mapping[str, Any], shapes: Mapping[str, tuple[int, int]]) -> Delta:
    """The delta in a payload. Raises DeltaMismatch for another model's, DeltaCorrupt for a damaged one."""
    header = recorded_in(payload, _META)
    if header is None:
        raise DeltaCorrupt("the payload is not a delta: no readable header")
    differing = [name for name in FINGERPRINTED if header.get(name) != identity[name]]
    if differing:
        details = "; ".join(f"{n}: delta {header.get(n)!r}, model {identity[n]!r}" for n in differing)
        raise DeltaMismatch(f"the delta is of another model ({details})", differing)
    kind = KINDS.get(str(header.get("kind")))
    if kind is None:
        raise DeltaMismatch(f"there is no kind of delta {header.get('kind')!r}", ["kind"])
    try:
        tensors = load(payload)
        rows, text, vectors = (tensors.pop(f"words.{part}") for part in ("rows", "text", "vectors"))
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise DeltaCorrupt(f"the payload is truncated or malformed ({error})") from error
    return Delta(kind.unpack(tensors, shapes), _words(rows, text, vectors, identity), vectors.float())


def _words(rows: Tensor, text: Tensor, vectors: Tensor, identity: Mapping[str, Any]) -> dict[str, Entry]:
    width = identity["state_shape"]["width"]
    sound = (rows.dtype, text.dtype, vectors.dtype) == (torch.int32, torch.uint8, torch.float16)
    if not sound or vectors.ndim != 2 or vectors.shape[1] != width or len(rows) > MOST_WORDS:
        raise DeltaCorrupt("the delta's words are of other types or shapes", ["words"])
    try:
        written = bytes(text.tolist()).decode().split("\0")[:-1]
    except UnicodeDecodeError as error:
        raise DeltaCorrupt("the delta's words are not UTF-8", ["words.text"]) from error
    used = sorted(row for row in rows.tolist() if row >= 0)
    if len(written) != 2 * len(rows) or used != list(range(len(vectors))) or not all(written):
        raise DeltaCorrupt("the delta's words and vectors do not fit together", ["words"])
    if not bool(torch.isfinite(vectors).all()):
        raise DeltaCorrupt("the delta's vectors hold numbers that are not finite", ["words.vectors"])
    return {k: Entry(s, row) for k, s, row in zip(written[::2], written[1::2], rows.tolist(), strict=True)}
