"""Chat completions as OpenAI's clients send and read them. Fields that nobody here knows are passed over, as those
clients send many; those that change what the answer has to be are refused by `memos.chats.service.refuse`.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from memos.generation.wire import MAX_STOP
from memos.kit.schema import WHOLE, WITHOUT_NUL, Answer, AnyText, Body, Integer, UserId
from memos.turns.schemas import ReadMemory, StopText

MOST_MESSAGES = 10_000
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=WITHOUT_NUL)]


class ChatMessage(Body):
    model_config = ConfigDict(extra="allow")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: AnyText | list[dict[str, Any]] | None = Field(None, description="Text, or parts of which all are text.")


class StreamOptions(Body):
    model_config = ConfigDict(extra="allow")

    include_usage: bool | None = None


class ChatRequest(Body):
    """Only the last user message is a new turn; the messages before it say which conversation is meant."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={"examples": [{"model": "memos", "messages": [{"role": "user", "content": "Hello!"}]}]},
    )

    model: ModelName
    messages: list[ChatMessage] = Field(min_length=1, max_length=MOST_MESSAGES)
    user: UserId | None = Field(None, description="Whose memory it is; else the key's user, else the key itself.")
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1, le=2**31 - 1), WHOLE] | None = Field(
        None, description="More than the service gives is as many as it gives."
    )
    max_completion_tokens: Annotated[int, Field(ge=1, le=2**31 - 1), WHOLE] | None = Field(
        None, description="Its newer name."
    )
    temperature: float | None = Field(None, ge=0, le=2, description="Unset: 0, the likeliest answer.")
    top_p: float | None = Field(None, gt=0, le=1)
    stop: StopText | Annotated[list[StopText], Field(max_length=MAX_STOP)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), le=2**63 - 1), WHOLE] | None = None
    n: Annotated[int, Field(ge=1, le=128), WHOLE] | None = Field(None, description="1 alone is supported.")


class ChatUsage(Answer):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatMemory(Answer):
    """What a client that knows memos may want to know."""

    conversation_id: str
    turn_id: str
    seq: Integer
    state_version: int | None
    read: list[ReadMemory]


class AnsweredMessage(Answer):
    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(Answer):
    index: int = 0
    message: AnsweredMessage
    finish_reason: Literal["stop", "length"]
    logprobs: None = None


class ChatCompletion(Answer):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int = Field(description="Seconds since 1970.")
    model: str
    choices: list[Choice]
    usage: ChatUsage
    memos: ChatMemory


class ModelCard(Answer):
    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "memos"


class ModelCards(Answer):
    object: Literal["list"] = "list"
    data: list[ModelCard]
