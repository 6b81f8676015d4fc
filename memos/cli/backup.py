"""`memos backup` and `memos restore`: the whole service into a folder, and back. Both work on the data directory
itself, whether its service runs or not; the server's packages are imported here when they run.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from memos.cli.serve import require_server, settings_from
from memos.cli.session import Session


def backup(
    session: Session,
    destination: Annotated[Path, typer.Argument(metavar="DEST", help="A folder that is not there yet.")],
) -> None:
    """Makes a backup of the whole service, while it runs or while it is stopped."""
    require_server()
    from memos.embedded.backup import backup as make
    from memos.embedded.progress import Progress

    done = make(settings_from(data_dir=session.data_dir), destination, Progress(session.say))
    session.emit(done, lambda: _backed_up(done))


def restore(
    session: Session,
    source: Annotated[Path, typer.Argument(metavar="SRC", help="A folder that `memos backup` made.")],
    ledger: Annotated[
        Path | None,
        typer.Option("--ledger", help="A further ledger of erasures, newer than the one beside the backup."),
    ] = None,
) -> None:
    """Makes a data directory from a backup, and writes over nothing. What was erased since is erased again."""
    require_server()
    from memos.embedded.progress import Progress
    from memos.embedded.restore import restore as put_back

    settings = settings_from(data_dir=session.data_dir)
    done = put_back(settings, source, Progress(session.say), ledger)
    session.emit(done, lambda: _restored(done))


def _backed_up(done: dict[str, Any]) -> str:
    lines = [
        f"{done['path']}: {done['bytes']:,} bytes in {done['seconds']} s",
        f"the database in {done['database_bytes']:,} bytes, {done['payloads']:,} payloads",
        *(f"not in it: {part}" for part in done["not_covered"]),
    ]
    return "\n".join(lines)


def _restored(done: dict[str, Any]) -> str:
    lines = [
        f"{done['data_dir']}: {done['bytes']:,} bytes in {done['seconds']} s, as of {done['made_at']}",
        f"{done['versions_checked']:,} versions of {done['tenants']} tenants checked: every chain is unbroken",
    ]
    lines += [f"note: {note}" for note in done["notes"]]
    if done["erasures_to_repeat"]:
        lines.append(f"{done['erasures_to_repeat']} erasures are done again before the service serves anything")
    return "\n".join(lines)
