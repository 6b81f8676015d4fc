"""States as bytes: safetensors with the model's fingerprint in the metadata. Never pickle.

Notable choices
* Fixed size: the lexicon is packed into a fixed buffer, so a payload of turn 1,000 is as long as one of turn 1.
* One metadata entry, canonical JSON: equal states give equal bytes on every run.
* Everything is checked before it is used: names, shapes, dtypes, fingerprint field by field, finite numbers, text.
"""

import hashlib
import json
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from models.engine.codecs import CODECS
from models.errors import StateCorrupt, StateMismatch
from models.rxt.state import State
from models.text.lexicon import MAX_BYTES, MAX_ENTRIES, Entry, Lexicon

FINGERPRINTED = ("model", "weights_sha256", "tokenizer_sha256", "reading", "dtype", "state_shape")
_META = "memos.rxt"
_TEXT_BYTES = MAX_BYTES + 2 * MAX_ENTRIES  # a zero byte after every key and every surface
_UNUSED = -2  # in `lexicon_rows`: no such entry


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def fingerprint_of(identity: dict[str, Any]) -> str:
    """SHA-256 over what a state must share with the model."""
    return hashlib.sha256(canonical({name: identity[name] for name in FINGERPRINTED}).encode()).hexdigest()


def pack(state: State, identity: dict[str, Any]) -> bytes:
    """The payload of a state made by the model of that identity, its memory rounded to the identity's dtype."""
    text = bytearray()
    rows = torch.full((MAX_ENTRIES,), _UNUSED, dtype=torch.int32)
    for index, (key, entry) in enumerate(state.lexicon.entries.items()):
        text += key.encode() + b"\0" + entry.surface.encode() + b"\0"
        rows[index] = entry.row
    text += bytes(_TEXT_BYTES - len(text))
    tensors = {
        **CODECS[identity["dtype"]].pack(state.memory),
        "lexicon_rows": rows,
        "lexicon_text": torch.frombuffer(text, dtype=torch.uint8),
        "next_row": torch.tensor([state.lexicon.next_row], dtype=torch.int64),
    }
    return save(tensors, {_META: canonical({name: identity[name] for name in FINGERPRINTED})})


def unpack(payload: bytes, identity: dict[str, Any]) -> State:
    """The state in a payload. Raises StateMismatch for another model's, StateCorrupt for a damaged one."""
    recorded = recorded_in(payload, _META)
    if recorded is None:
        raise StateCorrupt("the payload is not a state: no readable header")
    _refuse_other_models(recorded, identity)
    try:
        tensors = load(payload)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise StateCorrupt(f"the payload is truncated or malformed ({error})") from error
    shape, codec = identity["state_shape"], CODECS[identity["dtype"]]
    expected = codec.shapes((shape["layers"], shape["slots"], shape["width"]))
    memory = codec.unpack({name: _checked(tensors, name, *what) for name, what in expected.items()})
    if not bool(torch.isfinite(memory).all()):
        raise StateCorrupt("the memory holds numbers that are not finite", ["memory"])
    rows = _checked(tensors, "lexicon_rows", torch.int32, (MAX_ENTRIES,))
    text = _checked(tensors, "lexicon_text", torch.uint8, (_TEXT_BYTES,))
    counter = int(_checked(tensors, "next_row", torch.int64, (1,)))
    if len(tensors) != len(expected) + 3 or counter < 0:
        raise StateCorrupt("the payload holds unknown tensors or a negative counter")
    return State(memory, Lexicon(_entries(rows.tolist(), bytes(text.numpy()), shape["rows"]), counter))


def recorded_in(payload: bytes, entry: str) -> dict[str, Any] | None:
    """The JSON object under this entry of a payload's metadata; None where there is none."""
    try:
        size = int.from_bytes(payload[:8], "little")
        recorded = json.loads(json.loads(payload[8 : 8 + size])["__metadata__"][entry])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return recorded if isinstance(recorded, dict) else None


def _refuse_other_models(recorded: dict[str, Any], identity: dict[str, Any]) -> None:
    differing = [name for name in FINGERPRINTED if recorded.get(name) != identity[name]]
    if differing:
        details = "; ".join(f"{n}: state {recorded.get(n)!r}, model {identity[n]!r}" for n in differing)
        raise StateMismatch(f"the state is of another model ({details})", differing)


def _checked(tensors: dict[str, Tensor], name: str, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
    tensor = tensors.get(name)
    if tensor is None or tensor.dtype != dtype or tuple(tensor.shape) != shape:
        found = "missing" if tensor is None else f"{tensor.dtype} {tuple(tensor.shape)}"
        raise StateCorrupt(f"{name} is {found}, expected {dtype} {shape}", [name])
    return tensor


def _entries(rows: list[int], text: bytes, limit: int) -> dict[str, Entry]:
    used = [row for row in rows if row != _UNUSED]
    if rows[: len(used)] != used or any(not -1 <= row < limit for row in used):
        raise StateCorrupt("the lexicon's rows are out of range", ["lexicon_rows"])
    unknown = [row for row in used if row >= 0]
    try:
        words = text.rstrip(b"\0").decode("utf-8").split("\0") if used else []
    except UnicodeDecodeError as error:
        raise StateCorrupt("the lexicon's text is not UTF-8", ["lexicon_text"]) from error
    keys, surfaces = words[::2], words[1::2]
    if len(set(unknown)) != len(unknown) or len(keys) != len(used) or len(surfaces) != len(used):
        raise StateCorrupt("the lexicon's rows and words do not fit together", ["lexicon_rows", "lexicon_text"])
    if len(set(keys)) != len(keys) or not all(words):
        raise StateCorrupt("the lexicon has a word twice, or an empty one", ["lexicon_text"])
    return {k: Entry(s, r) for k, s, r in zip(keys, surfaces, used, strict=True)}
