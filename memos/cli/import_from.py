"""`memos import-from`: memories that another memory layer keeps."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from memos.cli.session import Session


class Kind(StrEnum):
    mem0 = "mem0"
    mem0_history = "mem0-history"
    langgraph = "langgraph"
    jsonl = "jsonl"


def import_from(
    session: "Session",
    kind: Annotated[Kind, typer.Argument(metavar="KIND", help="mem0, mem0-history, langgraph or jsonl.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What that program keeps or has exported.")],
    user: Annotated[str | None, typer.Option("--user", help="Whose memory it becomes; else as the file says.")] = None,
) -> None:
    """Take in memories from mem0, from a LangGraph store or from a JSONL file."""
    from memos.integrations.importing import READERS, write

    items = list(READERS[kind.value](file, user))  # all of it is read before anything is written
    written = write(session.client, items, lambda done: session.say(f"{done} of {len(items)}"))
    if session.as_json:
        session.emit_json(written)
    else:
        print(f"{written['added']} added, {written['duplicates']} remembered already")
