"""mem0's `Memory`, over memos: a program changes one import. What it names is found under the same names, and answers
have the same shapes.

Notable choices: what is added is remembered word for word, so `infer` changes nothing; a run is a thread; `delete`
puts a memory away as REST does, and `reset`, which would take away everybody's, is refused.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from memos.integrations import calls
from memos.integrations.calls import Json
from memos.sdk import Memos
from memos.sdk.errors import MemosError

MOST_FOUND = 200
Said = str | Mapping[str, Any] | Sequence[Mapping[str, Any]]


def item_of(
    messages: Said,
    *,
    user_id: str | None = None,
    agent_id: str | None = None,
    run_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Json:
    """What mem0's `add` was given, as an item of POST /v1/memories."""
    if isinstance(messages, str):
        said: Json = {"text": messages}
    else:
        several = [messages] if isinstance(messages, Mapping) else list(messages)
        kept = ("role", "name", "content", "created_at")
        said = {"messages": [{name: one[name] for name in kept if one.get(name) is not None} for one in several]}
    whose = {"user_id": user_id, "agent_id": agent_id, "thread": run_id, "metadata": metadata and dict(metadata)}
    return said | {name: value for name, value in whose.items() if value is not None}


def memory_of(memory: Mapping[str, Any]) -> Json:
    """A memory, or one that was found, in mem0's shape."""
    shown = {
        "id": memory["id"],
        "memory": memory["text"],
        "metadata": memory["metadata"] or None,
        "created_at": memory["created_at"],
        "updated_at": memory.get("updated_at"),
        "user_id": memory["user_id"],
    }
    optional = {
        "agent_id": memory["agent_id"],
        "run_id": memory["source"]["thread"],
        "role": memory["source"]["role"],
        "score": memory.get("score"),
    }
    return shown | {name: value for name, value in optional.items() if value is not None}


def added_of(answer: Mapping[str, Any], texts: Sequence[str]) -> Json:
    """What was added: `event` is NONE for what was remembered already."""
    pairs = zip(answer["memories"], texts, strict=True)
    return {
        "results": [
            {"id": one["id"], "memory": text, "event": "NONE" if one["duplicate"] else "ADD"} for one, text in pairs
        ]
    }


def texts_of(item: Mapping[str, Any]) -> list[str]:
    return [item["text"]] if "text" in item else [one["content"] for one in item["messages"]]


def history_of(memory_id: str, versions: Sequence[Mapping[str, Any]], lifecycle: str) -> list[Json]:
    """Versions, newest first, as mem0's events, oldest first; one that is put away ends with its deletion."""
    events: list[Json] = []
    before: str | None = None
    for version in reversed(versions):
        events.append(
            _event(f"{memory_id}:{version['version']}", memory_id, before, version["text"], version["created_at"])
        )
        before = version["text"]
    if lifecycle not in ("activated", "generated"):
        events.append(_event(f"{memory_id}:end", memory_id, before, None, versions[0]["created_at"]))
    return events


def _event(id: str, memory_id: str, before: str | None, after: str | None, at: str) -> Json:
    event = "DELETE" if after is None else "ADD" if before is None else "UPDATE"
    return {
        "id": id,
        "memory_id": memory_id,
        "old_memory": before,
        "new_memory": after,
        "event": event,
        "created_at": at,
        "updated_at": at,
        "is_deleted": after is None,
    }


class Memory:
    """mem0's `Memory` over a service of memos, found as `memos.sdk.Memos` finds it, or the `client` that is given."""

    def __init__(self, config: Any = None, *, client: Memos | None = None) -> None:
        """`config` is mem0's; what answers, embeds and stores is for memos to configure, so nothing of it is used."""
        self._client = client or Memos()

    @classmethod
    def from_config(cls, config_dict: Mapping[str, Any] | None = None, *, client: Memos | None = None) -> "Memory":
        """As the constructor."""
        return cls(config_dict, client=client)

    def add(
        self,
        messages: Said,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        infer: bool = True,
        memory_type: str | None = None,
        prompt: str | None = None,
    ) -> Json:
        """Remembers a text or messages, word for word."""
        item = item_of(messages, user_id=user_id, agent_id=agent_id, run_id=run_id, metadata=metadata)
        answer: Json = self._client._send(calls.add([item]))
        return added_of(answer, texts_of(item))

    def search(
        self,
        query: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        limit: int = 100,
        top_k: int | None = None,
        filters: Mapping[str, Any] | None = None,
        threshold: float | None = None,
        rerank: bool = True,
    ) -> Json:
        """`{"results": [...]}`, best first. `filters` may name user_id, agent_id and run_id too."""
        wanted = search_of(query, user_id=user_id, agent_id=agent_id, run_id=run_id, limit=top_k or limit,
                           filters=filters, threshold=threshold)  # fmt: skip
        found = self._client._send(calls.search(**wanted))
        return {"results": [memory_of(one) for one in found["results"]]}

    def get(self, memory_id: str) -> Json | None:
        """None for one that is not there."""
        try:
            held: Json = self._client._send(calls.get(memory_id))
        except MemosError as error:
            if error.code == "not_found":
                return None
            raise
        return memory_of(held)

    def get_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        limit: int = 100,
        top_k: int | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> Json:
        """`{"results": [...]}`, newest first. `filters` may name user_id, agent_id and run_id."""
        named = dict(filters or {})
        found = self._all(
            user_id=user_id or named.get("user_id"),
            agent_id=agent_id or named.get("agent_id"),
            thread=run_id or named.get("run_id"),
        )
        most = top_k or limit
        return {"results": [memory_of(one) for _, one in zip(range(most), found, strict=False)]}

    def update(self, memory_id: str, data: str, metadata: Mapping[str, Any] | None = None) -> Json:
        """Says it anew; what it said before stays in its history."""
        self._client._send(calls.update(memory_id, text=data, metadata=metadata and dict(metadata)))
        return {"message": "Memory updated successfully!"}

    def delete(self, memory_id: str) -> Json:
        """Puts it away."""
        self._client._send(calls.delete(memory_id))
        return {"message": "Memory deleted successfully!"}

    def delete_all(self, user_id: str | None = None, agent_id: str | None = None, run_id: str | None = None) -> Json:
        """Puts away all of a user's, an agent's or a run's. Raises ValueError if none is named."""
        if user_id is None and agent_id is None and run_id is None:
            raise ValueError("name a user_id, an agent_id or a run_id")
        for one in list(self._all(user_id=user_id, agent_id=agent_id, thread=run_id)):
            self._client._send(calls.delete(one["id"]))
        return {"message": "Memories deleted successfully!"}

    def history(self, memory_id: str) -> list[Json]:
        """What was added, updated and deleted of it, oldest first."""
        versions: list[Json] = []
        cursor: str | None = None
        while True:
            page = self._client._send(calls.history(memory_id, cursor))
            versions += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        return history_of(memory_id, versions, self._client._send(calls.get(memory_id))["lifecycle"])

    def reset(self) -> None:
        """Refused: it would take away what everybody said. Erasures forget for good, one user at a time."""
        raise MemosError(
            "reset would take away what everybody said",
            code="not_supported",
            hint="Erase one user's memory with memos.sdk.Memos().erasures, or start on an empty folder.",
        )

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _all(self, **filters: Any) -> Iterator[Json]:
        cursor: str | None = None
        while True:
            page = self._client._send(calls.listing(cursor=cursor, **filters))
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return


def search_of(
    query: str,
    *,
    user_id: str | None,
    agent_id: str | None,
    run_id: str | None,
    limit: int,
    filters: Mapping[str, Any] | None,
    threshold: float | None,
) -> Json:
    """A search of mem0's as one of POST /v1/memories/search: what it names beside the owner is metadata."""
    named = dict(filters or {})
    user_id, agent_id = user_id or named.pop("user_id", None), agent_id or named.pop("agent_id", None)
    thread = run_id or named.pop("run_id", None)
    parts: list[Json] = [{"thread": thread}] if thread is not None else []
    parts += [_filter(name, value) for name, value in named.items()]
    wanted = {
        "query": query,
        "user_id": user_id,
        "agent_id": agent_id,
        "top_k": max(1, min(limit, MOST_FOUND)),
        "threshold": threshold,
        "filters": None if not parts else parts[0] if len(parts) == 1 else {"AND": parts},
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _filter(name: str, value: Any) -> Json:
    if name in ("AND", "OR") and isinstance(value, list):
        return {name: [_filter(inner, held) for one in value for inner, held in one.items()]}
    if name == "NOT":
        one = value[0] if isinstance(value, list) else value
        return {"NOT": {"AND": [_filter(inner, held) for inner, held in one.items()]}}
    own = {"run_id": "thread", "created_at": "created_at", "agent_id": "agent_id"}
    return {own.get(name, f"metadata.{name}"): value}
