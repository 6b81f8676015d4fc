"""Cubes of an owner, shared and tenant-wide; grants given, used and taken back; secrets. Over REST."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from memos.keys.service import SHOWN
from memos.kit.db import Database
from tests.access import people
from tests.api.talk import everything, look, post, problem
from tests.support.live import Live

Make = Callable[..., str]
pytestmark = pytest.mark.usefixtures("put_away")


@pytest.fixture
def make(live: Live) -> Make:
    """Makes a cube of the live service's tenant; its id."""
    (row,) = look(live, "SELECT tenant_id FROM api_keys WHERE prefix = %s", live.key[:SHOWN])

    def made(**attributes: Any) -> str:
        async def run() -> str:
            database = Database(live.database.app, pool_size=2)
            try:
                return await people.cube(database, row["tenant_id"], **({"user_id": "ada"} | attributes))
            finally:
                await database.aclose()

        return asyncio.run(run())

    return made


@pytest.fixture
def client(live: Live) -> Iterator[httpx2.Client]:
    with live.client() as open_client:
        yield open_client


def _as(live: Live, client: httpx2.Client, user: str, **more: Any) -> httpx2.Client:
    return live.client(post(client, "/v1/tokens", {"user_id": user} | more).json()["token"])


@pytest.fixture
def ada(live: Live, client: httpx2.Client) -> Iterator[httpx2.Client]:
    with _as(live, client, "ada") as open_client:
        yield open_client


@pytest.fixture
def bob(live: Live, client: httpx2.Client) -> Iterator[httpx2.Client]:
    with _as(live, client, "bob") as open_client:
        yield open_client


def _grant(client: httpx2.Client, cube: str, permission: str = "read", **grantee: str) -> dict[str, Any]:
    body = {"grantee": grantee or {"user": "bob"}, "permission": permission}
    made: dict[str, Any] = post(client, f"/v1/cubes/{cube}/grants", body).json()
    return made


def test_a_grant_opens_a_cube_and_its_revocation_closes_it(
    live: Live, make: Make, ada: httpx2.Client, bob: httpx2.Client
) -> None:
    cube = make()
    one = f"/v1/cubes/{cube}"
    paths = [one, f"{one}/versions", f"{one}/versions/0", f"{one}/versions/0/payload", f"{one}/lineage"]
    for path in paths:
        problem(bob.get(path), 404, "not_found")
    made = _grant(ada, cube)
    assert made["grantee"] == {"user": "bob"}
    assert ada.get(one).json()["visibility"] == "shared"
    for path in paths:
        assert bob.get(path).status_code == 200, path
    assert bob.get(f"{one}/versions/0/payload").text == "words"
    assert cube in {item["id"] for item in everything(bob, "/v1/cubes")}
    gone = ada.delete(f"{one}/grants/{made['id']}").json()
    assert gone["revoked_at"] is not None
    assert ada.delete(f"{one}/grants/{made['id']}").json() == gone
    for path in paths:
        problem(bob.get(path), 404, "not_found")
    assert [item["id"] for item in everything(ada, f"{one}/grants")] == [made["id"]]
    events = look(live, "SELECT event, details::text AS d FROM cube_events WHERE cube_id = %s ORDER BY id", cube)
    assert [row["event"] for row in events] == ["create", "transition", "change", "grant", "revoke"]
    assert all("bob" not in row["d"] for row in events)
    assert made["id"] in events[3]["d"]


def test_only_the_owner_the_application_and_admins_share(
    live: Live, make: Make, client: httpx2.Client, ada: httpx2.Client, bob: httpx2.Client
) -> None:
    cube = make()
    body = {"grantee": {"user": "eve"}, "permission": "read"}
    problem(bob.post(f"/v1/cubes/{cube}/grants", json=body), 404, "not_found")
    _grant(ada, cube, "write")
    problem(bob.post(f"/v1/cubes/{cube}/grants", json=body), 403, "not_yours")
    problem(bob.get(f"/v1/cubes/{cube}/grants"), 403, "not_yours")
    (held,) = everything(ada, f"/v1/cubes/{cube}/grants")
    problem(bob.delete(f"/v1/cubes/{cube}/grants/{held['id']}"), 403, "not_yours")
    key = post(client, "/v1/keys", {"name": "app", "scopes": ["app"]}).json()["key"]
    with live.client(key) as application:
        _grant(application, cube, user="eve")
    assert len(everything(client, f"/v1/cubes/{cube}/grants")) == 2


def test_the_same_grant_again_is_the_same_and_another_permission_replaces_it(make: Make, ada: httpx2.Client) -> None:
    cube = make()
    first = _grant(ada, cube)
    assert _grant(ada, cube)["id"] == first["id"]
    second = _grant(ada, cube, "write")
    held = {item["id"]: item["revoked_at"] for item in everything(ada, f"/v1/cubes/{cube}/grants")}
    assert held[second["id"]] is None
    assert held[first["id"]] is not None
    keyed = [post(ada, f"/v1/cubes/{cube}/grants", {"grantee": {"role": "r"}, "permission": "read"}, key="once").json()
             for _ in range(2)]  # fmt: skip
    assert keyed[0] == keyed[1]


def test_grants_to_agents_and_roles(live: Live, make: Make, client: httpx2.Client, ada: httpx2.Client) -> None:
    cube = make()
    _grant(ada, cube, agent="shop")
    _grant(ada, cube, role="support")
    for wanted, sees in (
        ({}, False), ({"agent_id": "shop"}, True), ({"agent_id": "home"}, False), ({"roles": ["support"]}, True),
        ({"roles": ["sales"]}, False),
    ):  # fmt: skip
        with _as(live, client, "eve", **wanted) as eve:
            assert (eve.get(f"/v1/cubes/{cube}").status_code == 200) == sees, wanted


def test_a_tenant_wide_cube_is_read_by_all_and_changed_by_its_owner(
    make: Make, ada: httpx2.Client, bob: httpx2.Client
) -> None:
    cube = make(visibility="tenant")
    assert bob.get(f"/v1/cubes/{cube}").status_code == 200
    problem(
        bob.post(f"/v1/cubes/{cube}/grants", json={"grantee": {"user": "bob"}, "permission": "write"}), 403, "not_yours"
    )
    _grant(ada, cube, "write")
    assert ada.get(f"/v1/cubes/{cube}").json()["visibility"] == "tenant"


def test_a_secret_cube_is_its_owners_and_an_admins_whose_reading_is_audited(
    live: Live, make: Make, client: httpx2.Client, ada: httpx2.Client, bob: httpx2.Client
) -> None:
    cube = make(sensitivity="secret", visibility="tenant")
    one = f"/v1/cubes/{cube}"
    key = post(client, "/v1/keys", {"name": "app", "scopes": ["app", "read"]}).json()["key"]
    with live.client(key) as application:
        for path in (one, f"{one}/versions/0/payload", f"{one}/grants"):
            problem(application.get(path), 404, "not_found")
            problem(bob.get(path), 404, "not_found")
        assert cube not in {item["id"] for item in everything(application, "/v1/cubes")}
        on_behalf = application.get(one, headers={"X-Memos-User": "ada"})
        assert on_behalf.status_code == 200
        assert look(live, "SELECT * FROM audit_log WHERE %s = ANY (subjects)", cube) == []
    assert ada.get(f"{one}/versions/0/payload").text == "words"
    problem(ada.post(f"{one}/grants", json={"grantee": {"user": "bob"}, "permission": "read"}), 409, "cube_secret")
    assert client.get(f"{one}/versions/0/payload").text == "words"
    (read,) = look(live, "SELECT * FROM audit_log WHERE %s = ANY (subjects)", cube)
    assert (read["kind"], read["action"]) == ("read", "cubes.payload")


def test_a_frozen_cube_is_not_shared_anew(live: Live, make: Make, ada: httpx2.Client) -> None:
    cube = make()
    look(live, "UPDATE memcubes SET frozen = true WHERE id = %s", cube)
    problem(
        ada.post(f"/v1/cubes/{cube}/grants", json={"grantee": {"user": "bob"}, "permission": "read"}),
        409,
        "cube_frozen",
    )


@pytest.mark.parametrize(
    "body",
    [
        {"grantee": {}, "permission": "read"},
        {"grantee": {"user": "a", "agent": "b"}, "permission": "read"},
        {"grantee": {"user": ""}, "permission": "read"},
        {"grantee": {"role": "not a role"}, "permission": "read"},
        {"grantee": {"user": "a"}, "permission": "own"},
        {"grantee": {"user": "a"}},
    ],
)
def test_a_grant_that_makes_no_sense_is_refused(make: Make, ada: httpx2.Client, body: dict[str, Any]) -> None:
    problem(ada.post(f"/v1/cubes/{make()}/grants", json=body), 422, "invalid")


def test_a_shared_cubes_lineage_shows_nothing_that_is_not_shared(
    live: Live, make: Make, ada: httpx2.Client, bob: httpx2.Client
) -> None:
    """One cube comes from another: whoever sees one of them learns nothing of the other."""
    source, made = make(), make()
    look(
        live,
        "INSERT INTO lineage_edges (tenant_id, child_id, parent_id, relation) "
        "SELECT c.tenant_id, c.head_version_id, p.head_version_id, 'merges' FROM memcubes c, memcubes p "
        "WHERE c.id = %s AND p.id = %s",
        made, source,
    )  # fmt: skip
    _grant(ada, made)
    assert {node["cube_id"] for node in ada.get(f"/v1/cubes/{made}/lineage").json()["nodes"]} == {made, source}
    seen = bob.get(f"/v1/cubes/{made}/lineage").json()
    assert [node["cube_id"] for node in seen["nodes"]] == [made]
    assert seen["edges"] == []


def test_what_a_grant_to_read_and_one_to_write_allow(
    live: Live, client: httpx2.Client, ada: httpx2.Client, bob: httpx2.Client
) -> None:
    cube = post(ada, "/v1/cubes", {"text": "mine", "user_id": "ada"}).json()["id"]
    one = f"/v1/cubes/{cube}"
    calls: list[tuple[str, str, dict[str, Any], dict[str, str]]] = [
        ("POST", f"{one}/versions", {"text": "ours"}, {"If-Match": "0"}),
        ("PATCH", one, {"priority": 5}, {}),
        ("POST", f"{one}/freeze", {"frozen": True, "reason": "for now"}, {}),
        ("POST", f"{one}/freeze", {"frozen": False, "reason": "again"}, {}),
        ("POST", f"{one}/transition", {"to": "archived", "reason": "old"}, {}),
        ("POST", f"{one}/transition", {"to": "activated", "reason": "new"}, {}),
    ]
    _grant(ada, cube)
    for method, path, body, headers in (calls[0], calls[1], calls[2], calls[4]):
        problem(bob.request(method, path, json=body, headers=headers), 403, "not_yours")
    assert ada.get(one).json()["head_version"] == 0
    _grant(ada, cube, "write")
    for method, path, body, headers in calls:
        assert bob.request(method, path, json=body, headers=headers).is_success, path
    assert ada.get(f"{one}/versions/1/payload").text == "ours"
    for body in ({"visibility": "tenant"}, {"visibility": "owner"}, {"sensitivity": "secret"}):
        problem(bob.patch(one, json=body), 403, "not_yours")
    problem(bob.post(f"{one}/split", json={"parts": [{"text": "a"}, {"text": "b"}]}), 403, "not_yours")


def test_what_is_tenant_wide_is_the_applications_to_say(client: httpx2.Client, ada: httpx2.Client) -> None:
    body = {"text": "for all", "user_id": "ada", "visibility": "tenant"}
    problem(ada.post("/v1/cubes", json=body), 403, "not_yours")
    mine = post(ada, "/v1/cubes", {"text": "mine", "user_id": "ada"}).json()["id"]
    problem(ada.patch(f"/v1/cubes/{mine}", json={"visibility": "tenant"}), 403, "not_yours")
    assert client.patch(f"/v1/cubes/{mine}", json={"visibility": "tenant"}).json()["visibility"] == "tenant"
    assert post(client, "/v1/cubes", body).status_code == 201
    assert ada.patch(f"/v1/cubes/{mine}", json={"visibility": "shared"}).json()["visibility"] == "shared"


def test_nobody_remembers_for_somebody_else(ada: httpx2.Client, bob: httpx2.Client, client: httpx2.Client) -> None:
    problem(bob.post("/v1/cubes", json={"text": "ada said so", "user_id": "ada"}), 403, "not_yours")
    problem(bob.post("/v1/cubes", json={"text": "somebody said so", "agent_id": "shop"}), 403, "not_yours")
    app = post(client, "/v1/keys", {"name": "app", "scopes": ["app"]}).json()["key"]
    secret = {"text": "hush", "user_id": "ada", "sensitivity": "secret"}
    refused = client.post("/v1/cubes", json=secret, headers={"Authorization": f"Bearer {app}"})
    problem(refused, 403, "not_yours")  # the application could not read it
    assert post(ada, "/v1/cubes", secret).json()["sensitivity"] == "secret"
