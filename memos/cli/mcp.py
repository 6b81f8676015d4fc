"""`memos mcp`: the Model Context Protocol over stdio, for clients that start their servers themselves. It speaks to a
service that runs already, found as every command finds it; nothing but the protocol goes to standard output.
"""

import importlib.util
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from memos.cli.session import Session


def mcp(
    session: "Session",
    user: Annotated[str | None, typer.Option("--user", help="Act for this user alone.")] = None,
) -> None:
    """Serve memory to a client of the Model Context Protocol, over standard input and output."""
    if importlib.util.find_spec("mcp") is None:
        raise typer.BadParameter("the protocol's package is missing: pip install 'memos[server]'")
    from memos.integrations.mcp import build, of_one
    from memos.sdk import AsyncMemos

    client = AsyncMemos(session.url, session.api_key, data_dir=session.data_dir, user_id=user)
    build(of_one(client)).run("stdio")
