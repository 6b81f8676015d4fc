"""What a stateful generator must be able to do, in plain types. `models.engine.RxtEngine` fits it by structure alone
(neural code imports nothing from memos); `memos.generation.echo.EchoEngine` is the shipped fake. State goes in, state
comes out: an engine keeps no conversation between calls and may be called from several threads at once.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable


class StateRejected(Exception):
    """A state payload cannot be used: truncated, tampered with, or of another model. `fields` names what differs."""

    def __init__(self, message: str, fields: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.fields = tuple(fields)


class Finish(Protocol):
    """How a generation ended; lengths in tokens."""

    @property
    def reason(self) -> str: ...  # stop | length | cancelled
    @property
    def prompt_tokens(self) -> int: ...
    @property
    def completion_tokens(self) -> int: ...


S = TypeVar("S")
MOST_READ = 16  # slots that `Engine.reads` names


@dataclass(frozen=True, slots=True)
class SlotWrite:
    """What one slot of the memory took in at one step."""

    layer: int
    slot: int
    gate: float  # how much of the slot was replaced: 0 nothing, 1 all of it
    words: tuple[str, ...]  # of the interaction, those it took in most, most first: text of the user


@dataclass(frozen=True, slots=True)
class SlotRead:
    """How much of what an answer read from the conversation's own memory came from one slot."""

    layer: int
    slot: int
    share: float  # 0..1, a mean over the answer's tokens


@dataclass(frozen=True, slots=True)
class TensorChange:
    """How far one tensor is from another of the same name; Euclidean norms, 0 for one that is not there."""

    name: str
    norm: float  # of the difference
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class SlotDrift:
    """How far one slot moved: the norm of the difference, and that norm against the slot's own before."""

    layer: int
    slot: int
    norm: float
    drift: float


@dataclass(frozen=True, slots=True)
class Difference:
    """Both lists begin with what changed most; slots that did not move are left out."""

    tensors: tuple[TensorChange, ...]
    slots: tuple[SlotDrift, ...] = ()


@dataclass(frozen=True, slots=True)
class Step(Generic[S]):
    """A state that has taken one interaction in.

    `health` are figures of the new memory beside its parent. Every engine gives `slot_diversity`, `gate_mean`,
    `drift`, `distance_to_start` and `collapsed` (above 0 when slots have come to hold the same, which is an alarm),
    and may give more. `written` are the slots that this interaction is to be found in, most first, as the
    engine judges it: a slot that was only brushed is left out, so that the last step to name a slot is where its
    content is from.
    """

    state: S
    health: dict[str, float] = field(default_factory=dict)
    written: tuple[SlotWrite, ...] = ()


@runtime_checkable
class Folds(Protocol):
    """An engine that can also say in facts, a sentence each, what episodes hold."""

    def fold(self, episodes: Sequence[str]) -> list[str]: ...


class Engine(Protocol[S]):
    """One loaded model. `S` is its own immutable state type."""

    @property
    def identity(
        self,
    ) -> dict[str, Any]: ...  # JSON-able: model, weights_sha256, tokenizer_sha256, dtype, state_shape, numerics
    @property
    def fingerprint(self) -> str: ...  # sha256 hex over the parts of `identity` that a state must match

    def start_state(self) -> S: ...
    def load_state(self, payload: bytes) -> S: ...  # raises on a payload that is not a state of this model
    def load_delta(self, payload: bytes) -> Any: ...  # the same, of a delta
    def dump_state(self, state: S) -> bytes: ...  # equal states give equal bytes (safetensors)

    def generate(
        self,
        state: S,
        text: str,
        *,
        recalled: Sequence[str] = (),
        deltas: Sequence[Any] = (),
        max_tokens: int = 64,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int | None = None,
        stop: Sequence[str] = (),
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Generator[str, None, Finish]:
        """Temperature 0 is greedy; `top_k` 0 and `top_p` 1 leave every token in the draw. The answer ends before the
        first of the `stop` texts, with reason `stop`; no piece that is yielded holds any part of that text. `deltas` of
        `load_delta` change this answer and nothing else: no state depends on them."""
        ...

    def advance(self, state: S, text: str, output: str) -> Step[S]: ...

    def reads(
        self, state: S, text: str, output: str, recalled: Sequence[str] = (), deltas: Sequence[Any] = ()
    ) -> Sequence[SlotRead]:
        """The slots of `state` read most while `output` is given as the answer, most first, at most `MOST_READ`."""
        ...

    def diff(self, before: S, after: S) -> Difference: ...

    def merge(self, base: S, ours: S, theirs: S) -> Step[S]:
        """Slot by slot the mean of two states that both came from `base`, weighted by how far each drifted from it: a
        slot that one of them left alone is the other's. `health` is that of the result beside `ours`."""
        ...
