"""/v1/conversations/{id}/turns and /v1/turns/{id}"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from memos.http.deps import (
    App,
    ConversationId,
    Cursor,
    IdempotencyKey,
    Limit,
    Reader,
    RuntimeDep,
    TurnId,
    claim_for,
    problems,
)
from memos.http.problems import problem_of
from memos.http.stored import stored_response
from memos.idempotency.service import StoredAnswer, once
from memos.kit.errors import MemosError
from memos.kit.schema import Page
from memos.kit.wakeups import OUTBOX
from memos.turns import history, store
from memos.turns.errors import StillStopping, TurnEnded
from memos.turns.explanation import explain
from memos.turns.run import TurnRun
from memos.turns.schemas import Explanation, Imported, Turn, TurnCreate, TurnImport

router = APIRouter(tags=["turns"])
KEEPALIVE_S = 15.0
CANCEL_WAIT_S = 5.0


EVENT_STREAM = {
    "text/event-stream": {
        "schema": {
            "type": "object",
            "description": "One event: `token` (`{text}`), then `done` (the turn) or `error` (a problem document).",
            "properties": {
                "event": {"enum": ["token", "done", "error"]},
                "data": {"type": "string", "contentMediaType": "application/json"},
            },
            "required": ["event", "data"],
            "additionalProperties": False,
        }
    }
}


@router.post(
    "/v1/conversations/{conversation_id}/turns",
    status_code=201,
    response_model=Turn,
    responses={201: {"content": EVENT_STREAM}, **problems(404, 409, 429)},
)
async def take(
    request: Request,
    runtime: RuntimeDep,
    caller: App,
    conversation_id: ConversationId,
    body: TurnCreate,
    key: IdempotencyKey = None,
) -> Response:
    """Say something and be answered. With `stream`: Server-Sent Events `token`, then `done` or `error`."""
    claim = claim_for(request, runtime, key, body)
    begun = await runtime.turns.begin(caller.tenant_id, conversation_id, body, claim)
    if body.stream:
        # The turn's id before its end, so that whoever watches can cancel it.
        headers = {"X-Memos-Turn": begun.turn_id} if isinstance(begun, TurnRun) else {}
        return StreamingResponse(_events(request, begun), 201, headers, "text/event-stream")
    if isinstance(begun, StoredAnswer):
        return stored_response(begun)
    return stored_response(await _finished(request, begun))


async def _finished(request: Request, run: TurnRun) -> StoredAnswer:
    """The outcome. A client that leaves cancels its turn, unless it holds a key to come back with."""
    gone = asyncio.create_task(_disconnected(request))
    waiting: set[asyncio.Future[Any]] = {run.outcome, gone}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not run.outcome.done() and not run.keyed:
            run.cancel.set()
        return await run.outcome
    finally:
        gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _events(request: Request, begun: TurnRun | StoredAnswer) -> AsyncIterator[bytes]:
    if isinstance(begun, StoredAnswer):
        yield event("done", begun.body.decode())
        return
    try:
        while True:
            try:
                piece = await asyncio.wait_for(begun.tokens.get(), KEEPALIVE_S)
            except TimeoutError:
                yield b": still thinking\n\n"
                continue
            if piece is None:
                break
            yield event("token", json.dumps({"text": piece}))
        yield event("done", (await begun.outcome).body.decode())
    except MemosError as error:
        yield event("error", json.dumps(problem_of(error, request)))
    finally:
        # Left early: nobody reads on. A keyed turn goes on and can be asked for again.
        if not begun.outcome.done() and not begun.keyed:
            begun.cancel.set()


def event(name: str, data: str) -> bytes:
    """One Server-Sent Event. JSON has no raw line breaks, so one data line is enough."""
    return f"event: {name}\ndata: {data}\n\n".encode()


@router.get("/v1/conversations/{conversation_id}/turns", tags=["turns"], responses=problems(404))
async def listing(
    runtime: RuntimeDep,
    caller: Reader,
    conversation_id: ConversationId,
    order: store.Order = "asc",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Turn]:
    """Oldest first (`order=desc`: newest first), superseded turns included."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        return await history.listing(work, conversation_id, order=order, cursor=cursor, limit=limit)


@router.post(
    "/v1/conversations/{conversation_id}/turns/import",
    status_code=201,
    response_model=Imported,
    responses=problems(404, 409, 429),
)
async def take_in(
    request: Request,
    runtime: RuntimeDep,
    caller: App,
    conversation_id: ConversationId,
    body: TurnImport,
    key: IdempotencyKey = None,
) -> Response:
    """Take in history from elsewhere: the state advances over it without generating."""
    answer = await once(
        runtime.database,
        caller.tenant_id,
        claim_for(request, runtime, key, body),
        lambda work: history.take_in(
            work,
            conversation_id,
            body,
            by=caller.key_id,
            max_input_chars=runtime.settings.max_input_chars,
            max_pending=runtime.settings.max_pending_turns,
        ),
    )
    runtime.wakeups.wake(OUTBOX)
    return stored_response(answer)


@router.get("/v1/turns/{turn_id}", responses=problems(404))
async def get(runtime: RuntimeDep, caller: Reader, turn_id: TurnId) -> Turn:
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        return await history.get(work, turn_id)


@router.get("/v1/turns/{turn_id}/explanation", responses=problems(404))
async def explanation(runtime: RuntimeDep, caller: Reader, turn_id: TurnId) -> Explanation:
    """Which memory the answer read, down to the slots of the state and the words in them, and what it wrote."""
    return await runtime.recipes.whole(
        caller.tenant_id, lambda: explain(runtime.database, runtime.generator, caller.tenant_id, turn_id)
    )


@router.post("/v1/turns/{turn_id}/cancel", responses=problems(404, 409))
async def cancel(runtime: RuntimeDep, caller: App, turn_id: TurnId) -> Turn:
    """Stop a turn that is being answered, in whichever process. What it has said so far is kept."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        row = await history.get_row(work, turn_id)
        if not await store.request_cancel(work, turn_id):
            raise TurnEnded(f"turn {turn_id} is {row['status']}")
    runtime.turns.cancel(turn_id)
    deadline = time.monotonic() + CANCEL_WAIT_S
    while time.monotonic() < deadline:
        await runtime.turns.settled(turn_id, deadline - time.monotonic())
        async with runtime.database.unit_of_work(caller.tenant_id) as work:
            turn = await history.get(work, turn_id)
        if turn.status != "accepted":
            return turn
        await asyncio.sleep(0.1)
    raise StillStopping
