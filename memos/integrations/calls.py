"""The calls that adapters make, with answers as plain JSON: an adapter hands them on in its framework's own shapes, and
a field that is new to the service passes through.
"""

import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from memos.sdk._calls import Call

Json = dict[str, Any]
MOST_PER_CALL = 200


def _call(method: str, path: str, body: Mapping[str, Any] | None = None, **params: Any) -> Call[Json]:
    given = {name: value for name, value in params.items() if value is not None}
    key = uuid.uuid4().hex if method == "POST" else None
    return Call(method, path, json.loads, params=given, body=body, idempotency_key=key)


def _given(**values: Any) -> Json:
    return {name: value for name, value in values.items() if value is not None}


def _memory(memory_id: str, *more: str) -> str:
    return "/".join(("/v1/memories", quote(memory_id, safe=""), *more))


def add(items: Iterable[Mapping[str, Any]]) -> Call[Json]:
    """`{memories: [{id, version, duplicate}], ...}`, in the order of the items."""
    return _call("POST", "/v1/memories", {"items": [dict(item) for item in items]})


def search(query: str, **more: Any) -> Call[Json]:
    """`{results: [...]}`, best first."""
    return _call("POST", "/v1/memories/search", _given(query=query, **more))


def get(memory_id: str) -> Call[Json]:
    return _call("GET", _memory(memory_id))


def listing(*, limit: int = MOST_PER_CALL, **filters: Any) -> Call[Json]:
    """One page, newest first: `{items, next_cursor}`."""
    return _call("GET", "/v1/memories", limit=limit, **filters)


def update(memory_id: str, **changes: Any) -> Call[Json]:
    return _call("PATCH", _memory(memory_id), _given(**changes))


def delete(memory_id: str) -> Call[Json]:
    return _call("DELETE", _memory(memory_id))


def history(memory_id: str, cursor: str | None = None) -> Call[Json]:
    """One page, newest first: `{items, next_cursor}`."""
    return _call("GET", _memory(memory_id, "history"), limit=MOST_PER_CALL, cursor=cursor)


def conversation(user_id: str) -> Call[Json]:
    return _call("POST", "/v1/conversations", {"user_id": user_id})


def turn(conversation_id: str, text: str, **more: Any) -> Call[Json]:
    return _call("POST", f"/v1/conversations/{quote(conversation_id, safe='')}/turns", _given(input=text, **more))


def lineage(cube_id: str) -> Call[Json]:
    return _call("GET", f"/v1/cubes/{quote(cube_id, safe='')}/lineage", direction="both")


def conversation_of(conversation_id: str) -> Call[Json]:
    return _call("GET", f"/v1/conversations/{quote(conversation_id, safe='')}")
