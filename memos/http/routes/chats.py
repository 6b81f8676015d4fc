"""/v1/chat/completions and /v1/models: OpenAI's protocol"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse

from memos.access import service as access
from memos.chats import answers
from memos.chats.errors import UnknownModel
from memos.chats.messages import said
from memos.chats.requests import refuse, wanted_of
from memos.chats.schemas import ChatCompletion, ChatRequest, ModelCard, ModelCards
from memos.chats.service import ChatTurn
from memos.http.deps import App, IdempotencyKey, Reader, RuntimeDep, claim_for
from memos.http.openai_errors import body_of
from memos.kernel.access import Actor
from memos.kernel.canonical import canonical_json
from memos.keys.service import Principal
from memos.kit.actor import TenantView
from memos.kit.errors import MemosError
from memos.runtime import Runtime
from memos.turns.run import TurnRun
from memos.turns.schemas import Turn

PATH = "/v1/chat/completions"
router = APIRouter(tags=["chats"])
KEEPALIVE_S = 15.0
EVENT_STREAM = {
    "text/event-stream": {
        "schema": {"type": "string", "description": "`data:` lines of chat.completion.chunk objects, then `[DONE]`."}
    }
}
OPENAI_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": "string"},
            },
        }
    },
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route may answer with beside its answer, in OpenAI's shape, for the OpenAPI document."""
    content = {"application/json": {"schema": OPENAI_ERROR}}
    return {status: {"description": "An error in OpenAI's shape", "content": content} for status in statuses}


ConversationHeader = Annotated[
    str | None,
    Header(
        alias="X-Memos-Conversation",
        pattern=r"^conv_[0-9a-f]{32}$",
        description="Go on in this conversation; the messages before the last one are then not looked at.",
    ),
]


@router.post(
    "/v1/chat/completions",
    response_model=ChatCompletion,
    responses={200: {"content": EVENT_STREAM}, **errors(400, 401, 403, 404, 409, 410, 413, 429, 502, 503)},
)
async def complete(
    request: Request,
    runtime: RuntimeDep,
    caller: App,
    body: ChatRequest,
    key: IdempotencyKey = None,
    conversation: ConversationHeader = None,
) -> Response:
    """A chat completion with memory, as OpenAI's clients ask for one. Only the last user message is a new turn; the
    messages before it say which conversation goes on, or where it forks. With `stream`: chunks, as an event stream."""
    refuse(body)
    model = await _known_model(runtime, body.model)
    asked = _asked(request, runtime, caller, body, key, conversation)
    begun = await runtime.chats.begin(asked)
    told = _Told(model, bool(body.stream_options and body.stream_options.include_usage))
    turn_id, place = (begun.turn_id, begun.conversation_id) if isinstance(begun, TurnRun) else (begun.id, None)
    headers = {"X-Memos-Turn": turn_id, "X-Memos-Conversation": place or begun.conversation_id}
    if body.stream:
        pieces = _chunks(request, runtime, asked, begun, told)
        return StreamingResponse(pieces, 200, headers, "text/event-stream")
    turn = begun if isinstance(begun, Turn) else await _finished(request, runtime, asked, begun)
    return Response(answers.completion(turn, model).model_dump_json(), 200, headers, "application/json")


@dataclass(frozen=True, slots=True)
class _Told:
    """What every chunk says, and whether the last one says what it cost."""

    model: str
    usage: bool


def _asked(
    request: Request, runtime: Runtime, caller: Principal, body: ChatRequest, key: str | None, conversation: str | None
) -> ChatTurn:
    user_id = body.user or caller.actor.user_id or caller.key_id
    caller = access.acting(caller, user_id if body.user else None, None)  # a key of one user asks for no other
    agent_id = caller.actor.agent_id
    # Bound as that user, whoever asks: the database keeps one user's conversations from another.
    actor = Actor("person", user_id, agent_id, caller.actor.roles)
    retries = request.headers.get("x-stainless-retry-count", "")
    digest = runtime.keys.digest_of
    whole = [user_id, agent_id, conversation, body.model_dump(mode="json", exclude_none=True)]
    spoken = said(body.messages, digest, user_id=user_id, agent_id=agent_id)
    return ChatTurn(
        tenant_id=TenantView(str(caller.tenant_id), actor, request.state.recording),
        user_id=user_id,
        agent_id=agent_id,
        said=spoken,
        wanted=wanted_of(body, spoken),
        claim=claim_for(request, runtime, key, body),
        request=digest(canonical_json(["chat request", *whole])),
        by=caller.key_id,
        conversation_id=conversation,
        retries=int(retries) if retries.isdecimal() and len(retries) < 4 else None,
    )


async def _finished(request: Request, runtime: Runtime, asked: ChatTurn, run: TurnRun) -> Turn:
    """The outcome. A client that leaves may come back with the same request: the turn goes on."""
    gone = asyncio.create_task(_disconnected(request))
    try:
        waiting: set[asyncio.Future[Any]] = {run.outcome, gone}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not run.outcome.done():
            await runtime.chats.lost(asked.tenant_id, run.turn_id)
        return Turn.model_validate_json((await run.outcome).body)
    finally:
        gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _chunks(
    request: Request, runtime: Runtime, asked: ChatTurn, begun: TurnRun | Turn, told: _Told
) -> AsyncIterator[bytes]:
    turn_id = begun.turn_id if isinstance(begun, TurnRun) else begun.id
    delivered = False
    try:
        yield _data(answers.chunk(turn_id, begun.created_at, told.model, {"role": "assistant", "content": ""}))
        async for piece in _pieces(begun):
            if piece is None:
                yield b": still thinking\n\n"
            else:
                yield _data(answers.chunk(turn_id, begun.created_at, told.model, {"content": piece}))
        turn = begun if isinstance(begun, Turn) else Turn.model_validate_json((await begun.outcome).body)
        yield _data(answers.last_chunk(turn, told.model))
        if told.usage:
            yield _data(answers.usage_chunk(turn, told.model))
        yield b"data: [DONE]\n\n"
        delivered = True
    except MemosError as error:
        delivered = True
        yield _data(body_of(error))
    finally:
        if not delivered:  # cancelled: what is to be noted is noted by somebody who is not
            runtime.chats.note_lost(asked.tenant_id, turn_id)


async def _pieces(begun: TurnRun | Turn) -> AsyncIterator[str | None]:
    """What is said, as it is; None now and then while nothing is."""
    if isinstance(begun, Turn):
        yield begun.output or ""
        return
    while True:
        try:
            piece = await asyncio.wait_for(begun.tokens.get(), KEEPALIVE_S)
        except TimeoutError:
            yield None
            continue
        if piece is None:
            return
        yield piece


def _data(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value, separators=(',', ':'))}\n\n".encode()


async def _models(runtime: Runtime) -> list[str]:
    details = (await runtime.generator.identity()).details
    return list(dict.fromkeys(["memos", str(details.get("model", "memos"))]))


async def _known_model(runtime: Runtime, name: str) -> str:
    if name not in (names := await _models(runtime)):
        raise UnknownModel(f"there is no model {name!r}; there is {', '.join(names)}", param="model")
    return name


@router.get("/v1/models", responses=errors(401, 403, 503))
async def listing(runtime: RuntimeDep, caller: Reader) -> ModelCards:
    """The names by which the serving model may be asked for."""
    return ModelCards(data=[ModelCard(id=name, created=0) for name in await _models(runtime)])
