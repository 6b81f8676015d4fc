"""`memos restore`: a backup becomes the data directory of a service that was not there before.

Refuses to write over anything: a data directory that is in use, and one that is not, are both somebody's memory.
Everything is made in a folder beside it, checked (every payload against its hash, every version's chain from its first
version on, that every payload a row names is there) and only then given its name. What was erased after the backup was
taken is erased again by the service, before it serves anything (`memos.backup.ledger`).
"""

import asyncio
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from memos.backup import folder as backups
from memos.backup import ledger
from memos.backup.folder import BackupRefused, Manifest
from memos.backup.payloads import copy_in, sync_all
from memos.embedded.backup import APP_ROLE, SAID_LINES
from memos.embedded.datadir import ADMIN_KEY, SECRET, DataDirectory, read_service, write_private
from memos.embedded.postgres import DATABASE, EmbeddedPostgres
from memos.embedded.progress import Progress
from memos.invariants import chains
from memos.kit.config import Settings
from memos.kit.db import Database
from memos.kit.doors import tenant_ids
from memos.kit.errors import StartupError
from migrations.runner import make_roles, upgrade

WITHOUT_SECRET = (
    "a backup of the distributed placement holds no secret: serve with the MEMOS_SECRET of then, or no API key works"
)
_NAMED = "SELECT DISTINCT blob_id FROM memcube_versions WHERE blob_id IS NOT NULL"


class DirectoryTaken(StartupError):
    """A restore writes over nothing."""

    code = "directory_taken"
    hint = "Pass a --data-dir that is not there yet; to replace this one, stop its service and move it away first."


class RestoreFailed(StartupError):
    """The backup could not be restored."""

    code = "restore_failed"
    hint = "Nothing was put in place. Use another backup, or the release that made this one."


def restore(settings: Settings, source: Path, progress: Progress, extra_ledger: Path | None = None) -> dict[str, Any]:
    """Returns what was restored: seconds, bytes, versions checked, erasures still to be done again. Raises
    DirectoryTaken, BackupRefused, RestoreFailed."""
    began = time.perf_counter()
    source, target = source.absolute(), settings.data_dir.absolute()
    _refuse_taken(target)
    with progress.step("checking the backup"):
        manifest = backups.opened(source)
    draft = target.with_name(f".{target.name}.restoring-{os.getpid()}")
    try:
        told = _made(source, manifest, draft, extra_ledger, progress)
        sync_all()
        if target.exists():
            target.rmdir()  # empty, or this fails
        draft.rename(target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    sync_all()
    return {
        "data_dir": str(target),
        "seconds": round(time.perf_counter() - began, 3),
        "bytes": manifest.payload_bytes + sum(file.bytes for file in manifest.files),
        "made_at": manifest.made_at.isoformat(),
        **told,
    }


def _refuse_taken(target: Path) -> None:
    service = read_service(target) if target.is_dir() else None
    if service is not None:
        raise DirectoryTaken(f"memos serves {target} at {service.url} (pid {service.pid})")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise DirectoryTaken(f"{target} is there already, and not empty")


def _made(
    source: Path, manifest: Manifest, draft: Path, extra_ledger: Path | None, progress: Progress
) -> dict[str, Any]:
    postgres = EmbeddedPostgres(draft / "postgres", progress)
    with DataDirectory(draft) as data:
        if manifest.placement == "embedded":
            for name in (SECRET, ADMIN_KEY):
                write_private(data.path / name, (source / name).read_text())
        blobs = data.path / "blobs"
        blobs.mkdir(mode=0o700)
        with progress.step("restoring the payloads"):
            count, size = copy_in(blobs, backups.payloads_in(source), source, progress.say)
        postgres.start()
        try:
            with progress.step("restoring the database"):
                _load(postgres, source / backups.DUMP)
            with progress.step("checking every chain"):
                _refuse_missing(postgres, source)
                checked = asyncio.run(_check(postgres.url_for(APP_ROLE, None)))
            postgres.stop()
        except BaseException:
            postgres.erase()  # as root its cluster is in a folder of its own
            raise
        entries = _ledger(source, extra_ledger)
        if entries:
            ledger.keep(data.path / ledger.TO_ERASE, entries)
        notes = [] if manifest.placement == "embedded" else [WITHOUT_SECRET]
        return {
            "payloads": count,
            "payload_bytes": size,
            "erasures_to_repeat": len(entries),
            "notes": notes,
            **checked,
        }


def _ledger(source: Path, extra: Path | None) -> list[ledger.Entry]:
    """What every ledger at hand names: the backup's own, the one beside it, and one that is given."""
    paths = [source / backups.LEDGER, source.parent / backups.LEDGER, *([extra] if extra else [])]
    if extra is not None and not extra.exists():
        raise BackupRefused(f"there is no ledger {extra}")
    found = {entry["id"]: entry for path in paths for entry in ledger.read(path)}
    return [found[name] for name in sorted(found)]


def _load(postgres: EmbeddedPostgres, dump: Path) -> None:
    make_roles(postgres.admin_url)
    admin = make_url(postgres.admin_url).set(drivername="postgresql")
    outside = admin.set(database="postgres").render_as_string(hide_password=False)
    name = sql.Identifier(DATABASE)
    with psycopg.connect(outside, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {}").format(name))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
    command: list[str | Path] = [
        postgres.binaries / "pg_restore", "--exit-on-error", "--single-transaction",
        f"--dbname={admin.render_as_string(hide_password=False)}", dump,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RestoreFailed("pg_restore: " + "\n".join(done.stderr.strip().splitlines()[:SAID_LINES]))
    upgrade(postgres.admin_url)  # of an older release's backup


def _refuse_missing(postgres: EmbeddedPostgres, source: Path) -> None:
    listed = {payload.id for payload in backups.payloads_in(source)}
    address = make_url(postgres.admin_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as connection:
        named = {row[0] for row in connection.execute(_NAMED)}
    if named - listed:
        raise BackupRefused(f"{backups.PAYLOAD_LIST} does not name {min(named - listed)}, which a version needs")


async def _check(app_url: str) -> dict[str, Any]:
    """Every chain of every tenant. Raises RestoreFailed naming the first cube whose line is broken."""
    database = Database(app_url, pool_size=2)
    versions = 0
    try:
        tenants = await tenant_ids(database)
        for tenant_id in tenants:
            count, broken = await chains.check_all(database.single(tenant_id))
            versions += count
            if broken:
                raise RestoreFailed(f"{len(broken)} chains are broken; {broken[0].subject}: {broken[0].detail}")
    finally:
        await database.aclose()
    return {"tenants": len(tenants), "versions_checked": versions}
