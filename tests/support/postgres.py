"""One real Postgres per test process, and as many migrated databases in it as tests ask for."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from sqlalchemy import make_url

from memos.embedded.postgres import EmbeddedPostgres
from migrations.runner import upgrade


class Cluster:
    """A running cluster. `database()` makes a fresh, migrated database and names its addresses."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.server = server
        # The first migration runs once; every other database is a copy of its result.
        upgrade(server.admin_url)

    @contextmanager
    def admin(self, database: str = "postgres") -> "Iterator[psycopg.Connection[tuple[object, ...]]]":
        url = make_url(self.server.admin_url).set(drivername="postgresql", database=database)
        with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
            yield connection

    def database(self) -> "Addresses":
        name = f"test_{uuid4().hex[:12]}"
        with self.admin() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE memos")
        return Addresses(
            name=name,
            app=str(make_url(self.server.url_for("memos_app", None)).set(database=name)),
            admin=str(make_url(self.server.admin_url).set(database=name)),
        )


class Addresses:
    """How to reach one database: as the service's role, and as the administrator (for looking from outside)."""

    def __init__(self, name: str, app: str, admin: str) -> None:
        self.name = name
        self.app = app
        self.admin = admin


@contextmanager
def cluster() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="memos-test-") as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres")
        server.start()
        try:
            yield Cluster(server)
        finally:
            server.stop()
            server.erase()  # as root it lies outside the temporary folder
