"""What the model worker and its client say to each other, once for both sides.

Errors before any result are problem documents with the HTTP status of their class; errors after the first token are an
`error` event with the same document. `code` says which class of error to raise again on the other side.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote, unquote

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from memos.generation.encoder import MAX_DIMENSIONS, MAX_MODEL_CHARS
from memos.generation.engine import SlotDrift, SlotRead, SlotWrite, TensorChange
from memos.generation.pool import QueueFull
from memos.generation.port import (
    CannotFold,
    DeltaRef,
    DeltaUnreadable,
    DistilRequest,
    Embedded,
    EmbedderUnavailable,
    FinishReason,
    GenerateRequest,
    ModelMismatch,
    ModelUnavailable,
    NothingToTeach,
    StateRef,
    StateUnreadable,
    TensorsRef,
)
from memos.kit.errors import Invalid, MemosError, TooLarge

FINGERPRINT_HEADER = "memos-model-fingerprint"
EMBEDDER_HEADER = "memos-embedder"  # an id, percent-encoded: folders may have any name
DIMENSIONS_HEADER = "memos-dimensions"
MAX_TEXT_CHARS = 1_000_000
MAX_RECALLED = 1_000
MAX_TOKENS = 8_192
MAX_STOP = 4
MAX_STOP_CHARS = 200
MAX_EMBED_TEXTS = 256
MAX_FOLD_EPISODES = 64
MAX_FORGET = 10_000
MAX_DELTAS = 8
MAX_SOURCES = 200
MAX_BODY_BYTES = 32 * 1024 * 1024
# What may be raised again on the other side.
KNOWN: tuple[type[MemosError], ...] = (
    ModelMismatch, CannotFold, StateUnreadable, DeltaUnreadable, NothingToTeach, QueueFull, EmbedderUnavailable,
    ModelUnavailable, Invalid, TooLarge,
)  # fmt: skip
# What an error may carry across.
DETAILS = frozenset({"fields", "model_fingerprint", "blob_key"})

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
# Plain path segments that do not start with a dot: a key can never leave the blob store's folder.
BlobKey = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.=-]*(/[A-Za-z0-9_][A-Za-z0-9_.=-]*)*$", max_length=500)
]
StopText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_STOP_CHARS)]
LongText = Annotated[str, StringConstraints(max_length=MAX_TEXT_CHARS)]


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StateBody(Message):
    fingerprint: str
    sha256: Sha256
    blob_key: BlobKey | None = None

    def ref(self) -> StateRef:
        return StateRef(self.fingerprint, self.sha256, self.blob_key)


class DeltaBody(Message):
    fingerprint: str
    sha256: Sha256
    blob_key: BlobKey

    def ref(self) -> DeltaRef:
        return DeltaRef(self.fingerprint, self.sha256, self.blob_key)


class GenerateBody(Message):
    state: StateBody
    text: LongText
    recalled: list[LongText] = Field(default_factory=list, max_length=MAX_RECALLED)
    max_tokens: int = Field(64, ge=1, le=MAX_TOKENS)
    temperature: float = Field(0.0, ge=0.0, le=10.0, allow_inf_nan=False)
    seed: int | None = None
    top_k: int = Field(0, ge=0)
    top_p: float = Field(1.0, gt=0.0, le=1.0)
    stop: list[StopText] = Field(default_factory=list, max_length=MAX_STOP)
    deltas: list[DeltaBody] = Field(default_factory=list, max_length=MAX_DELTAS)

    def request(self) -> GenerateRequest:
        return GenerateRequest(
            self.state.ref(),
            self.text,
            tuple(self.recalled),
            self.max_tokens,
            self.temperature,
            self.seed,
            self.top_k,
            self.top_p,
            tuple(self.stop),
            tuple(delta.ref() for delta in self.deltas),
        )


class DistilBody(Message):
    """`sources` are texts, and states by reference."""

    run_id: Annotated[str, StringConstraints(pattern=r"^run_[0-9a-f]{32}$")]
    sources: list[LongText | StateBody] = Field(min_length=1, max_length=MAX_SOURCES)
    rank: int = Field(ge=1, le=64)
    steps: int = Field(ge=1, le=10_000)
    seed: int = Field(ge=0, lt=2**63)
    blob_key: BlobKey

    def request(self) -> DistilRequest:
        sources = tuple(source if isinstance(source, str) else source.ref() for source in self.sources)
        return DistilRequest(self.run_id, sources, self.rank, self.steps, self.seed, self.blob_key)


class AdvanceBody(Message):
    parent: StateBody
    text: LongText
    output: LongText
    blob_key: BlobKey


class ReadsBody(Message):
    state: StateBody
    text: LongText
    output: LongText
    recalled: list[LongText] = Field(default_factory=list, max_length=MAX_RECALLED)
    deltas: list[DeltaBody] = Field(default_factory=list, max_length=MAX_DELTAS)


class ForgetBody(Message):
    """States to drop from memory, by the hash of their payload; null: all of them."""

    hashes: list[Sha256] | None = Field(max_length=MAX_FORGET)


class DiffBody(Message):
    before: StateBody
    after: StateBody


class TensorsBody(Message):
    sha256: Sha256
    blob_key: BlobKey

    def ref(self) -> TensorsRef:
        return TensorsRef(self.sha256, self.blob_key)


class DiffTensorsBody(Message):
    before: TensorsBody
    after: TensorsBody


class MergeBody(Message):
    base: StateBody
    ours: StateBody
    theirs: StateBody
    blob_key: BlobKey


class EmbedBody(Message):
    """Answered with the vectors as they lie in memory, float32 little-endian, row after row, and two headers."""

    texts: list[LongText] = Field(max_length=MAX_EMBED_TEXTS)
    model: Annotated[str, StringConstraints(max_length=MAX_MODEL_CHARS)] | None = None
    background: bool = False


class FoldBody(Message):
    episodes: list[LongText] = Field(max_length=MAX_FOLD_EPISODES)


class FoldedAnswer(Message):
    facts: list[str]


class TokenEvent(Message):
    text: str


class DoneEvent(Message):
    reason: FinishReason
    prompt_tokens: int
    completion_tokens: int


class ProgressEvent(Message):
    step: int
    steps: int


class DistilledEvent(Message):
    sha256: Sha256
    size_bytes: int
    figures: dict[str, float]


class ErrorEvent(Message):
    """A problem document, as an event."""

    model_config = ConfigDict(extra="allow", frozen=True)

    code: str
    detail: str
    context: dict[str, Any] = Field(default_factory=dict)
    retry_after_s: float | None = None


class AdvancedAnswer(Message):
    sha256: Sha256
    size_bytes: int
    health: dict[str, float]
    written: list[SlotWrite]


class ReadsAnswer(Message):
    slots: list[SlotRead]


class ForgottenAnswer(Message):
    states: int
    max_age_s: float


class DifferenceAnswer(Message):
    tensors: list[TensorChange]
    slots: list[SlotDrift]


class HealthAnswer(Message):
    """`active` computations run, `waiting` ones queue; beyond `limit` of both the worker answers 503."""

    status: Literal["ok"]
    identity: dict[str, Any]
    fingerprint: str
    start_sha256: Sha256
    start_bytes: int
    active: int
    waiting: int
    limit: int
    cache: dict[str, int]
    deltas: dict[str, int]
    folds: bool
    embedder: dict[str, Any]


def vectors_answer(embedded: Embedded) -> tuple[memoryview, dict[str, str]]:
    """Body and headers; nothing is copied where the vectors lie in order and little-endian, as they do."""
    plain = np.ascontiguousarray(embedded.vectors, dtype="<f4")
    headers = {EMBEDDER_HEADER: quote(embedded.model, safe=""), DIMENSIONS_HEADER: str(embedded.dimensions)}
    return plain.reshape(-1).data.cast("B"), headers


def vectors_of(body: bytes, headers: Mapping[str, str], texts: int) -> Embedded:
    """The other way; the vectors are a read-only view of the body. Raises ValueError for what is not an answer."""
    model, dimensions = unquote(headers.get(EMBEDDER_HEADER, "")), int(headers.get(DIMENSIONS_HEADER, ""))
    if not model or not 0 < dimensions <= MAX_DIMENSIONS or len(body) != texts * dimensions * 4:
        raise ValueError(f"{len(body)} bytes are not {texts} vectors of {dimensions} dimensions by {model!r}")
    return Embedded(model, dimensions, np.frombuffer(body, dtype="<f4").reshape(texts, dimensions))


def problem_of(error: MemosError) -> dict[str, Any]:
    """The problem document, with what differs named at the top level."""
    return error.problem() | {"fields": list(error.details.get("fields", [])), "retry_after_s": error.retry_after_s}


def error_of(problem: ErrorEvent) -> MemosError:
    """The error that a problem document stands for. A code we do not know means the worker failed."""
    details = {name: value for name, value in problem.context.items() if name in DETAILS}
    for known in KNOWN:
        if problem.code == known.code:
            return known(problem.detail, retry_after_s=problem.retry_after_s, **details)
    return ModelUnavailable(f"the model worker failed: {problem.detail}", retry_after_s=problem.retry_after_s)
