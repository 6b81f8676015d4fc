"""The ledger of erasures beside the backups, and what a restored service does with it.

A backup that is older than an erasure still holds what was erased. So wherever backups were written, the folder around
them also holds the ledger of all erasures: it is brought up to date by every backup and, while the service runs, by a
schedule. A restore takes the newest entries from every ledger it finds, and the restored service erases them again
before it serves anything. Entries hold ids and no words (`memos.erasure.ledger`).
"""

import asyncio
import contextlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import structlog

from memos.backup.folder import LEDGER, BackupRefused
from memos.erasure import ledger
from memos.kit.config import Settings
from memos.kit.db import Database
from memos.kit.doors import tenant_ids
from memos.kit.errors import StartupError
from memos.outbox import store as outbox
from memos.outbox.schedule import Schedule, register

LOG = structlog.get_logger(__name__)
SCHEDULE = register(Schedule("erasure_ledger", "keep_ledger", 60.0))
PLACES = "backups.json"  # in the data directory: the folders that hold backups of it
TO_ERASE = "erase-again.jsonl"  # in a restored data directory, until it was done
POLL_S = 0.5
Entry = Mapping[str, Any]


def read(path: Path) -> list[Entry]:
    """Raises BackupRefused for a ledger that cannot be read: to pass over it could bring erased words back."""
    try:
        entries = [json.loads(line) for line in path.read_text().splitlines()]
        return [entry for entry in entries if entry["id"] and entry["tenant_id"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupRefused(
            f"the ledger of erasures {path} cannot be read: {error}",
            hint="Bring back a whole copy of it: without it a restore could bring back what was erased.",
        ) from error


def keep(path: Path, entries: Iterable[Entry]) -> int:
    """Adds entries to a ledger, each once; how many it holds now. Replaces the file as a whole."""
    known = {entry["id"]: entry for entry in [*read(path), *entries]}
    body = "".join(json.dumps(known[found], sort_keys=True) + "\n" for found in sorted(known))
    if not path.exists() or path.read_text() != body:
        draft = path.with_name(f".{path.name}.{os.getpid()}.new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    return len(known)


def places(data_dir: Path) -> list[Path]:
    """The folders in which backups of this data directory were made."""
    with contextlib.suppress(FileNotFoundError):
        return [Path(place) for place in json.loads((data_dir / PLACES).read_text())]
    return []


def remember_place(data_dir: Path, folder: Path) -> None:
    known = sorted({str(folder), *(str(place) for place in places(data_dir))})
    draft = data_dir / f".{PLACES}.new"
    draft.write_text(json.dumps(known))
    os.replace(draft, data_dir / PLACES)


async def entries_of(database: Database, tenants: Iterable[str]) -> list[Entry]:
    found: list[Entry] = []
    for tenant_id in tenants:
        async with database.unit_of_work(tenant_id) as work:
            found += [entry async for entry in ledger.export(work)]
    return found


@dataclass(frozen=True, slots=True)
class KeepLedger:
    """The task: brings the ledgers beside the backups up to date with a tenant's erasures."""

    database: Database
    settings: Settings

    async def __call__(self, tenant_id: str, subject: str) -> Literal["settled"]:
        folders = places(self.settings.data_dir)
        if folders:
            entries = await entries_of(self.database, [tenant_id])
            for folder in folders:
                await asyncio.to_thread(_keep_if_there, folder, entries)
        return "settled"


def _keep_if_there(folder: Path, entries: list[Entry]) -> None:
    """A folder that is away (a disk that is not mounted) is told of, and no reason to fail: the next run tries it."""
    if not entries or not folder.is_dir():
        if entries:
            LOG.warning("ledger.folder_away", folder=str(folder))
        return
    try:
        keep(folder / LEDGER, entries)
    except OSError as error:
        LOG.warning("ledger.not_kept", folder=str(folder), reason=str(error))


async def catch_up(database: Database, data_dir: Path, say: Callable[[str], None]) -> int:
    """Erases again what the ledger of a restored data directory names, and returns once it is gone: how many erasures
    that were. Called before anything is served, with the background work running; safe to be killed and called again.
    Raises StartupError when one of them fails."""
    path = data_dir / TO_ERASE
    entries = read(path)
    if not entries:
        return 0
    wanted: dict[str, list[str]] = {}
    for tenant_id in await tenant_ids(database):
        mine = [entry for entry in entries if entry["tenant_id"] == tenant_id]
        if mine:
            async with database.unit_of_work(tenant_id) as work:
                await ledger.reapply(work, mine)
            wanted[tenant_id] = [str(entry["id"]) for entry in mine]
    count = sum(len(ids) for ids in wanted.values())
    say(f"erasing again what was erased after the backup: {count} erasures")
    while left := await _unfinished(database, wanted):
        wanted = left
        await asyncio.sleep(POLL_S)
    path.unlink()
    return count


async def _unfinished(database: Database, wanted: dict[str, list[str]]) -> dict[str, list[str]]:
    left = {}
    for tenant_id, ids in wanted.items():
        async with database.unit_of_work(tenant_id) as work:
            open_ones = await ledger.unfinished(work, ids)
            failed = await outbox.failed_of(work, open_ones)
        if failed:
            raise StartupError(
                f"erasure {failed[0]['subject']} could not be done again: {failed[0]['error']}",
                hint="Nothing is served before it is: look at the log for its error, and start again.",
            )
        if open_ones:
            left[tenant_id] = open_ones
    return left
