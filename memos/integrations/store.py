"""SQL of other programs' SQLite files, read only: the other program may be running."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

_MEM0_HISTORY = "SELECT * FROM history ORDER BY created_at, rowid"
_LANGGRAPH = "SELECT prefix, key, value FROM store ORDER BY prefix, key"


def mem0_history(path: Path) -> list[dict[str, Any]]:
    """What happened to memories, oldest first. Raises sqlite3.Error."""
    return _rows(path, _MEM0_HISTORY)


def langgraph_items(path: Path) -> list[dict[str, Any]]:
    """Of LangGraph's store: prefix (the namespace, joined by dots), key and value (JSON). Raises sqlite3.Error."""
    return _rows(path, _LANGGRAPH)


def _rows(path: Path, query: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query)]
