"""The port the service talks to: asynchronous, states by reference. Tensors never pass through the API: a client is
given blob keys, and whoever computes reads and writes the blob store itself.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from memos.generation.engine import Difference, SlotRead, SlotWrite
from memos.kit.errors import Conflict, Invalid, Unavailable

FinishReason = Literal["stop", "length", "cancelled"]


class ModelUnavailable(Unavailable):
    """The model worker cannot be reached or is full."""

    code = "model_unavailable"


class EmbedderUnavailable(ModelUnavailable):
    """The embedding model cannot be loaded, or is not what it was."""

    code = "embedder_unavailable"
    hint = "Put the model back where it was, or set MEMOS_EMBEDDER to one that is there: memories are embedded anew."
    retry_after_s = 30.0


class StateUnreadable(Unavailable):
    """A stored memory state is missing or damaged."""

    code = "state_unreadable"
    hint = "Nothing was changed. Roll the conversation back to an earlier turn, or restore the blob store."

    def of_version(self, version_id: str) -> "StateUnreadable":
        """The same, naming whose state it is: the worker knows only a key."""
        return StateUnreadable(f"version {version_id}: {self.message}", **(self.details | {"version_id": version_id}))


class DeltaUnreadable(Unavailable):
    """A stored delta is missing or damaged."""

    code = "delta_unreadable"
    hint = "Archive the parameter cube that the detail names, which unmounts it, and ask for its delta anew."

    def of_cube(self, cube_ids: Sequence[str]) -> "DeltaUnreadable":
        """The same, naming what was mounted: the worker knows only keys."""
        return DeltaUnreadable(f"mounted {', '.join(cube_ids)}: {self.message}", **self.details)


class NothingToTeach(Invalid):
    """Nothing in these memories is a fact that the model can be asked for."""

    code = "nothing_to_teach"
    hint = "Choose memories that state facts, one a sentence, such as: My dog is called Biscuit."


class ModelMismatch(Conflict):
    """The conversation's memory was made by another model."""

    code = "model_mismatch"
    hint = "Serve the model the conversation is pinned to, or start a new conversation."

    @classmethod
    def between(cls, pinned: str, serving: str) -> "ModelMismatch":
        return cls(f"the memory was made by model {pinned[:12]}, and {serving[:12]} is serving")


class CannotFold(Conflict):
    """This model cannot say in facts what episodes hold."""

    code = "cannot_fold"
    hint = "Serve a generator that can, or leave episodes as they are."


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model answers, as stamped on every version it makes."""

    fingerprint: str
    start_sha256: str  # of the start state's payload, which is the same for every conversation
    start_bytes: int
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StateRef:
    """A state by reference. No key: the model's start state."""

    fingerprint: str
    sha256: str
    blob_key: str | None = None


@dataclass(frozen=True, slots=True)
class TensorsRef:
    """A payload of tensors that is no state, by reference."""

    sha256: str
    blob_key: str


@dataclass(frozen=True, slots=True)
class DeltaRef:
    """A delta by reference: what a model knows beyond its weights while it is mounted."""

    fingerprint: str
    sha256: str
    blob_key: str


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """One question to one state. `recalled` are texts found by recall, most relevant first; temperature 0 is greedy;
    `top_k` 0 and `top_p` 1 leave every token in the draw; the answer ends before the first of the `stop` texts;
    `deltas` are mounted for this answer alone. `notes` say when and by whom each recalled text was said, for generators
    that show it (`memos.generation.prompting`); the model worker is not sent them. `system` is what the application
    tells the generator, for this answer alone."""

    state: StateRef
    text: str
    recalled: Sequence[str] = ()
    max_tokens: int = 64
    temperature: float = 0.0
    seed: int | None = None
    top_k: int = 0
    top_p: float = 1.0
    stop: Sequence[str] = ()
    deltas: Sequence[DeltaRef] = ()
    notes: Sequence[str] = ()
    system: str = ""

    @property
    def told(self) -> Sequence[str]:
        """For a model that knows no messages: what it is told stands before what is recalled."""
        return (self.system, *self.recalled) if self.system else self.recalled


@dataclass(frozen=True, slots=True)
class DistilRequest:
    """A delta to be trained: `sources` oldest first, texts and states. The delta is written under `blob_key`. Equal
    sources, sizes and seed give equal bytes."""

    run_id: str
    sources: Sequence[str | StateRef]
    rank: int
    steps: int
    seed: int
    blob_key: str


@dataclass(frozen=True, slots=True)
class DistilProgress:
    step: int
    steps: int


@dataclass(frozen=True, slots=True)
class Distilled:
    """A delta, already durable in the blob store under the key that was asked for."""

    sha256: str
    size_bytes: int
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Token:
    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    reason: FinishReason
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Advanced:
    """A new state, already durable in the blob store under the key that was asked for, with the health of the memory
    and the slots that took the interaction in (see `memos.generation.engine.Step`)."""

    sha256: str
    size_bytes: int
    health: dict[str, float] = field(default_factory=dict)
    written: tuple[SlotWrite, ...] = ()


@dataclass(frozen=True, slots=True)
class Embedded:
    """`vectors` [n, dimensions], unit norm, in the order of the texts, perhaps read-only. `model` is the id of what
    made them (`memos.generation.encoder`): vectors are comparable only with those of the same id."""

    model: str
    dimensions: int
    vectors: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What a process that computes no longer holds. `max_age_s`: by when one that was not reached forgets by itself."""

    states: int
    max_age_s: float


class Generator(Protocol):
    """Every method may raise ModelUnavailable, StateUnreadable or ModelMismatch, and never anything half-done."""

    async def identity(self) -> ModelIdentity: ...

    def generate(self, request: GenerateRequest) -> AsyncGenerator[Token | Finished, None]:
        """Yields tokens, then exactly one Finished. Closing the generator early cancels the work."""
        ...

    async def advance(self, parent: StateRef, text: str, output: str, blob_key: str) -> Advanced: ...
    async def reads(
        self,
        state: StateRef,
        text: str,
        output: str,
        recalled: Sequence[str] = (),
        deltas: Sequence[DeltaRef] = (),
    ) -> tuple[SlotRead, ...]:
        """The slots read most while that state gave that answer, most first. Computed anew: no answer pays for it."""
        ...

    async def diff(self, before: StateRef, after: StateRef) -> Difference:
        """How far one state is from another of the same model, slot by slot."""
        ...

    async def diff_tensors(self, before: TensorsRef, after: TensorsRef) -> Difference:
        """How far the tensors of one payload are from those of another, by name."""
        ...

    async def merge(self, base: StateRef, ours: StateRef, theirs: StateRef, blob_key: str) -> Advanced:
        """Two states that came from `base` as one (see `memos.generation.engine.Engine.merge`)."""
        ...

    def distil(self, request: DistilRequest) -> AsyncGenerator[DistilProgress | Distilled, None]:
        """Trains a delta, at low priority, one at a time: yields progress, then exactly one Distilled. Asked again for
        the same run it goes on from where it was cut off. Closing the generator early stops the training. Raises
        NothingToTeach as well."""
        ...

    async def start_payload(self) -> bytes: ...
    async def embed(self, texts: Sequence[str], model: str | None = None, *, background: bool = False) -> Embedded:
        """By the model with this id or spec; None: the one in force. No texts: only says which model that is. What is
        for the `background` waits for all else. Raises EmbedderUnavailable for a model that is not there any more."""
        ...

    async def can_fold(self) -> bool:
        """Whether `fold` is there: most models only answer and remember."""
        ...

    async def fold(self, episodes: Sequence[str]) -> list[str]:
        """The facts that these episodes hold, one sentence each. Raises CannotFold."""
        ...

    async def forget(self, hashes: Sequence[str] | None) -> Forgotten:
        """Drops the states with these payload hashes from memory, or all, and waits for what was being computed."""
        ...

    async def health(self) -> dict[str, Any]: ...
    async def aclose(self) -> None: ...
