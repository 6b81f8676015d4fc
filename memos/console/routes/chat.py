"""A chat with the memory of a user: to try what was remembered. A turn here is a turn like any other."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from memos.console import store
from memos.console.pages import go, show
from memos.console.routing import ConsoleRoute
from memos.console.session import PATH
from memos.console.visitor import Acting, Visiting, filled
from memos.conversations.schemas import ConversationCreate
from memos.http.deps import ConversationId, TurnId
from memos.http.routes import conversations, turns
from memos.kit.schema import WITHOUT_NUL
from memos.turns.schemas import TurnCreate

router = APIRouter(prefix=PATH, route_class=ConsoleRoute, include_in_schema=False)
SHOWN = 30
NAMED = 50
RECENT = 12
OfUser = Annotated[str | None, Query(max_length=200, pattern=WITHOUT_NUL)]


@router.get("/chat")
async def begin(request: Request, visitor: Visiting, user_id: OfUser = None) -> Response:
    view = visitor.reader("users").tenant_id
    async with visitor.runtime.database.unit_of_work(view) as work:
        known = await store.users(work, like=None, after=None, limit=NAMED)
    recent = await visitor.call(conversations.listing, user_id=user_id or None, limit=RECENT, cursor=None)
    return show(request, "chat_begin.html", users=known, user_id=user_id, recent=recent)


@router.post("/chat")
async def begun(visitor: Acting) -> Response:
    body = filled(
        ConversationCreate, user_id=visitor.given("user_id"), agent_id=visitor.given("agent_id"),
        title=visitor.given("title"),
    )  # fmt: skip
    made = await visitor.answer(conversations.create, body=body, key=visitor.key)
    return go(f"{PATH}/chat/{made['id']}")


@router.get("/chat/{conversation_id}")
async def chat(request: Request, visitor: Visiting, conversation_id: ConversationId) -> Response:
    found = await visitor.call(conversations.get, conversation_id=conversation_id)
    said = await visitor.call(turns.listing, conversation_id=conversation_id, order="desc", limit=SHOWN, cursor=None)
    standing = [turn for turn in reversed(said.items) if turn.status not in ("superseded", "erased")]
    return show(request, "chat.html", conversation=found, turns=standing, more=said.next_cursor is not None)


@router.post("/chat/{conversation_id}")
async def say(visitor: Acting, conversation_id: ConversationId) -> Response:
    """With `stream` the events of the turn as REST sends them; else the page again, with the answer in it."""
    stream = visitor.given("stream") == "yes"
    body = filled(
        TurnCreate, input=visitor.form.get("input", ""), stream=stream, max_tokens=visitor.number("max_tokens")
    )
    answer = await visitor.call(turns.take, conversation_id=conversation_id, body=body, key=visitor.key)
    return answer if stream else go(f"{PATH}/chat/{conversation_id}", "said")


@router.post("/turns/{turn_id}/cancel")
async def cancel(visitor: Acting, turn_id: TurnId) -> Response:
    await visitor.call(turns.cancel, turn_id=turn_id)
    return Response(status_code=204)
