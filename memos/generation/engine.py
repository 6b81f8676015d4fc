"""What a stateful generator must be able to do, in plain types. `models.engine.RxtEngine` fits it by structure alone
(neural code imports nothing from memos); `memos.generation.echo.EchoEngine` is the shipped fake. State goes in, state
comes out: an engine keeps no conversation between calls and may be called from several threads at once.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Any, Protocol, TypeVar


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
    def dump_state(self, state: S) -> bytes: ...  # equal states give equal bytes (safetensors)

    def generate(
        self,
        state: S,
        text: str,
        *,
        recalled: Sequence[str] = (),
        max_tokens: int = 64,
        temperature: float = 0.0,
        seed: int | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Generator[str, None, Finish]: ...

    def advance(self, state: S, text: str, output: str) -> S: ...
    def health(self, parent: S, state: S) -> dict[str, float]: ...
