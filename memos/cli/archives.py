"""Archives: a conversation, a user or some cubes in one file, and back."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memos.cli.session import Session

if TYPE_CHECKING:
    from memos.sdk import ImportedArchive


def export(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the archive is written; must not be there yet.")],
    conversation: Annotated[
        str | None, typer.Option("--conversation", help="A conversation, with those it was forked from.")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", help="Everything of a user.")] = None,
    cube: Annotated[list[str] | None, typer.Option("--cube", help="A cube; may be given several times.")] = None,
) -> None:
    """Writes a conversation, a user's memory or some cubes to one file."""
    from memos.sdk import MemosError

    if sum(wanted is not None for wanted in (conversation, user, cube or None)) != 1:
        raise MemosError(
            "say what to export", code="what_to_export", hint="Give one of --conversation, --user and --cube."
        )
    try:
        # Nobody else may read it: it holds somebody's memory.
        out = os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except OSError as error:
        raise MemosError(
            f"{file} cannot be written: {error.strerror}",
            code="cannot_write",
            hint="Name a file that is not there yet.",
        ) from error
    try:
        with out, session.waiting("exporting"):
            body = session.client.cubes.export(cube_ids=cube or None, conversation_id=conversation, user_id=user)
            out.write(body)
    except BaseException:
        file.unlink()  # what is not whole is no archive
        raise
    session.emit({"file": str(file), "bytes": len(body)}, lambda: f"{file}: {len(body):,} bytes")


def import_archive(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An archive that `memos export` wrote.")],
    user: Annotated[
        str | None, typer.Option("--user", help="Whose memory it becomes; else the archived user's.")
    ] = None,
) -> None:
    """Takes an archive in, as new cubes and conversations; changes nothing that is there."""
    from memos.sdk import MemosError

    try:
        body = file.read_bytes()
    except OSError as error:
        raise MemosError(f"{file} cannot be read: {error.strerror}", code="cannot_read") from error
    with session.waiting("importing"):
        done = session.client.cubes.import_archive(body, user_id=user)
    session.emit(done, lambda: _told(done))


def _told(done: "ImportedArchive") -> str:
    lines = [f"{pair.archived_id} is now {pair.id}" for pair in [*done.conversations, *done.cubes]]
    lines.append(
        f"{done.versions} versions, {done.turns} turns, {done.payloads} payloads of {done.payload_bytes:,} bytes"
    )
    return "\n".join(lines)
