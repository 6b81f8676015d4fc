"""Reads what other memory layers keep, as items of POST /v1/memories, and writes them in batches.

Each item carries where it came from in its metadata (`imported_from`, and its id there). A batch has an idempotency key
made of its content, so an import that was interrupted is run again from the start, and within a day nothing is doubled;
texts that are remembered already are counted and not stored twice.

It refuses a file that is not what it is said to be (NotReadable), before anything is written.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from memos.integrations import calls, store
from memos.integrations.calls import Json
from memos.sdk import Memos
from memos.sdk.errors import MemosError

BATCH = 500
KEPT = frozenset(
    """text messages user_id agent_id speaker role thread metadata tags valid_from valid_to expires_at semantic_type
    visibility sensitivity priority""".split()
)


class NotReadable(MemosError):
    """A file that cannot be read as what it is said to be."""


def _refused(path: Path, why: str) -> NotReadable:
    return NotReadable(
        f"{path}: {why}",
        code="not_readable",
        hint="Give a file of the kind that is named first; docs/cli.md says which.",
    )


def from_mem0(path: Path, user_id: str | None) -> Iterator[Json]:
    """mem0's API export: `{"results": [...]}` or `{"memories": [...]}` or a list, of objects with `memory`."""
    held = _json(path)
    if isinstance(held, dict):
        held = held.get("results") or held.get("memories")
    if not isinstance(held, list):
        raise _refused(path, "holds no list of memories under `results` or `memories`")
    for one in held:
        if not isinstance(one, dict) or not isinstance(text := one.get("memory") or one.get("data"), str):
            raise _refused(path, "holds something that has no `memory`")
        about = {**(one.get("metadata") or {}), "imported_from": "mem0"} | _given(mem0_id=one.get("id"))
        yield _owned(
            _given(
                text=text, user_id=one.get("user_id"), agent_id=one.get("agent_id"), thread=one.get("run_id"),
                valid_from=_moment(one.get("created_at")), metadata=about,
            ),
            user_id,
        )  # fmt: skip


def from_mem0_history(path: Path, user_id: str | None) -> Iterator[Json]:
    """mem0's SQLite history: of each memory the newest text, unless it was deleted."""
    newest: dict[str, Json] = {}
    for row in _rows(path, store.mem0_history):
        newest.pop(row["memory_id"], None)
        if row["event"] != "DELETE" and not row.get("is_deleted") and row["new_memory"]:
            newest[row["memory_id"]] = row
    for memory_id, row in newest.items():
        about = {"imported_from": "mem0", "mem0_id": memory_id}
        whose = _given(agent_id=row.get("actor_id")) if user_id is None else {}
        said = _given(text=row["new_memory"], valid_from=_moment(row["created_at"]), metadata=about)
        yield _owned(said | whose, user_id)


def from_langgraph(path: Path, user_id: str | None) -> Iterator[Json]:
    """LangGraph's SQLite store, as items that `memos.integrations.langgraph.MemosStore` of that user finds."""
    from memos.integrations.langgraph import USER, item_of

    for row in _rows(path, store.langgraph_items):
        value = json.loads(row["value"])
        yield item_of(tuple(row["prefix"].split(".")), row["key"], value, None, user_id or USER)


def from_jsonl(path: Path, user_id: str | None) -> Iterator[Json]:
    """A JSON object a line: the fields of POST /v1/memories, of which `text` or `messages` is needed."""
    for number, line in enumerate(_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            held = json.loads(line)
        except ValueError as error:
            raise _refused(path, f"line {number} is not JSON") from error
        if not isinstance(held, dict) or ("text" in held) == ("messages" in held):
            raise _refused(path, f"line {number} is no object with either `text` or `messages`")
        unknown = sorted(held.keys() - KEPT)
        if unknown:
            raise _refused(path, f"line {number} has fields that memories do not have: {', '.join(unknown)}")
        yield _owned(held, user_id)


READERS: Mapping[str, Callable[[Path, str | None], Iterator[Json]]] = {
    "mem0": from_mem0,
    "mem0-history": from_mem0_history,
    "langgraph": from_langgraph,
    "jsonl": from_jsonl,
}


def write(client: Memos, items: Iterable[Json], told: Callable[[int], None] = lambda done: None) -> Json:
    """`{added, duplicates}`. `told` is called with how many are written so far."""
    added = duplicates = 0
    everything = list(items)
    for at in range(0, len(everything), BATCH):
        batch = everything[at : at + BATCH]
        key = hashlib.sha256(json.dumps([at, batch], sort_keys=True).encode()).hexdigest()
        for one in client._send(replace(calls.add(batch), idempotency_key=f"import-{key}"))["memories"]:
            added, duplicates = added + (not one["duplicate"]), duplicates + one["duplicate"]
        told(added + duplicates)
    return {"added": added, "duplicates": duplicates}


def _given(**values: Any) -> Json:
    return {name: value for name, value in values.items() if value is not None}


def _owned(item: Json, user_id: str | None) -> Json:
    """Of the user that is asked for; else as the file says."""
    return item | ({"user_id": user_id} if user_id is not None else {})


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _refused(path, f"cannot be read: {error}") from error


def _json(path: Path) -> Any:
    try:
        return json.loads(_text(path))
    except ValueError as error:
        raise _refused(path, "is not JSON") from error


def _rows(path: Path, read: Callable[[Path], list[Json]]) -> list[Json]:
    if not path.is_file():
        raise _refused(path, "is not there")
    try:
        return read(path)
    except sqlite3.Error as error:
        raise _refused(path, f"is no database of that kind: {error}") from error


def _moment(written: Any) -> str | None:
    """With its offset; what has none is UTC. None for what is no moment."""
    try:
        moment = datetime.fromisoformat(str(written))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()
