"""LangGraph's long-term store over memos: an item is a memory of one user of memos, so it has versions, a history and
lineage, is found by meaning, and goes with an erasure.

Notable choices:

* An item's namespace and key are its thread, as a digest: one call finds it. Each beginning of its namespace is a tag,
  also as a digest, so that a search below one is the service's own.
* What is searched is the text of the value's fields, or of those that `index` names; with `index=False` an item is kept
  and not found by a query.
* Filters on values are compared here, over what the service found: LangGraph's operators on numbers and texts alike.

It refuses a time to live, as it says in `supports_ttl`.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    get_text_at_path,
)

from memos.integrations import calls
from memos.integrations.calls import Json
from memos.sdk import Memos

Namespace = tuple[str, ...]
USER = "langgraph"
MOST_FOUND = 200
_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "$eq": lambda held, wanted: held == wanted,
    "$ne": lambda held, wanted: held != wanted,
    "$gt": lambda held, wanted: held is not None and held > wanted,
    "$gte": lambda held, wanted: held is not None and held >= wanted,
    "$lt": lambda held, wanted: held is not None and held < wanted,
    "$lte": lambda held, wanted: held is not None and held <= wanted,
}


class MemosStore(BaseStore):
    """A store for `graph.compile(store=...)`. `user_id`: whose memories the items are."""

    supports_ttl = False

    def __init__(self, client: Memos | None = None, *, user_id: str = USER) -> None:
        self._client = client or Memos()
        self._user_id = user_id

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """In order."""
        return [self._done(op) for op in ops]

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """In order, without blocking the loop."""
        return await asyncio.to_thread(self.batch, list(ops))

    def _done(self, op: Op) -> Result:
        if isinstance(op, GetOp):
            held = self._held(op.namespace, op.key)
            return None if held is None else Item(**_columns(held))
        if isinstance(op, SearchOp):
            return self._search(op)
        if isinstance(op, ListNamespacesOp):
            return self._namespaces(op)
        self._put(op)
        return None

    def _held(self, namespace: Namespace, key: str) -> Json | None:
        page = self._client._send(calls.listing(user_id=self._user_id, thread=_thread(namespace, key), limit=1))
        return page["items"][0] if page["items"] else None

    def _put(self, op: PutOp) -> None:
        held = self._held(op.namespace, op.key)
        if op.value is None:
            if held is not None:
                self._client._send(calls.delete(held["id"]))
            return
        item = item_of(op.namespace, op.key, op.value, op.index, self._user_id)
        if held is not None:
            self._client._send(calls.update(held["id"], text=item["text"], metadata=item["metadata"]))
        else:
            self._client._send(calls.add([item]))

    def _search(self, op: SearchOp) -> list[SearchItem]:
        tag = _tag(op.namespace_prefix)
        if op.query is None:
            found: Iterable[Json] = self._all(tag)
        else:
            filters = {"AND": [{"tags": {"contains": tag}}, {"metadata.indexed": True}]}
            wanted = calls.search(op.query, user_id=self._user_id, top_k=MOST_FOUND, filters=filters)
            found = self._client._send(wanted)["results"]
        kept = [one for one in found if _fits(one["metadata"]["value"], op.filter)]
        kept = kept[op.offset : op.offset + op.limit]
        return [SearchItem(**_columns(one), score=one.get("score")) for one in kept]

    def _namespaces(self, op: ListNamespacesOp) -> list[Namespace]:
        every = {tuple(one["metadata"]["namespace"]) for one in self._all(_tag(()))}
        fitting = {one for one in every if all(_matches(one, wanted) for wanted in op.match_conditions or ())}
        shown = sorted({one[: op.max_depth] for one in fitting} if op.max_depth is not None else fitting)
        return shown[op.offset : op.offset + op.limit]

    def _all(self, tag: str) -> Iterator[Json]:
        cursor: str | None = None
        while True:
            page = self._client._send(calls.listing(user_id=self._user_id, tag=tag, cursor=cursor))
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return


def item_of(namespace: Namespace, key: str, value: Mapping[str, Any], index: Any, user_id: str) -> Json:
    """A store's item as one of POST /v1/memories."""
    return {
        "text": _text(value, index),
        "user_id": user_id,
        "thread": _thread(namespace, key),
        "tags": [_tag(namespace[:depth]) for depth in range(len(namespace) + 1)],
        "semantic_type": "episode",  # two items may well say the same
        "metadata": {"namespace": list(namespace), "key": key, "value": dict(value), "indexed": index is not False},
    }


def _columns(memory: Json) -> Json:
    about = memory["metadata"]
    created = datetime.fromisoformat(memory["created_at"])
    updated = datetime.fromisoformat(memory.get("updated_at") or memory["created_at"])
    return {
        "namespace": tuple(about["namespace"]),
        "key": about["key"],
        "value": about["value"],
        "created_at": created,
        "updated_at": updated,
    }


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:40]


def _thread(namespace: Namespace, key: str) -> str:
    return f"langgraph:{_digest(list(namespace), key)}"


def _tag(prefix: Namespace) -> str:
    return f"langgraph:{_digest(list(prefix))}"


def _text(value: Mapping[str, Any], index: Any) -> str:
    """What a query is compared with; JSON of a value that holds no text."""
    paths = index if isinstance(index, list) else ["$"]
    texts = [text for path in paths for text in get_text_at_path(value, path)]
    return "\n".join(text for text in texts if text.strip()) or json.dumps(value, ensure_ascii=False)


def _fits(value: Mapping[str, Any], wanted: Mapping[str, Any] | None) -> bool:
    return all(_compares(value.get(name), one) for name, one in (wanted or {}).items())


def _compares(held: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping) and wanted and all(str(name).startswith("$") for name in wanted):
        return all(bool(_COMPARE[name](held, one)) for name, one in wanted.items())
    return bool(held == wanted)


def _matches(namespace: Namespace, wanted: MatchCondition) -> bool:
    path = wanted.path
    if len(namespace) < len(path):
        return False
    part = namespace[: len(path)] if wanted.match_type == "prefix" else namespace[len(namespace) - len(path) :]
    return all(one in ("*", held) for one, held in zip(path, part, strict=True))
