"""Brings a database to the newest schema: `python -m migrations.runner`, or `upgrade()` at the embedded start.

Connects as the cluster's administrator, makes the three roles if they are missing, then migrates under an advisory
lock, so that any number of processes may start at once. `memos_owner` owns every table, `memos_app` is what the
service connects as (it owns nothing and sees one tenant at a time), `memos_door` owns the three functions that cross
tenants. None of them is a superuser or may bypass row-level security.
"""

import os
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text

# Any number, as long as no other program picks the same: "memos" in ASCII.
ADVISORY_LOCK = 0x6D656D6F73
LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "300s"
ROLES = {"memos_owner": "NOLOGIN", "memos_app": "LOGIN", "memos_door": "NOLOGIN"}


def upgrade(admin_url: str, *, app_password: str | None = None) -> None:
    """Creates the roles and migrates to head. Safe to call from many processes at once, and again."""
    engine = create_engine(admin_url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
            try:
                _ensure_roles(connection, app_password)
                connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
                connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
                _migrate(engine.execution_options(isolation_level="READ COMMITTED").connect())
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": ADVISORY_LOCK})
    finally:
        engine.dispose()


def make_roles(admin_url: str) -> None:
    """Only the roles: for a database that is restored, schema and all."""
    engine = create_engine(admin_url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            _ensure_roles(connection, None)
    finally:
        engine.dispose()


def _ensure_roles(connection: Connection, app_password: str | None) -> None:
    present = set(connection.scalars(text("SELECT rolname FROM pg_roles WHERE rolname LIKE 'memos\\_%'")))
    for role, login in ROLES.items():
        if role not in present:
            connection.execute(text(f"CREATE ROLE {role} {login} NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE"))
    if app_password is not None:
        quoted = connection.scalar(text("SELECT quote_literal(:password)"), {"password": app_password})
        connection.execute(text(f"ALTER ROLE memos_app PASSWORD {quoted}".replace(":", "\\:")))


def _migrate(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    try:
        connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
        connection.commit()
        command.upgrade(config, "head")
        _add_vectors(connection)
    finally:
        connection.close()


def _add_vectors(connection: Connection) -> None:
    """What the fourteenth revision left out because the server had no pgvector then, if it has it now."""
    if connection.scalar(text("SELECT to_regclass('public.dense_vectors') IS NULL")):
        script = Path(__file__).parent / "versions" / "v0014_vectors.sql"
        with closing(connection.connection.cursor()) as cursor:
            cursor.execute(script.read_text())
        connection.commit()


if __name__ == "__main__":
    upgrade(os.environ["MEMOS_DATABASE_ADMIN_URL"], app_password=os.environ.get("MEMOS_APP_PASSWORD"))
