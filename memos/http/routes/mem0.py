"""/memories, /search: memories in the shapes of mem0's REST server, for programs that call it."""

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError

from memos.http.deps import App, CubeId, IdempotencyKey, Limit, Reader, RuntimeDep, claim_for, problems
from memos.http.routes.memories import Named
from memos.integrations.mem0 import added_of, history_of, item_of, memory_of, search_of, texts_of
from memos.kit.schema import WHOLE, Body, Text, UserId, shown
from memos.memories import life, searching, store
from memos.memories.schemas import AddedMemories, MemoryItem, MemorySearch, MemoryUpdate, Word

router = APIRouter(tags=["mem0"])
MOST = 200
Owner = UserId | None
B = TypeVar("B", bound=BaseModel)


class Mem0Message(Body):
    role: Word
    content: Text
    name: Word | None = None


class Mem0Add(Body):
    model_config = shown({"messages": [{"role": "user", "content": "I play tennis."}], "user_id": "alice"})

    messages: Text | Annotated[list[Mem0Message], Field(min_length=1, max_length=1000)]
    user_id: Owner = None
    agent_id: Owner = None
    run_id: Owner = None
    metadata: dict[str, Any] | None = None
    infer: bool | None = Field(None, description="Passed over: what is said is remembered word for word.")


class Mem0Search(Body):
    model_config = shown({"query": "What does Alice play?", "user_id": "alice"})

    query: Text
    user_id: Owner = None
    agent_id: Owner = None
    run_id: Owner = None
    filters: dict[str, Any] | None = None
    limit: Annotated[int, Field(ge=1, le=MOST), WHOLE] = 10
    threshold: float | None = None


class Mem0Update(Body):
    model_config = shown({"text": "I play squash."})

    text: Text
    metadata: dict[str, Any] | None = None


def _meant(body: type[B], value: dict[str, Any]) -> B:
    """A body of mem0's as one of ours, which may be narrower: what does not fit is the caller's to change."""
    try:
        return body.model_validate(value)
    except ValidationError as error:
        raise RequestValidationError([one | {"loc": ("body", *one["loc"])} for one in error.errors()]) from error


@router.post("/memories", responses=problems(404, 409))
async def add(
    request: Request, runtime: RuntimeDep, caller: App, body: Mem0Add, key: IdempotencyKey = None
) -> dict[str, Any]:
    """Remember a text, or messages."""
    said = body.messages if isinstance(body.messages, str) else [one.model_dump() for one in body.messages]
    item = item_of(
        said, user_id=body.user_id, agent_id=body.agent_id, run_id=body.run_id, metadata=body.metadata
    )  # fmt: skip
    answer = await runtime.memories.add(
        caller.tenant_id,
        [_meant(MemoryItem, item)],
        actor=caller.actor,
        by=caller.key_id,
        claim=claim_for(request, runtime, key, body),
    )
    return added_of(AddedMemories.model_validate_json(answer.body).model_dump(), texts_of(item))


@router.post("/search", responses=problems(409))
async def search(runtime: RuntimeDep, caller: Reader, body: Mem0Search) -> dict[str, Any]:
    """What is remembered about a question, best first."""
    asked = search_of(
        body.query, user_id=body.user_id, agent_id=body.agent_id, run_id=body.run_id, limit=body.limit,
        filters=body.filters, threshold=body.threshold,
    )  # fmt: skip
    wanted = _meant(MemorySearch, asked)
    found = await searching.search(runtime.recall, caller.tenant_id, caller.actor, wanted)
    return {"results": [memory_of(one.model_dump(mode="json")) for one in found.results]}


@router.get("/memories", responses=problems())
async def listing(
    runtime: RuntimeDep,
    caller: Reader,
    user_id: Named = None,
    agent_id: Named = None,
    run_id: Annotated[Named, Query()] = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """The newest first."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        rows = await store.listing(
            work,
            user_id=user_id,
            agent_id=agent_id,
            lifecycle="activated",
            semantic_type=None,
            tag=None,
            thread=run_id,
            speaker=None,
            before=None,
            limit=limit,
        )
    return {"results": [memory_of(life.memory_view(row).model_dump(mode="json")) for row in rows]}


@router.get("/memories/{memory_id}", responses=problems(404))
async def get(runtime: RuntimeDep, caller: Reader, memory_id: CubeId) -> dict[str, Any]:
    """One of them."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        return memory_of((await life.get(work, memory_id)).model_dump(mode="json"))


@router.put("/memories/{memory_id}", responses=problems(404, 409))
async def update(runtime: RuntimeDep, caller: App, memory_id: CubeId, body: Mem0Update) -> dict[str, Any]:
    """Say it anew; what it said before stays in its history."""
    wanted = _meant(MemoryUpdate, body.model_dump(exclude_none=True))
    await runtime.memories.update(caller.tenant_id, memory_id, wanted, expected=None, by=caller.key_id)
    return {"message": "Memory updated successfully!"}


@router.delete("/memories/{memory_id}", responses=problems(404, 409))
async def delete(runtime: RuntimeDep, caller: App, memory_id: CubeId) -> dict[str, Any]:
    """Put it away."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        await life.put_away(work, memory_id, by=caller.key_id)
    return {"message": "Memory deleted successfully!"}


@router.get("/memories/{memory_id}/history", responses=problems(404))
async def history(runtime: RuntimeDep, caller: Reader, memory_id: CubeId) -> list[dict[str, Any]]:
    """What was added, updated and deleted of it, oldest first."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        rows = await life.history(work, memory_id, before=None, limit=MOST)
        memory = await life.get(work, memory_id)
    versions = [life.version_view(row).model_dump(mode="json") for row in rows]
    return history_of(memory_id, versions, memory.lifecycle)
