"""A turn as a chat completion, whole or in chunks. A turn that was stopped ends as any other does: the protocol has no
word for it.
"""

from datetime import datetime
from typing import Any, Literal

from memos.chats.schemas import AnsweredMessage, ChatCompletion, ChatMemory, ChatUsage, Choice
from memos.turns.schemas import Turn


def completion(turn: Turn, model: str) -> ChatCompletion:
    message = AnsweredMessage(content=turn.output or "")
    return ChatCompletion(
        id=_id(turn.id),
        created=_seconds(turn.created_at),
        model=model,
        choices=[Choice(message=message, finish_reason=_reason(turn))],
        usage=_usage(turn),
        memos=_memory(turn),
    )


def chunk(
    turn_id: str, created_at: datetime, model: str, delta: dict[str, str], reason: str | None = None
) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    return _frame(turn_id, created_at, model) | {"choices": [choice]}


def last_chunk(turn: Turn, model: str) -> dict[str, Any]:
    """Sent once the turn is committed; what came before it was provisional."""
    end = chunk(turn.id, turn.created_at, model, {}, _reason(turn))
    return end | {"memos": _memory(turn).model_dump(mode="json")}


def usage_chunk(turn: Turn, model: str) -> dict[str, Any]:
    return _frame(turn.id, turn.created_at, model) | {"choices": [], "usage": _usage(turn).model_dump()}


def _frame(turn_id: str, created_at: datetime, model: str) -> dict[str, Any]:
    return {"id": _id(turn_id), "object": "chat.completion.chunk", "created": _seconds(created_at), "model": model}


def _id(turn_id: str) -> str:
    return f"chatcmpl-{turn_id}"


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _reason(turn: Turn) -> Literal["stop", "length"]:
    return "length" if turn.finish_reason == "length" else "stop"


def _usage(turn: Turn) -> ChatUsage:
    prompt, made = (turn.usage.prompt_tokens, turn.usage.completion_tokens) if turn.usage else (0, 0)
    return ChatUsage(prompt_tokens=prompt, completion_tokens=made, total_tokens=prompt + made)


def _memory(turn: Turn) -> ChatMemory:
    return ChatMemory(
        conversation_id=turn.conversation_id,
        turn_id=turn.id,
        seq=turn.seq,
        state_version=turn.memory.state_version,
        read=turn.memory.read,
    )
