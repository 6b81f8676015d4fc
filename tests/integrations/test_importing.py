"""What mem0 and LangGraph keep, and JSONL, taken in by the command."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.sqlite import SqliteStore

from memos.integrations.importing import NotReadable, from_jsonl, from_mem0, from_mem0_history
from memos.integrations.langgraph import MemosStore
from memos.integrations.mem0 import Memory
from memos.sdk import Memos
from tests.support.live import Live


def run(live: Live, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "memos.cli.main", "import-from", *arguments, "--url", live.url, "--key", live.key]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)


def test_mem0s_export(live: Live, memos: Memos, user: str, tmp_path: Path) -> None:
    export = tmp_path / "export.json"
    held: list[dict[str, Any]] = [
        {
            "id": "1",
            "memory": "Plays tennis",
            "user_id": user,
            "metadata": {"a": 1},
            "created_at": "2024-05-01T10:00:00",
        },
        {"id": "2", "memory": "Lives in Lisbon", "user_id": user, "metadata": None, "created_at": None},
    ]
    export.write_text(json.dumps({"results": held}))
    assert json.loads(run(live, "mem0", str(export), "--json").stdout) == {"added": 2, "duplicates": 0}
    assert json.loads(run(live, "mem0", str(export), "--json").stdout)["added"] in (
        0,
        2,
    )  # the stored answer, if at all
    found = Memory(client=memos).get_all(user_id=user)["results"]
    assert sorted(one["memory"] for one in found) == ["Lives in Lisbon", "Plays tennis"]
    assert {"a": 1, "imported_from": "mem0", "mem0_id": "1"} in [one["metadata"] for one in found]


def test_mem0s_history(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE TABLE history (id TEXT PRIMARY KEY, memory_id TEXT, old_memory TEXT, new_memory TEXT, event TEXT, "
            "created_at DATETIME, updated_at DATETIME, is_deleted INTEGER, actor_id TEXT, role TEXT)"
        )
        database.executemany(
            "INSERT INTO history (id, memory_id, old_memory, new_memory, event, created_at, is_deleted) "
            "VALUES (?, ?, ?, ?, ?, ?, 0)",
            [
                ("a", "m1", None, "Plays tennis", "ADD", "2024-05-01T10:00:00+00:00"),
                ("b", "m1", "Plays tennis", "Plays squash", "UPDATE", "2024-05-02T10:00:00+00:00"),
                ("c", "m2", None, "Is in Rome", "ADD", "2024-05-01T10:00:00+00:00"),
                ("d", "m2", "Is in Rome", None, "DELETE", "2024-05-03T10:00:00+00:00"),
            ],
        )
    database.close()
    (only,) = from_mem0_history(path, "ada")
    assert (only["text"], only["user_id"], only["valid_from"]) == ("Plays squash", "ada", "2024-05-02T10:00:00+00:00")
    with pytest.raises(NotReadable, match="is not there"):
        list(from_mem0_history(tmp_path / "nothing.db", None))


def test_a_store_of_langgraph(live: Live, memos: Memos, user: str, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with SqliteStore.from_conn_string(str(path)) as kept:
        kept.setup()
        kept.put(("users", "ada"), "food", {"text": "likes figs"})
        kept.put(("users",), "other", {"text": "likes plums"})
    done = run(live, "langgraph", str(path), "--user", user)
    assert done.stdout == "2 added, 0 remembered already\n", done.stderr
    store = MemosStore(memos, user_id=user)
    assert store.get(("users", "ada"), "food").value == {"text": "likes figs"}  # type: ignore[union-attr]
    assert {one.key for one in store.search(("users",), query="what is liked?")} == {"food", "other"}


def test_jsonl(tmp_path: Path) -> None:
    path = tmp_path / "memories.jsonl"
    path.write_text('{"text": "a", "tags": ["t"]}\n\n{"messages": [{"role": "user", "content": "b"}], "thread": "x"}\n')
    assert [item["user_id"] for item in from_jsonl(path, "ada")] == ["ada", "ada"]
    for wrong, why in (("{", "not JSON"), ('{"no": 1}', "either"), ('{"text": "a", "unknown": 1}', "unknown")):
        path.write_text(wrong)
        with pytest.raises(NotReadable, match=why):
            list(from_jsonl(path, None))
    path.write_text('{"results": 5}')
    with pytest.raises(NotReadable, match="no list"):
        list(from_mem0(path, None))


def test_what_is_refused_is_said(live: Live, tmp_path: Path) -> None:
    refused = run(live, "jsonl", str(tmp_path / "nothing"))
    assert refused.returncode != 0
    assert "not_readable" in refused.stderr
