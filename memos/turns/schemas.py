"""Turns over REST."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from memos.generation.wire import MAX_STOP, MAX_STOP_CHARS
from memos.kernel.turn import TurnStatus
from memos.kit.schema import WHOLE, WITHOUT_NUL, Answer, AnyText, Body, Integer, Moment, Text, shown

MAX_TOP_K = 1_000_000  # more than any vocabulary
MAX_SYSTEM_CHARS = 32_000
StopText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_STOP_CHARS, pattern=WITHOUT_NUL)]


class Recall(Body):
    top_k: Integer = Field(5, ge=0, le=100, description="At most so many memories; 0 switches recall off.")


class TurnCreate(Body):
    model_config = shown({"input": "My dog is called Biscuit.", "consistency": "latest", "max_tokens": 32})

    input: Text
    stream: bool = False
    recall: Recall = Recall(top_k=5)
    consistency: Literal["latest", "eventual"] = Field(
        "latest", description="latest: the answer has seen every earlier turn. eventual: it may lag, and says how far."
    )
    min_version: Annotated[int, Field(ge=0, le=2**31 - 1), WHOLE] | None = Field(
        None, description="Do not read a state older than this one."
    )
    max_tokens: Integer = Field(64, ge=1, le=1024)
    temperature: float = Field(0.0, ge=0, le=2)
    top_k: Annotated[int, Field(ge=1, le=MAX_TOP_K), WHOLE] | None = Field(
        None, description="Draw from the so many likeliest tokens only. Temperature 0 takes the likeliest anyway."
    )
    top_p: float | None = Field(
        None, gt=0, le=1, description="Draw from the likeliest tokens that together have this probability only."
    )
    stop: list[StopText] | None = Field(
        None, max_length=MAX_STOP, description="The answer ends before the first of these texts."
    )
    seed: Annotated[int, Field(ge=0, le=2**53 - 1), WHOLE] | None = None
    system: Annotated[str, StringConstraints(max_length=MAX_SYSTEM_CHARS, pattern=WITHOUT_NUL)] = Field(
        "", description="What the generator is told for this answer alone: nothing of it is remembered."
    )


RecallHow = Literal["hybrid", "words", "off", "failed"]


class ReadMemory(Answer):
    cube_id: str
    version: int
    text: str | None
    score: float | None


class TurnMemory(Answer):
    read: list[ReadMemory] = Field(description="Recalled plaintext memories, the most relevant first.")
    recall: RecallHow | None = Field(
        None,
        description="hybrid: by meaning and words. words: by words alone, some or all vectors were not to be had. "
        "off: not asked for. failed: the turn was answered without. Null: not answered yet, or taken over as it was.",
    )
    recall_error: str | None = Field(None, description="The code of what kept recall from being hybrid.")
    state_version: int | None = Field(description="The version of the conversation's state that the answer read.")
    lag: int | None = Field(description="Earlier turns that the state had not yet taken in.")
    written_version: int | None = Field(None, description="The state version this turn became; null until applied.")


class Usage(Answer):
    prompt_tokens: int
    completion_tokens: int


class Turn(Answer):
    id: str
    conversation_id: str
    seq: int
    status: TurnStatus
    input: str
    output: str | None
    finish_reason: Literal["stop", "length", "cancelled"] | None
    memory: TurnMemory
    usage: Usage | None
    timings_ms: dict[str, float]
    created_at: datetime
    error: dict[str, Any] | None = None


class ImportedTurn(Body):
    input: Text
    output: AnyText
    created_at: Moment | None = Field(None, description="When it was said; kept as given.")


class TurnImport(Body):
    model_config = shown(
        {"turns": [{"input": "Hello.", "output": "Hello!", "created_at": "2026-01-31T12:00:00+01:00"}]}
    )

    turns: list[ImportedTurn] = Field(min_length=1, max_length=1000)


class Imported(Answer):
    turns: list[Turn]


class VersionRead(Answer):
    """Of a state (rank 0), a recalled memory, or a delta; ranks count from 1 for each kind of the latter two."""

    version_id: str
    cube_id: str
    number: int
    kind: str
    rank: int
    score: float | None
    text: str | None = Field(None, description="What a recalled memory said; null for the others, and once erased.")
    signals: dict[str, float] | None = Field(None, description="Of a recalled memory: the parts of its score.")


class SlotOrigin(Answer):
    """The turn that last wrote a slot, and with which words."""

    turn_id: str
    seq: int
    version_id: str
    version: int
    gate: float = Field(description="How much of the slot was replaced, 0 to 1.")
    words: list[str] = Field(description="Of what was said, those the slot took in most; the first most.")


class ReadSlot(Answer):
    """A slot of the memory that an answer read."""

    layer: int
    slot: int
    share: float = Field(description="Of all that the answer read from the memory, a mean over its tokens.")
    written_at: SlotOrigin | None = Field(description="Null for a slot that no turn wrote to speak of.")


class SlotsUnavailable(Answer):
    """Why it cannot be said now which slots an answer read."""

    code: str
    detail: str


class Explanation(Answer):
    """What an answer came from, and what it became."""

    turn_id: str
    seq: int
    status: TurnStatus
    read: list[VersionRead]
    wrote: VersionRead | None
    lag: int | None
    finish_reason: str | None
    timings_ms: dict[str, float]
    state_turns: list[int] = Field(description="The seqs of the turns that the state it read had taken in.")
    model: str = Field(description="Fingerprint of the model that answered.")
    slots: list[ReadSlot] | None = Field(
        None, description="The slots of the memory that were read most, most first; computed anew by the model."
    )
    slots_unavailable: SlotsUnavailable | None = Field(None, description="Why `slots` is null.")
