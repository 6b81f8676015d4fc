"""The schema itself: what holds tenants apart is there, for every table, and nothing undermines it."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import make_url

import memos.embedded.postgres
from memos.kit.db import Database
from memos.kit.errors import StartupError
from tests.isolation.tenants import DOORS, ROLES, Connection, holes, others, tenant_tables
from tests.support.postgres import Addresses, Cluster, cluster


@contextmanager
def _open(address: str) -> Iterator[Connection]:
    url = make_url(address).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def scratch(postgres_cluster: Cluster) -> Addresses:
    """A database to plant holes in."""
    return postgres_cluster.database()


def test_every_table_of_a_tenant_is_held(scratch: Addresses) -> None:
    with _open(scratch.admin) as connection:
        assert holes(connection) == []
        assert {"conversations", "turns", "memcube_versions", "outbox", "tenants"} <= set(tenant_tables(connection))
        # Who serves: ids and times of our own.
        assert others(connection) == ["alembic_version", "processes"]


PLANTS = {
    "a policy is dropped": ("DROP POLICY tenant ON turns", "turns: no policy"),
    "a policy lets all through": ("ALTER POLICY tenant ON blobs USING (true)", "blobs: its policy is not"),
    "a policy lets all in": ("ALTER POLICY tenant ON blobs WITH CHECK (true)", "blobs: its policy is not"),
    "a policy is added": ("CREATE POLICY more ON memcubes TO memos_app USING (true)", "memcubes: a policy 'more'"),
    "a door is opened to all": ("CREATE POLICY door ON turns USING (true)", "turns: a policy 'door'"),
    "an actor's policy is dropped": ("DROP POLICY actor ON memcubes", "memcubes: no policy 'actor' narrows it"),
    "an actor's policy lets through": (
        "DROP POLICY actor ON turns; CREATE POLICY actor ON turns TO memos_app USING (true)",
        "turns: no policy 'actor' narrows it",
    ),
    "an actor's policy lets all see": (
        "ALTER POLICY actor ON conversations USING (true)",
        "conversations: no policy 'actor' narrows it",
    ),
    "security is off": ("ALTER TABLE turns DISABLE ROW LEVEL SECURITY", "turns: row-level security is off"),
    "security is not forced": ("ALTER TABLE turns NO FORCE ROW LEVEL SECURITY", "turns: its owner escapes"),
    "a new table": ("CREATE TABLE notes (tenant_id text, body text)", "notes: row-level security is off"),
}


@pytest.mark.parametrize(("plant", "found"), PLANTS.values(), ids=PLANTS.keys())
def test_a_planted_hole_is_found(scratch: Addresses, plant: str, found: str) -> None:
    with _open(scratch.admin) as connection:
        connection.execute(plant)
        assert any(found in hole for hole in holes(connection)), holes(connection)


def test_the_roles_are_weak(scratch: Addresses) -> None:
    with _open(scratch.admin) as connection:
        powers = "rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication"
        rows = connection.execute(f"SELECT rolname, {powers} FROM pg_roles WHERE rolname LIKE 'memos%'").fetchall()
        assert {row[0] for row in rows} == ROLES
        assert all(not any(row[1:]) for row in rows)
        owned = "SELECT c.relname FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname = 'memos_app'"
        assert connection.execute(owned).fetchall() == []
        members = "SELECT 1 FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE r.rolname LIKE 'memos%'"
        assert connection.execute(members).fetchall() == []


def test_the_service_may_not_rewrite_history(scratch: Addresses) -> None:
    """Versions, edges and reads are written once; turns and conversations are never deleted."""
    with _open(scratch.admin) as connection:
        for table, verbs in (
            ("memcube_versions", "UPDATE DELETE TRUNCATE"),
            ("lineage_edges", "UPDATE DELETE TRUNCATE"),
            ("turn_reads", "UPDATE DELETE TRUNCATE"),
            ("turns", "DELETE TRUNCATE"),
            ("conversations", "DELETE TRUNCATE"),
            ("memcubes", "DELETE TRUNCATE"),
            ("api_keys", "DELETE TRUNCATE"),
            ("tenants", "UPDATE DELETE TRUNCATE"),
            ("cube_events", "UPDATE DELETE TRUNCATE"),
            ("audit_log", "UPDATE DELETE TRUNCATE"),
            ("audit_chain", "UPDATE DELETE TRUNCATE"),
            ("cube_grants", "DELETE TRUNCATE"),
        ):
            for verb in verbs.split():
                (may,) = connection.execute("SELECT has_table_privilege('memos_app', %s, %s)", [table, verb]).fetchone()  # type: ignore[misc]
                assert not may, (table, verb)


def test_only_the_three_doors_cross_and_they_return_ids(scratch: Addresses) -> None:
    with _open(scratch.admin) as connection:
        rows = connection.execute("""
            SELECT p.proname, pg_get_function_result(p.oid), r.rolname, p.proconfig,
                   has_function_privilege('public', p.oid, 'EXECUTE')
            FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_roles r ON r.oid = p.proowner
            WHERE p.prosecdef AND n.nspname = 'public'""").fetchall()
        assert {row[0] for row in rows} == DOORS
        for name, result, owner, config, by_all in rows:
            columns = result.removeprefix("TABLE(").removesuffix(")").split(", ")
            told = {column.split(" ")[0] for column in columns}
            assert told <= {"tenant_id", "key_id", "job_id", "task", "subject"}, name
            assert (owner, config, by_all) == ("memos_door", ["search_path=public, pg_temp"], False), name


def test_without_a_tenant_the_service_sees_nothing(scratch: Addresses) -> None:
    with _open(scratch.admin) as admin, _open(scratch.app) as app:
        admin.execute("INSERT INTO tenants (id, name) VALUES ('ten_' || repeat('0', 32), 'somebody')")
        admin.execute("INSERT INTO blobs (tenant_id, id) SELECT id, 'blob_x' FROM tenants")
        for table in tenant_tables(admin):
            assert app.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("INSERT INTO blobs (tenant_id, id) SELECT 'ten_' || repeat('0', 32), 'blob_y'")
        app.execute("SELECT set_config('memos.tenant', 'ten_' || repeat('0', 32), false)")
        assert app.execute("SELECT id FROM blobs").fetchall() == [("blob_x",)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("INSERT INTO blobs (tenant_id, id) SELECT 'ten_' || repeat('1', 32), 'blob_y'")


async def _verified(address: str) -> None:
    database = Database(address)
    try:
        await database.verify()
    finally:
        await database.aclose()


@pytest.mark.anyio
async def test_the_services_role_may_start(scratch: Addresses) -> None:
    await _verified(scratch.app)
    with _open(scratch.app) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("memos_app",)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "power", ["SUPERUSER", "BYPASSRLS", "owns a table", "is a member of the owner", "is a member of a superuser"]
)
async def test_a_role_that_could_see_more_is_refused(scratch: Addresses, power: str) -> None:
    with _open(scratch.admin) as connection:
        role = f"strong_{scratch.name}"
        granted = power if power in ("SUPERUSER", "BYPASSRLS") else ""
        connection.execute(f"CREATE ROLE {role} LOGIN {granted}")
        try:
            if power == "owns a table":
                connection.execute("CREATE TABLE extra (tenant_id text)")
                connection.execute(f"ALTER TABLE extra OWNER TO {role}")
            elif power == "is a member of the owner":
                connection.execute(f"GRANT memos_owner TO {role}")
            elif power == "is a member of a superuser":
                connection.execute(f"GRANT {make_url(scratch.admin).username} TO {role}")
            with pytest.raises(StartupError) as refused:
                await _verified(str(make_url(scratch.app).set(username=role)))
            assert "memos_app" in refused.value.hint
        finally:
            connection.execute(f"DROP OWNED BY {role}")
            connection.execute(f"DROP ROLE {role}")


@pytest.mark.anyio
async def test_a_database_that_acknowledges_before_it_writes_is_refused(scratch: Addresses) -> None:
    with _open(scratch.admin) as connection:
        connection.execute(f"ALTER DATABASE {scratch.name} SET synchronous_commit = off")
    with pytest.raises(StartupError) as refused:
        await _verified(scratch.app)
    assert "synchronous_commit is off" in refused.value.message
    assert "synchronous_commit" in refused.value.hint


@pytest.mark.anyio
async def test_a_cluster_that_could_lose_a_commit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real cluster with both switched off; the embedded one would refuse to start, so that check is told to pass."""
    unsafe = {"fsync": "off", "full_page_writes": "off"}
    monkeypatch.setattr(memos.embedded.postgres, "SETTINGS", memos.embedded.postgres.SETTINGS | unsafe)
    monkeypatch.setattr(memos.embedded.postgres, "REQUIRED", {})
    with cluster() as careless, pytest.raises(StartupError) as refused:
        await _verified(careless.database().app)
    assert "fsync, full_page_writes is off" in refused.value.message
