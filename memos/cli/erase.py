"""`memos erase`: says what would go, asks, erases, waits for the receipt; and checks receipts."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memos.cli.session import Session

if TYPE_CHECKING:
    from rich.console import RenderableType

    from memos.sdk import Erasure, ReceiptChecked

POLL_S = 0.2
OF_TARGET = {"conv": "conversation_id", "turn": "turn_id", "cube": "cube_id", "ver": "version_id"}
MOST_SHOWN = 200


def erase(
    session: Session,
    target: Annotated[
        str | None, typer.Argument(metavar="ID", help="Id of a conversation, a turn, a cube or a version.")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", help="Erase all of this user instead.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be reached.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: erase what the dry run reaches.")] = False,
    derived: Annotated[
        str, typer.Option("--derived", help="Later answers that quote it: redact (the default), erase or list.")
    ] = "redact",
    receipt: Annotated[Path | None, typer.Option("--receipt", help="Write the receipt to this file.")] = None,
    verify: Annotated[Path | None, typer.Option("--verify", help="Check the receipt in this file instead.")] = None,
) -> None:
    """Erases a user, conversation, turn, cube or version with everything that came of it; gives a signed receipt."""
    if verify is not None:
        _verify(session, verify)
        return
    wanted = _wanted(target, user)
    with session.waiting("looking at what would be reached"):
        plan = _ended(session, session.client.erasures.create(**wanted, dry_run=True, derived=derived))
    if dry_run:
        session.emit(plan, lambda: _plan(session, plan))
        return
    if not yes:
        session.err.print(_plan(session, plan))
        typer.confirm("Erase all of this? It cannot be undone.", abort=True, err=True)
    with session.waiting("erasing"):
        done = _ended(session, session.client.erasures.create(**wanted, derived=derived))
    if receipt is not None:
        receipt.write_text(json.dumps(done.receipt, indent=1))
    session.emit(done, lambda: _done(done, receipt))


def _wanted(target: str | None, user: str | None) -> dict[str, Any]:
    from memos.sdk import MemosError

    if (target is None) == (user is None):
        raise MemosError("name one thing to erase: its id, or --user", code="bad_usage", hint="memos erase --help")
    if target is None:
        return {"user_id": user or ""}
    name = OF_TARGET.get(target.partition("_")[0])
    if name is None:
        raise MemosError(
            f"{target} is not the id of something that can be erased",
            code="bad_usage",
            hint="Name a conversation (conv_...), a turn (turn_...), a cube (cube_...) or a version (ver_...).",
        )
    return {name: target}


def _ended(session: Session, begun: "Erasure") -> "Erasure":
    from memos.sdk import MemosError

    while begun.status in ("queued", "running"):
        time.sleep(POLL_S)
        begun = session.client.erasures.get(begun.id)
    if begun.status == "failed":
        error = begun.error or {}
        raise MemosError(
            str(error.get("detail", "the erasure failed")), code=str(error.get("code")), hint=error.get("hint")
        )
    return begun


def _plan(session: Session, plan: "Erasure") -> "RenderableType":
    from rich.table import Table

    table = Table("store", "what", "id", "why", title=f"{sum(map(sum, map(dict.values, plan.plan.values())))} things")
    for number, item in enumerate(session.client.erasures.items(plan.id, page_size=MOST_SHOWN)):
        if number == MOST_SHOWN:
            table.add_row("...", "", "", f"GET /v1/erasures/{plan.id}/items has all of them")
            break
        table.add_row(item.store, item.action, item.id, item.why)
    return table


def _done(done: "Erasure", receipt: Path | None) -> str:
    lines = [f"{done.id}: {done.done} things are gone, and nothing of them is left (logical stage, {done.logical_at})"]
    if done.physical_at is not None:
        lines.append(f"the tables are rewritten and old log is gone (physical stage, {done.physical_at})")
    else:
        lines.append("physical stage: to come, by a process that has MEMOS_DATABASE_ADMIN_URL")
    for stage in ("logical", "physical"):
        out_of_reach = ((done.receipt or {}).get(stage) or {}).get("not_reached", [])
        lines += [f"not reached: {one['what']}, until {one['until']}" for one in out_of_reach]
    if receipt is not None:
        lines.append(f"receipt: {receipt}")
    return "\n".join(lines)


def _verify(session: Session, path: Path) -> None:
    from memos.sdk import MemosError

    try:
        receipt = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise MemosError(
            f"{path} holds no receipt: {error}", code="bad_receipt", hint="Pass a file of --receipt."
        ) from error
    with session.waiting("checking the receipt"):
        checked = session.client.erasures.verify(receipt)
    session.emit(checked, lambda: _checked(checked))
    if not checked.ok:
        raise typer.Exit(1)


def _checked(checked: "ReceiptChecked") -> str:
    if checked.ok:
        stages = ", ".join(checked.signatures)
        return f"{checked.erasure_id}: signed ({stages}); {checked.checked} things looked for, none left; chains whole"
    wrong = [
        f"the signature of the stage {stage} does not hold" for stage, holds in checked.signatures.items() if not holds
    ]
    return "\n".join([*(wrong or ["this service knows no such erasure"]), *checked.residue, *checked.broken_chains])
