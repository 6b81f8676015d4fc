"""Random cubes, owners and grants against an obvious model: a set of who may. Three must agree with it: the rule in the
kernel, `may`, and the database's own policies, which are asked through queries that say nothing of access.
"""

import asyncio
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from memos.access import service as access
from memos.access import store
from memos.cubes import store as cubes
from memos.kernel import access as rules
from memos.kernel.access import SERVICE, Actor
from memos.keys.store import insert_tenant
from memos.kit.db import Database
from memos.kit.ids import new_id
from memos.kit.unit_of_work import NotYours
from tests.access.people import AGENTS, ROLES, USERS, cube, view
from tests.support.postgres import Cluster

SEEN = text("SELECT id FROM memcubes ORDER BY id")
SEEN_WORDS = text("SELECT cube_id FROM memcube_versions ORDER BY cube_id")
FILTERED = text(f"SELECT c.id FROM memcubes c WHERE {store.readable_filter('c')} ORDER BY c.id")
PRIORITY = text("UPDATE memcubes SET priority = priority + 1 WHERE id = :id")
COUNT_READ = text("UPDATE memcubes SET reads = reads + 1 WHERE id = :id")
GRANT = text("""
    INSERT INTO cube_grants (tenant_id, id, cube_id, grantee_kind, grantee, permission, created_by, revoked_at,
      revoked_by)
    VALUES (:tenant_id, :id, :cube_id, :kind, :grantee, :permission, 'task:test',
            CASE WHEN :revoked THEN now() END, CASE WHEN :revoked THEN 'task:test' END) ON CONFLICT DO NOTHING""")
NO_FILTERS: dict[str, Any] = {
    "kind": None, "lifecycle": None, "user_id": None, "conversation_id": None, "before": None, "limit": 50,
}  # fmt: skip
GRANTEES = [*product(["user"], USERS), *product(["agent"], AGENTS), *product(["role"], ROLES)]


@dataclass(frozen=True)
class Wanted:
    user_id: str | None
    agent_id: str | None
    visibility: str
    sensitivity: str
    grants: tuple[tuple[tuple[str, str], str, bool], ...]  # ((kind, name), permission, revoked)


CUBES = st.builds(
    Wanted,
    user_id=st.sampled_from([*USERS, None]),
    agent_id=st.sampled_from([*AGENTS, None]),
    visibility=st.sampled_from(["owner", "shared", "shared", "tenant"]),
    sensitivity=st.sampled_from(["normal", "normal", "sensitive", "secret"]),
    grants=st.lists(
        st.tuples(st.sampled_from(GRANTEES), st.sampled_from(["read", "write"]), st.booleans()),
        max_size=3, unique_by=lambda grant: grant[0],
    ).map(tuple),
)  # fmt: skip
PEOPLE = [
    Actor("person", user, agent, roles)
    for user, agent, roles in product([*USERS, None], [*AGENTS, None], [frozenset(), frozenset({"support"})])
    if user or agent
]
ACTORS = st.lists(
    st.sampled_from([*PEOPLE, Actor("application"), Actor("admin"), SERVICE]), min_size=1, max_size=4, unique=True
)


def badges(actor: Actor) -> set[tuple[str, ...]]:
    """All that an actor can show."""
    shown: set[tuple[str, ...]] = {("acting", str(actor.user_id), str(actor.agent_id)), ("anybody",)}
    shown |= {("role", role) for role in actor.roles}
    shown |= {("user", actor.user_id)} if actor.user_id else set()
    return shown | ({("agent", actor.agent_id)} if actor.agent_id else set())


def owners(wanted: Wanted) -> set[tuple[str, ...]]:
    if wanted.user_id and wanted.agent_id:
        return {("acting", wanted.user_id, wanted.agent_id), ("acting", wanted.user_id, "None")}
    if wanted.user_id:
        return {("acting", wanted.user_id, agent) for agent in (*AGENTS, "None")}
    return {("acting", "None", wanted.agent_id)} if wanted.agent_id else set()


def allowed(actor: Actor, wanted: Wanted, permission: str) -> bool:
    """The model: who is on the list may."""
    if actor.kind == "application":
        return wanted.sensitivity != "secret"
    if actor.kind != "person":
        return True
    on_the_list = owners(wanted)
    if wanted.sensitivity != "secret" and wanted.visibility in ("shared", "tenant"):
        on_the_list |= {who for who, held, gone in wanted.grants if not gone and permission in ("read", held)}
        if wanted.visibility == "tenant" and permission == "read":
            on_the_list.add(("anybody",))
    return bool(on_the_list & badges(actor))


@pytest.fixture(scope="module")
def database(postgres_cluster: Cluster) -> str:
    return postgres_cluster.database().app


@given(wanted=st.lists(CUBES, min_size=1, max_size=3), actors=ACTORS)
def test_three_agree_with_the_model(database: str, wanted: list[Wanted], actors: list[Actor]) -> None:
    asyncio.run(_agree(database, wanted, actors))


async def _agree(address: str, wanted: list[Wanted], actors: list[Actor]) -> None:
    database, tenant_id = Database(address, pool_size=2), new_id("ten")
    try:
        async with database.unit_of_work(tenant_id) as work:
            await insert_tenant(work, tenant_id=tenant_id, name="model")
        made = {await _made(database, tenant_id, one): one for one in wanted}
        for actor in actors:
            await _check(database, tenant_id, made, actor)
    finally:
        await database.aclose()


async def _made(database: Database, tenant_id: str, wanted: Wanted) -> str:
    made = await cube(
        database, tenant_id, user_id=wanted.user_id, agent_id=wanted.agent_id,
        visibility=wanted.visibility, sensitivity=wanted.sensitivity,
    )  # fmt: skip
    async with database.unit_of_work(tenant_id) as work:
        for (kind, grantee), permission, revoked in wanted.grants:
            await work.run(
                GRANT, tenant_id=tenant_id, id=new_id("grant"), cube_id=made, kind=kind, grantee=grantee,
                permission=permission, revoked=revoked,
            )  # fmt: skip
    return made


async def _check(database: Database, tenant_id: str, made: dict[str, Wanted], actor: Actor) -> None:
    readable = sorted(id for id, one in made.items() if allowed(actor, one, "read"))
    writable = {id for id, one in made.items() if allowed(actor, one, "write")}
    assert writable <= set(readable)
    async with database.unit_of_work(view(tenant_id, actor)) as work:
        assert [row["id"] for row in await work.all(SEEN)] == readable, actor
        assert [row["cube_id"] for row in await work.all(SEEN_WORDS)] == readable, actor
        assert [row["id"] for row in await work.all(FILTERED)] == readable, actor
        listed = await cubes.list_cubes(work, **NO_FILTERS)
        assert sorted(row["id"] for row in listed) == readable, actor
    async with database.unit_of_work(tenant_id) as work:
        rows: dict[str, Any] = {id: await cubes.get_cube(work, id) for id in made}
        for id, one in made.items():
            grants = [rules.Grant(*who, held) for who, held, gone in one.grants if not gone]  # type: ignore[arg-type]
            for permission, which in (("read", set(readable)), ("write", writable)):
                expected = id in which
                assert rules.allows(actor, access.holding(rows[id]), grants, permission) == expected  # type: ignore[arg-type]
                assert await access.may(work, actor, rows[id], permission) == expected  # type: ignore[arg-type]
    for id in made:
        assert await _changed(database, view(tenant_id, actor), id) == (id in writable), (actor, made[id])


async def _changed(database: Database, tenant: str, cube_id: str) -> bool:
    """Whether a plain UPDATE that says nothing of access went through; refused loudly, or the cube is not there."""
    try:
        async with database.unit_of_work(tenant) as work:
            await work.run(COUNT_READ, id=cube_id)  # whoever may read may be counted as a reader
            return bool(await work.run(PRIORITY, id=cube_id))
    except NotYours:
        return False


# A world in which every rule decides something.
WORLD = [
    Wanted("ada", None, "owner", "normal", ()),
    Wanted(
        "ada", "shop", "shared", "normal", ((("user", "bob"), "read", False), (("role", "support"), "write", False))
    ),
    Wanted("ada", None, "shared", "secret", ((("user", "bob"), "write", False),)),
    Wanted("ada", None, "shared", "normal", ((("user", "bob"), "write", True),)),
    Wanted("ada", None, "tenant", "normal", ()),
    Wanted(None, "shop", "owner", "normal", ()),
]
ACTING = (
    "CASE WHEN user_id IS NOT NULL THEN user_id = current_setting('memos.user', true) ELSE agent_id IS NOT NULL END"
)
PLANTS = {
    "cubes are open": "ALTER POLICY actor ON memcubes USING (true)",
    "words are open": "ALTER POLICY actor ON memcube_versions USING (true)",
    "nobody checks a change": "DROP TRIGGER memcubes_actor ON memcubes",
    "revoked grants hold": """
        CREATE OR REPLACE FUNCTION memos_granted(cube text, wanted text) RETURNS boolean LANGUAGE sql STABLE
        RETURN EXISTS (SELECT FROM cube_grants g
                       WHERE g.cube_id = cube AND g.grantee = current_setting('memos.user', true))""",
    "any agent will do": f"""
        CREATE OR REPLACE FUNCTION memos_owns(user_id text, agent_id text) RETURNS boolean LANGUAGE sql STABLE
        RETURN coalesce({ACTING}, false)""",
    "secrets are granted": """
        CREATE OR REPLACE FUNCTION memos_reads(
          cube text, user_id text, agent_id text, visibility text, sensitivity text) RETURNS boolean LANGUAGE sql STABLE
        RETURN memos_owns(user_id, agent_id) OR visibility = 'tenant'
          OR (visibility = 'shared' AND memos_granted(cube, 'read'))""",
}


@pytest.mark.parametrize("plant", [None, *PLANTS])
def test_a_planted_hole_is_found(postgres_cluster: Cluster, plant: str | None) -> None:
    addresses = postgres_cluster.database()
    if plant is not None:
        with postgres_cluster.admin(addresses.name) as connection:
            connection.execute(PLANTS[plant])
    people = [actor for actor in PEOPLE if actor.user_id != "ada"]
    if plant is None:
        asyncio.run(_agree(addresses.app, WORLD, people))
    else:
        with pytest.raises(AssertionError):
            asyncio.run(_agree(addresses.app, WORLD, people))
