"""Which fields of a chat request are used, and which are refused because the answer would silently not be what was
asked for. All others are passed over: docs/openai.md lists the three.
"""

from collections.abc import Callable
from typing import Any

from memos.chats.errors import Unsupported
from memos.chats.messages import Said
from memos.chats.schemas import ChatRequest
from memos.turns.schemas import MAX_SYSTEM_CHARS, TurnCreate

MOST_TOKENS = 1024  # of one turn
# Whether a value asks for something that is not done here.
REFUSED: dict[str, Callable[[Any], bool]] = {
    "tools": bool,
    "functions": bool,
    "logprobs": bool,
    "top_logprobs": bool,
    "logit_bias": bool,
    "audio": bool,
    "modalities": lambda value: value not in (None, [], ["text"]),
    "response_format": lambda value: isinstance(value, dict) and value.get("type") != "text",
    "web_search_options": lambda value: value is not None,
}


def refuse(body: ChatRequest) -> None:
    """Raises Unsupported."""
    if body.n is not None and body.n != 1:
        raise Unsupported("n is more than 1: one turn has one answer", param="n")
    for name, asks in REFUSED.items():
        if asks((body.model_extra or {}).get(name)):
            raise Unsupported(f"{name} is not supported", param=name)


def wanted_of(body: ChatRequest, spoken: Said) -> TurnCreate:
    """The turn that a request asks for. Raises Unsupported for system messages beyond what a turn takes."""
    if len(spoken.system) > MAX_SYSTEM_CHARS:
        raise Unsupported(f"the system messages have more than {MAX_SYSTEM_CHARS} characters", param="messages")
    most = body.max_completion_tokens or body.max_tokens or MOST_TOKENS
    return TurnCreate(
        input=spoken.input,
        system=spoken.system,
        max_tokens=min(most, MOST_TOKENS),
        temperature=body.temperature or 0.0,
        top_p=body.top_p,
        stop=[body.stop] if isinstance(body.stop, str) else body.stop,
        seed=None if body.seed is None else body.seed % 2**53,
    )
