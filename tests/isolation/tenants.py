"""Two tenants, and what forced row-level security must look like. The catalogue checks are functions, so that a planted
hole can be shown to be found by the very same check that guards the schema.
"""

from dataclasses import dataclass
from typing import Any

import httpx2
import psycopg

# What the service's role sees of a tenant's table, and nothing else may stand beside it but a door's own policy.
OURS = "(tenant_id = memos_tenant())"
# Restrictive policies narrow further, to what an actor within the tenant may see (migration 0006): none may be missing,
# and none lets anything through by itself.
ACTOR_POLICIES = {
    "conversations": {"actor"}, "turns": {"actor"}, "memcubes": {"actor", "actor_adds"},
    "memcube_versions": {"actor", "actor_adds"}, "cube_events": {"actor"}, "lineage_edges": {"actor"},
    "turn_reads": {"actor"}, "cube_grants": {"actor_adds", "actor_changes"},
    "distil_runs": {"actor"}, "distil_inputs": {"actor"},
    "recall_scopes": {"actor"}, "embeddings": {"actor"}, "memory_batches": {"actor"},
}  # fmt: skip
DOORS = {"memos_door_key", "memos_door_tenants", "memos_door_claim"}
ROLES = {"memos_owner", "memos_app", "memos_door"}
Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Tenant:
    """A tenant of its own, with one of everything."""

    client: httpx2.Client
    ids: dict[str, str]
    words: str  # stands in every text that this tenant wrote


def tenant_tables(connection: Connection) -> list[str]:
    """Every ordinary table that has a tenant, by its column; and the table of tenants."""
    rows = connection.execute("""
        SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND (c.relname = 'tenants' OR EXISTS (
          SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped))
        ORDER BY 1""")
    return [row[0] for row in rows]


def holes(connection: Connection) -> list[str]:
    """What is wrong with row-level security: a table without it, one whose owner escapes it, a policy that is missing,
    added, or lets more through."""
    found: list[str] = []
    bare = "SELECT c.relrowsecurity, c.relforcerowsecurity FROM pg_class c WHERE c.oid = %s::regclass"
    policy = """
        SELECT polname, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid), polcmd, polpermissive,
               ARRAY(SELECT rolname::text FROM pg_roles WHERE oid = ANY(polroles))
        FROM pg_policy WHERE polrelid = %s::regclass"""
    for table in tenant_tables(connection):
        enabled, forced = connection.execute(bare, [table]).fetchone() or (False, False)
        if not enabled:
            found.append(f"{table}: row-level security is off")
        if not forced:
            found.append(f"{table}: its owner escapes row-level security")
        expected = OURS.replace("tenant_id", "id") if table == "tenants" else OURS
        policies = {row[0]: row[1:] for row in connection.execute(policy, [table])}
        mine = policies.pop("tenant", None)
        if mine is None:
            found.append(f"{table}: no policy binds it to the tenant")
        elif mine != (expected, expected, "*", True, ["memos_app"]):
            found.append(f"{table}: its policy is not the one that binds it to the tenant: {mine}")
        narrowing = {
            name for name, (using, check, _, permissive, roles) in policies.items()
            if not permissive and roles == ["memos_app"] and "memos_actor()" in (using or check)
        }  # fmt: skip
        found += [f"{table}: no policy {name!r} narrows it" for name in ACTOR_POLICIES.get(table, set()) - narrowing]
        for name, (_, _, _, _, roles) in policies.items():
            if name in narrowing:
                continue
            if name != "door" or roles != ["memos_door"]:
                found.append(f"{table}: a policy {name!r} lets {roles} through")
    return found


def others(connection: Connection) -> list[str]:
    """Tables without a tenant: none but the migrations' own."""
    rows = connection.execute("""
        SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1""")
    tables = set(tenant_tables(connection))
    return [row[0] for row in rows if row[0] not in tables]


def strangers(texts: list[str], other: Tenant) -> list[str]:
    """Which of the other tenant's ids and words appear in these answers."""
    secrets = [*other.ids.values(), other.words]
    return [secret for secret in secrets if any(secret in text for text in texts)]
