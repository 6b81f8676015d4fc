"""The calls of memories, as values, and bound to a client; as `_calls` and `_resources`. Arguments have the names that
other memory layers gave them: `messages`, `user_id`, `agent_id`, `run_id`, `metadata`, `filters`, `limit`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from memos.sdk import memories, models
from memos.sdk._calls import Call, _get, _given, _path, _post, _texts, reads
from memos.sdk._resources import _async_pages, _AsyncResource, _awaits, _pages, _Resource, _sends

Message = Mapping[str, Any]


def _moment(given: datetime | str | None) -> str | None:
    return given.isoformat() if isinstance(given, datetime) else given


def memories_add(
    messages: str | Message | Sequence[Message],
    *,
    user_id: str | None = None,
    agent_id: str | None = None,
    run_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    speaker: str | None = None,
    tags: str | Iterable[str] | None = None,
    valid_from: datetime | str | None = None,
    expires_at: datetime | str | None = None,
    semantic_type: str | None = None,
    visibility: str | None = None,
    sensitivity: str | None = None,
    embedding: Sequence[float] | None = None,
    supersedes: str | None = None,
    idempotency_key: str | None = None,
) -> Call[memories.AddedMemories]:
    """Remembers a text, or messages of {"role", "content", "name"?, "created_at"?}, each as an episode. They are
    durable and can be found when this returns. `run_id` is the thread they belong to. What is remembered already is
    counted and not stored twice: `duplicate` says so."""
    said: dict[str, Any] = {"text": messages} if isinstance(messages, str) else {
        "messages": [dict(messages)] if isinstance(messages, Mapping) else [dict(message) for message in messages]
    }  # fmt: skip
    body = said | _given(
        user_id=user_id, agent_id=agent_id, thread=run_id, metadata=None if metadata is None else dict(metadata),
        speaker=speaker, tags=_texts(tags), valid_from=_moment(valid_from), expires_at=_moment(expires_at),
        semantic_type=semantic_type, visibility=visibility, sensitivity=sensitivity,
        embedding=None if embedding is None else [float(number) for number in embedding], supersedes=supersedes,
    )  # fmt: skip
    return _post(reads(memories.AddedMemories), "/v1/memories", body, idempotency_key)


def memories_add_many(
    items: Iterable[Mapping[str, Any]], *, idempotency_key: str | None = None
) -> Call[memories.AddedMemories]:
    """Remembers up to 10,000 at once, all of them or none; each item has the fields of POST /v1/memories. If it has a
    `batch_id`, `batch` says how many of them can be found by their meaning, too."""
    return _post(
        reads(memories.AddedMemories), "/v1/memories", {"items": [dict(item) for item in items]}, idempotency_key
    )


def memories_search(
    query: str,
    *,
    user_id: str | None = None,
    agent_id: str | None = None,
    run_id: str | None = None,
    limit: int | None = None,
    filters: Mapping[str, Any] | None = None,
    threshold: float | None = None,
    as_of: datetime | str | None = None,
    history: bool | None = None,
    explain: bool | None = None,
    min_version: int | None = None,
    embedding: Sequence[float] | None = None,
) -> Call[memories.FoundMemories]:
    """What is remembered about a question, best first, at most `limit` of them (by default 10). `run_id` keeps to one
    thread; `history` also gives what was superseded; `as_of` asks what was known at a moment."""
    wanted = None if filters is None else dict(filters)
    if run_id is not None:
        wanted = {"thread": run_id} if wanted is None else {"AND": [{"thread": run_id}, wanted]}
    body = _given(
        query=query, user_id=user_id, agent_id=agent_id, top_k=limit, filters=wanted, threshold=threshold,
        as_of=_moment(as_of), history=history, explain=explain, min_version=min_version,
        embedding=None if embedding is None else [float(number) for number in embedding],
    )  # fmt: skip
    return Call("POST", "/v1/memories/search", reads(memories.FoundMemories), body=body)


def memories_get(memory_id: str) -> Call[memories.Memory]:
    """One memory, as it is now."""
    return _get(reads(memories.Memory), _path("v1", "memories", memory_id))


def memories_get_all(
    *,
    user_id: str | None = None,
    agent_id: str | None = None,
    run_id: str | None = None,
    lifecycle: str | None = None,
    semantic_type: str | None = None,
    tag: str | None = None,
    speaker: str | None = None,
    page_size: int | None = None,
    cursor: str | None = None,
) -> "Call[models.Page[memories.Memory]]":
    """Iterates over memories that live, newest first; `lifecycle="archived"`: over those that were put away."""
    return _get(
        reads(models.Page[memories.Memory]), "/v1/memories", user_id=user_id, agent_id=agent_id, thread=run_id,
        lifecycle=lifecycle, semantic_type=semantic_type, tag=tag, speaker=speaker, limit=page_size, cursor=cursor,
    )  # fmt: skip


def memories_update(
    memory_id: str,
    text: str | None = None,
    *,
    metadata: Mapping[str, Any] | None = None,
    tags: str | Iterable[str] | None = None,
    valid_from: datetime | str | None = None,
    expires_at: datetime | str | None = None,
    expected: int | None = None,
) -> Call[memories.Memory]:
    """Says it anew, as a new version; what it said before stays in its history. With `expected`, only if its version is
    still that one; else ConflictError."""
    body = _given(
        text=text, metadata=None if metadata is None else dict(metadata), tags=_texts(tags),
        valid_from=_moment(valid_from), expires_at=_moment(expires_at),
    )  # fmt: skip
    headers = {} if expected is None else {"If-Match": str(expected)}
    path = _path("v1", "memories", memory_id)
    return Call("PATCH", path, reads(memories.Memory), body=body, headers=headers, once=False)


def memories_delete(memory_id: str) -> Call[memories.Memory]:
    """Puts it away: it is not found any more, and nothing is lost. `erasures.create` forgets for good."""
    return Call("DELETE", _path("v1", "memories", memory_id), reads(memories.Memory))


def memories_history(
    memory_id: str, *, page_size: int | None = None, cursor: str | None = None
) -> "Call[models.Page[memories.MemoryVersion]]":
    """Iterates over what it said, newest first."""
    path = _path("v1", "memories", memory_id, "history")
    return _get(reads(models.Page[memories.MemoryVersion]), path, limit=page_size, cursor=cursor)


def memories_batch(batch_id: str) -> Call[memories.BatchStatus]:
    """How many memories of a large batch have their vectors."""
    return _get(reads(memories.BatchStatus), _path("v1", "memories", "batches", batch_id))


class Memories(_Resource):
    """What is remembered of users and agents, beside their conversations."""

    add = _sends(memories_add)
    add_many = _sends(memories_add_many)
    search = _sends(memories_search)
    get = _sends(memories_get)
    get_all = _pages(memories_get_all)
    update = _sends(memories_update)
    delete = _sends(memories_delete)
    history = _pages(memories_history)
    batch = _sends(memories_batch)


class AsyncMemories(_AsyncResource):
    """What is remembered of users and agents, beside their conversations."""

    add = _awaits(memories_add)
    add_many = _awaits(memories_add_many)
    search = _awaits(memories_search)
    get = _awaits(memories_get)
    get_all = _async_pages(memories_get_all)
    update = _awaits(memories_update)
    delete = _awaits(memories_delete)
    history = _async_pages(memories_history)
    batch = _awaits(memories_batch)
