"""Users, their conversations, and what was said: each turn with what it read and wrote, and why."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from memos.console import store
from memos.console.pages import go, show
from memos.console.routing import ConsoleRoute
from memos.console.session import PATH
from memos.console.visitor import Acting, Visiting, filled
from memos.conversations.schemas import ForkRequest, RollbackRequest
from memos.http.deps import ConversationId, Cursor, TurnId
from memos.http.routes import conversations, cubes, timemachine, turns
from memos.kit.pages import decode_text, encode
from memos.kit.schema import WITHOUT_NUL
from memos.timemachine.schemas import MergeRequest

router = APIRouter(prefix=PATH, route_class=ConsoleRoute, include_in_schema=False)
PER_PAGE = 30
OfUser = Annotated[str | None, Query(max_length=200, pattern=WITHOUT_NUL)]


@router.get("/users")
async def users(request: Request, visitor: Visiting, name: OfUser = None, cursor: Cursor = None) -> Response:
    view = visitor.reader("users").tenant_id
    async with visitor.runtime.database.unit_of_work(view) as work:
        rows = await store.users(work, like=name or None, after=decode_text(cursor), limit=PER_PAGE + 1)
    more = encode(rows[PER_PAGE - 1]["user_id"]) if len(rows) > PER_PAGE else None
    return show(request, "users.html", users=rows[:PER_PAGE], name=name, cursor=more)


@router.get("/conversations")
async def listing(request: Request, visitor: Visiting, user_id: OfUser = None, cursor: Cursor = None) -> Response:
    page = await visitor.call(conversations.listing, user_id=user_id or None, limit=PER_PAGE, cursor=cursor)
    return show(request, "conversations.html", page=page, user_id=user_id)


@router.get("/conversations/{conversation_id}")
async def timeline(
    request: Request, visitor: Visiting, conversation_id: ConversationId, cursor: Cursor = None
) -> Response:
    """Newest first."""
    found = await visitor.call(conversations.get, conversation_id=conversation_id)
    said = await visitor.call(
        turns.listing, conversation_id=conversation_id, order="desc", limit=PER_PAGE, cursor=cursor
    )
    state = await visitor.call(cubes.get, cube_id=found.state_cube_id)
    more = request.headers.get("hx-request") is not None and cursor is not None
    template = "_turns.html" if more else "conversation.html"
    return show(request, template, conversation=found, state=state, page=said, cursor=cursor)


@router.get("/turns/{turn_id}")
async def turn(request: Request, visitor: Visiting, turn_id: TurnId) -> Response:
    found = await visitor.call(turns.get, turn_id=turn_id)
    conversation = await visitor.call(conversations.get, conversation_id=found.conversation_id)
    template = "_turn.html" if request.headers.get("hx-request") is not None else "turn.html"
    return show(request, template, turn=found, conversation=conversation)


@router.get("/turns/{turn_id}/why")
async def why(request: Request, visitor: Visiting, turn_id: TurnId) -> Response:
    """The explanation of an answer, computed when it is asked for."""
    told = await visitor.call(turns.explanation, turn_id=turn_id)
    found = await visitor.call(turns.get, turn_id=turn_id)
    recalled = {read.cube_id: read for read in found.memory.read}
    template = "_why.html" if request.headers.get("hx-request") is not None else "why.html"
    return show(request, template, told=told, turn=found, recalled=recalled)


@router.post("/conversations/{conversation_id}/rollback")
async def rollback(visitor: Acting, conversation_id: ConversationId) -> Response:
    body = filled(RollbackRequest, to_turn=visitor.number("to_turn"))
    await visitor.call(conversations.rollback, conversation_id=conversation_id, body=body, key=visitor.key)
    return go(f"{PATH}/conversations/{conversation_id}", "rolled-back")


@router.post("/conversations/{conversation_id}/fork")
async def fork(visitor: Acting, conversation_id: ConversationId) -> Response:
    body = filled(ForkRequest, at_turn=visitor.number("at_turn"), title=visitor.given("title"))
    made = await visitor.answer(conversations.fork, conversation_id=conversation_id, body=body, key=visitor.key)
    return go(f"{PATH}/conversations/{made['id']}", "forked")


@router.post("/conversations/{conversation_id}/merge")
async def merge(visitor: Acting, conversation_id: ConversationId) -> Response:
    body = filled(
        MergeRequest, from_conversation_id=visitor.given("from_conversation_id"), strategy=visitor.given("strategy")
    )
    await visitor.call(timemachine.merge_states, conversation_id=conversation_id, body=body, key=visitor.key)
    return go(f"{PATH}/conversations/{conversation_id}", "merging")
