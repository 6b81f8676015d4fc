"""/v1/memories: plaintext cubes under their everyday name."""

import time
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response

from memos.http.deps import ID, App, CubeId, Cursor, IdempotencyKey, Limit, Reader, RuntimeDep, claim_for, problems
from memos.http.fast_json import FastJsonRoute
from memos.http.stored import stored_response
from memos.kernel.lifecycle import Lifecycle
from memos.kit.pages import decode, decode_number, page
from memos.kit.schema import WITHOUT_NUL, Page
from memos.memories import life, searching, store
from memos.memories.episodes import EMBED
from memos.memories.schemas import (
    AddedMemories,
    BatchStatus,
    FoundMemories,
    MemoriesCreate,
    Memory,
    MemoryBatch,
    MemorySearch,
    MemoryUpdate,
    MemoryVersion,
)

PATH = "/v1/memories"
router = APIRouter(prefix=PATH, tags=["memories"], route_class=FastJsonRoute)
BatchId = Annotated[str, Path(pattern="^batch" + ID)]
Named = Annotated[str | None, Query(min_length=1, max_length=500, pattern=WITHOUT_NUL)]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        pattern=r'^("[0-9]{1,9}"|[0-9]{1,9})$',
        description="The number of the newest version that you know of: if there is a newer one, this is a 409.",
    ),
]


@router.post("", status_code=201, response_model=AddedMemories, responses=problems(404, 409))
async def add(
    request: Request, runtime: RuntimeDep, caller: App, body: MemoriesCreate, key: IdempotencyKey = None
) -> Response:
    """Remember a text, the messages of a conversation, or up to 10,000 of these. They are durable, and can be found,
    when this answers. What is remembered already is counted and not stored twice."""
    items = body.items if isinstance(body, MemoryBatch) else [body]
    claim = claim_for(request, runtime, key, body)
    answer = await runtime.memories.add(caller.tenant_id, items, actor=caller.actor, by=caller.key_id, claim=claim)
    return stored_response(answer)


@router.post("/search", responses=problems(409))
async def search(runtime: RuntimeDep, caller: Reader, body: MemorySearch) -> FoundMemories:
    """What is remembered about a question, by meaning and by words, best first."""
    began = time.perf_counter()
    try:
        return await searching.search(runtime.recall, caller.tenant_id, caller.actor, body)
    finally:
        runtime.metrics.recalled("search", time.perf_counter() - began)


@router.get("/batches/{batch_id}", responses=problems(404))
async def batch(runtime: RuntimeDep, caller: Reader, batch_id: BatchId) -> BatchStatus:
    """How far the vectors of a large batch are."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        return await life.batch(work, batch_id, EMBED)


@router.get("", responses=problems())
async def listing(
    runtime: RuntimeDep,
    caller: Reader,
    user_id: Named = None,
    agent_id: Named = None,
    lifecycle: Lifecycle | None = "activated",
    semantic_type: Named = None,
    tag: Named = None,
    thread: Named = None,
    speaker: Named = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Memory]:
    """Newest first: those that live, unless another `lifecycle` is asked for."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        rows = await store.listing(
            work,
            user_id=user_id,
            agent_id=agent_id,
            lifecycle=lifecycle,
            semantic_type=semantic_type,
            tag=tag,
            thread=thread,
            speaker=speaker,
            before=decode(cursor, "cube"),
            limit=limit + 1,
        )
    return page(rows, limit, "id", life.memory_view)


@router.get("/{memory_id}", responses=problems(404))
async def get(runtime: RuntimeDep, caller: Reader, memory_id: CubeId) -> Memory:
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        return await life.get(work, memory_id)


@router.patch("/{memory_id}", responses=problems(404, 409))
async def update(
    runtime: RuntimeDep, caller: App, memory_id: CubeId, body: MemoryUpdate, if_match: IfMatch = None
) -> Memory:
    """Say it anew, or label it anew. What it said before stays in its history."""
    expected = None if if_match is None else int(if_match.strip('"'))
    return await runtime.memories.update(caller.tenant_id, memory_id, body, expected=expected, by=caller.key_id)


@router.delete("/{memory_id}", responses=problems(404, 409))
async def delete(runtime: RuntimeDep, caller: App, memory_id: CubeId) -> Memory:
    """Put it away: it is not found any more, and nothing is lost. POST /v1/erasures forgets for good."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        return await life.put_away(work, memory_id, by=caller.key_id)


@router.get("/{memory_id}/history", responses=problems(404))
async def history(
    runtime: RuntimeDep, caller: Reader, memory_id: CubeId, limit: Limit = 50, cursor: Cursor = None
) -> Page[MemoryVersion]:
    """What it said, newest first."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        rows = await life.history(work, memory_id, before=decode_number(cursor), limit=limit + 1)
    return page(rows, limit, "version", life.version_view)
