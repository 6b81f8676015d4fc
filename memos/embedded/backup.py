"""`memos backup`: the whole service into one new folder, while it runs or while it is stopped.

Order is what makes it consistent, and it is this: one snapshot of the database is taken and exported; every row of it
is dumped; the payloads that its rows name are copied, each checked against its hash; the ledger of erasures is written;
the manifest, last. The folder has its name only once all of that is on disk: what a killed backup leaves behind is
called `.partial` and is no backup.

Of the distributed placement it takes the database (as MEMOS_DATABASE_ADMIN_URL) and the blob store, and it says what it
does not take: `NOT_COVERED`.
"""

import asyncio
import importlib.metadata
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

from memos.backup import ledger
from memos.backup.folder import DUMP, LEDGER, PAYLOAD_LIST, PAYLOADS, Manifest, Payload, files_in, seal
from memos.backup.payloads import copy_out, sync_all
from memos.embedded.datadir import ADMIN_KEY, LOCK, SECRET, DataDirectory, read_service
from memos.embedded.place import wheel_binaries
from memos.embedded.postgres import EmbeddedPostgres
from memos.embedded.progress import Progress
from memos.kit.blobs import Blobs
from memos.kit.config import Settings
from memos.kit.db import Database
from memos.kit.doors import tenant_ids
from memos.kit.errors import StartupError

SAID_LINES = 5
FETCHED = 2_000
APP_ROLE = "memos_app"
NOT_COVERED = (
    "MEMOS_SECRET: without it no API key works; keep it where you keep your secrets",
    "Redis: nothing has to be; what is queued is in the database and is sent again",
    "the configuration, other databases and roles of your PostgreSQL, its archived WAL and its replicas",
)
_PAYLOADS = """
    SELECT v.blob_id, v.payload_sha256, min(v.size_bytes) FROM memcube_versions v
    WHERE v.blob_id IS NOT NULL
      AND NOT EXISTS (SELECT FROM blobs b WHERE b.id = v.blob_id AND b.thinned_at IS NOT NULL)
    GROUP BY 1, 2 ORDER BY 1"""
_HELD = "SELECT 1 FROM memcube_versions WHERE blob_id = %s LIMIT 1"


class NoService(StartupError):
    """There is no service here to back up."""

    code = "no_service"
    hint = "Pass the --data-dir of a service, or set MEMOS_DATABASE_ADMIN_URL and MEMOS_BLOB_URL."


class BackupFailed(StartupError):
    """The backup could not be made."""

    code = "backup_failed"
    hint = "Mend what the detail says and take it again; what is there of it is called .partial."


class DestinationTaken(StartupError):
    """There is something already where the backup should go."""

    code = "destination_taken"
    hint = "Name a folder that is not there yet; each backup has one of its own."


@dataclass(frozen=True, slots=True)
class Source:
    """Where to read: the database as its administrator and as the service's role, and where pg_dump is."""

    admin_url: str
    app_url: str
    binaries: Path
    embedded: bool


def backup(settings: Settings, destination: Path, progress: Progress) -> dict[str, Any]:
    """Returns what was made: path, bytes, seconds. Raises NoService, DestinationTaken, BackupFailed, BlobMissing."""
    began = time.perf_counter()
    destination = destination.absolute()
    if destination.exists():
        raise DestinationTaken(f"{destination} is there already")
    draft = destination.with_name(f"{destination.name}.partial")
    if draft.exists():
        shutil.rmtree(draft)
    (draft / PAYLOADS).mkdir(mode=0o700, parents=True)
    draft.chmod(0o700)
    with _source(settings, progress) as source:
        manifest = _fill(settings, source, draft, destination.parent, progress)
    sync_all()
    draft.rename(destination)
    sync_all()
    dumped = next(file.bytes for file in manifest.files if file.name == DUMP)
    return {
        "path": str(destination),
        "placement": manifest.placement,
        "seconds": round(time.perf_counter() - began, 3),
        "bytes": manifest.payload_bytes + sum(file.bytes for file in manifest.files),
        "database_bytes": dumped,
        "payloads": manifest.payloads,
        "payload_bytes": manifest.payload_bytes,
        "not_covered": [] if source.embedded else list(NOT_COVERED),
    }


@contextmanager
def _source(settings: Settings, progress: Progress) -> Iterator[Source]:
    if not settings.embedded:
        if settings.database_admin_url is None or settings.database_url is None:
            raise NoService("MEMOS_DATABASE_ADMIN_URL is not set: only the owner sees every tenant's rows")
        yield Source(settings.database_admin_url, settings.database_url, wheel_binaries(), embedded=False)
        return
    data_dir = settings.data_dir.absolute()
    if not (data_dir / LOCK).exists():
        raise NoService(f"{data_dir} is not the data directory of a service")
    postgres = EmbeddedPostgres(data_dir / "postgres", progress)
    with ExitStack() as stack:
        if read_service(data_dir) is not None:
            postgres.attach()
        else:
            stack.enter_context(DataDirectory(data_dir))  # refused while one is starting or stopping
            postgres.start()
            stack.callback(postgres.stop)
        yield Source(postgres.admin_url, postgres.url_for(APP_ROLE, None), postgres.binaries, embedded=True)


def _fill(settings: Settings, source: Source, draft: Path, beside: Path, progress: Progress) -> Manifest:
    """Everything into the folder; its manifest."""
    address = make_url(source.admin_url).set(drivername="postgresql").render_as_string(hide_password=False)
    blobs = Blobs(settings.effective_blob_url)
    with psycopg.connect(address) as reader, psycopg.connect(address, autocommit=True) as now:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reader.read_only = True
        facts = _facts(reader)
        with progress.step("dumping the database"):
            _dump(source, address, facts["snapshot"], draft / DUMP)

        def erased(blob_id: str) -> bool:
            return now.execute(_HELD, [blob_id]).fetchone() is None

        with progress.step("copying the payloads"), (draft / PAYLOAD_LIST).open("w") as listed:
            count = size = 0
            for payload in copy_out(blobs, _payloads(reader), draft, erased, progress.say):
                listed.write(payload.model_dump_json() + "\n")
                count, size = count + (not payload.gone), size + payload.bytes * (not payload.gone)
    entries = asyncio.run(_entries(source.app_url))
    ledger.keep(draft / LEDGER, entries)
    ledger.keep(beside / LEDGER, entries)
    if source.embedded:
        data_dir = settings.data_dir.absolute()
        ledger.remember_place(data_dir, beside)
        for name in (SECRET, ADMIN_KEY):
            shutil.copy2(data_dir / name, draft / name)
    for path in draft.iterdir():
        path.chmod(0o700 if path.is_dir() else 0o600)
    manifest = Manifest(
        memos=importlib.metadata.version("memos"),
        postgres=facts["postgres"],
        schema_revision=facts["revision"],
        made_at=datetime.now(UTC),
        placement="embedded" if source.embedded else "distributed",
        payloads=count,
        payload_bytes=size,
        files=files_in(draft),
    )
    seal(draft, manifest)
    return manifest


def _facts(reader: "psycopg.Connection[Any]") -> dict[str, str]:
    """The snapshot that everything is read from, and of what it is."""
    row = reader.execute(
        "SELECT pg_export_snapshot(), current_setting('server_version'), (SELECT version_num FROM alembic_version)"
    ).fetchone()
    if row is None:
        raise BackupFailed("the database has no schema")
    return dict(zip(("snapshot", "postgres", "revision"), map(str, row), strict=True))


def _dump(source: Source, address: str, snapshot: str, target: Path) -> None:
    url = make_url(address)
    shown = url.set(password=None).render_as_string()  # what is on a command line, everybody sees
    command: list[str | Path] = [
        source.binaries / "pg_dump", "--format=custom", "--compress=gzip:1", f"--snapshot={snapshot}",
        f"--file={target}", f"--dbname={shown}",
    ]  # fmt: skip
    secret = {"PGPASSWORD": str(url.password)} if url.password is not None else {}
    done = subprocess.run(command, env=os.environ | secret, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = "\n".join(done.stderr.strip().splitlines()[-SAID_LINES:])
        raise BackupFailed(f"the database could not be dumped: {said}")


def _payloads(reader: "psycopg.Connection[Any]") -> Iterator[Payload]:
    with reader.cursor(name="payloads") as rows:
        rows.itersize = FETCHED
        rows.execute(_PAYLOADS)
        for blob_id, sha256, size in rows:
            yield Payload(id=blob_id, bytes=size, sha256=sha256)


async def _entries(app_url: str) -> list[ledger.Entry]:
    database = Database(app_url, pool_size=2)
    try:
        return await ledger.entries_of(database, await tenant_ids(database))
    finally:
        await database.aclose()
