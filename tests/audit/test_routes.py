"""Every call of the OpenAPI document, driven: what changes something, and what shows an admin a user's content, leaves
exactly one row; what does neither, and what is refused, leaves none. A route that is new is driven because it is in the
document, and needs no line here.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from fastapi import Response
from fastapi.routing import APIRoute

from memos.http.deps import READS_BY_POST, WITHOUT_CONTENT, action_of
from tests.access.driving import drive
from tests.api.talk import ask, look, post, problem, say
from tests.fuzz.test_openapi import _leaves
from tests.isolation.tenants import Tenant
from tests.isolation.test_tenants import BODIES, _tenant
from tests.support.live import Live


def _routes(live: Live) -> dict[str, APIRoute]:
    found = (route for router in live.app.router.routes for route in _leaves(router))
    return {
        f"{method} {route.path}": route
        for route in found if isinstance(route, APIRoute) and route.path.startswith("/v1/")
        for method in route.methods or ()
    }  # fmt: skip


def _audited(call: str, route: APIRoute) -> bool:
    """What is expected, said once more: a change; or a reading of content, by an admin."""
    return not call.startswith("GET ") or route.tags[0] not in WITHOUT_CONTENT


def _rows(live: Live, tenant: Tenant) -> list[dict[str, Any]]:
    """The newest first, past row-level security."""
    own = "SELECT tenant_id FROM api_keys WHERE id = %s"
    return look(live, f"SELECT * FROM audit_log WHERE tenant_id = ({own}) ORDER BY id DESC", tenant.ids["own_key"])


@pytest.fixture(scope="module")
def tenant(live: Live) -> Iterator[Tenant]:
    with live.client() as operator:
        made = _tenant(live, operator, "pelican")
    yield made
    made.client.close()


def _entries(client: httpx2.Client, limit: int = 200, **filters: str) -> list[dict[str, Any]]:
    """All that the call shows, page by page."""
    items: list[dict[str, Any]] = []
    more: dict[str, Any] = {"limit": limit}
    while True:
        body = client.get("/v1/audit", params=filters | more).json()
        items += body["items"]
        if body["next_cursor"] is None:
            return items
        more["cursor"] = body["next_cursor"]


def test_every_route_knows_its_caller_and_has_a_name_of_its_own(live: Live) -> None:
    routes = _routes(live)
    assert len(routes) >= 25
    actions = [action_of(route) for route in routes.values()]
    assert sorted(actions) == sorted(set(actions))
    for call, route in routes.items():
        asked = [dependency.call for dependency in route.dependant.dependencies]
        assert any(getattr(one, "__qualname__", "").startswith("_caller.") for one in asked), (
            f"{call} asks for no caller"
        )


@pytest.fixture
def stubbed(live: Live, monkeypatch: pytest.MonkeyPatch) -> dict[str, APIRoute]:
    """Every route succeeds, and does nothing: what is left is what every route has."""

    async def nothing(**asked: Any) -> Response:
        return Response("{}", 200, media_type="application/json")

    for router in live.app.router.routes:
        for used in getattr(router, "effective_candidates", list)():  # what a request is handed to
            monkeypatch.setattr(used.dependant, "call", nothing)
    return _routes(live)


def test_no_route_can_forget(live: Live, tenant: Tenant, stubbed: dict[str, APIRoute]) -> None:
    for call, route in ((call, stubbed[call]) for call in BODIES if call in stubbed):
        before = len(_rows(live, tenant))
        answer = drive(tenant.client, call, None)
        if call == "POST /v1/tenants":
            problem(answer, 403, "forbidden")
            continue
        assert answer.status_code == 200, (call, answer.text)
        new = _rows(live, tenant)[: len(_rows(live, tenant)) - before]
        assert [row["action"] for row in new] == ([action_of(route)] if _audited(call, route) else []), call


def test_every_route_that_works_leaves_one_row(live: Live, tenant: Tenant) -> None:
    routes, worked = _routes(live), 0
    for call in BODIES:
        if call not in routes or call == "DELETE /v1/keys/{key_id}":
            continue
        before = len(_rows(live, tenant))
        method, path = call.split(" ")
        answer = drive(tenant.client, call, tenant.ids)
        rows = _rows(live, tenant)
        new = [row for row in rows[: len(rows) - before] if not row["by"].startswith("task:")]
        expected = answer.is_success and _audited(call, routes[call])
        assert [row["action"] for row in new] == ([action_of(routes[call])] if expected else []), call
        worked += answer.is_success
        for row in new:
            assert row["kind"] == ("read" if method == "GET" or path in READS_BY_POST else "change")
            assert row["by"] == tenant.ids["own_key"]
            named = {name: id for name, id in tenant.ids.items() if f"{{{name}}}" in path}
            assert set(named.values()) <= set(row["subjects"]), call
    assert worked >= 25


def test_a_row_and_its_change_are_one_transaction(live: Live, tenant: Tenant) -> None:
    made = post(tenant.client, "/v1/conversations", {"user_id": "the-same-user"}).json()
    turn = say(tenant.client, made["id"], "hello")
    row = "SELECT xmin::text AS x FROM {} WHERE {}"
    (create,) = look(
        live, row.format("audit_log", "action = 'conversations.create' AND %s = ANY (subjects)"), made["id"]
    )
    (first,) = look(live, row.format("memcube_versions", "number = 0 AND conversation_id = %s"), made["id"])
    assert create == first
    (take,) = look(live, row.format("audit_log", "action = 'turns.take' AND %s = ANY (subjects)"), turn["id"])
    assert int(take["x"]) < int(
        look(live, row.format("turns", "id = %s"), turn["id"])[0]["x"]
    )  # accepted, then answered


def test_what_is_refused_or_fails_leaves_nothing(live: Live, tenant: Tenant) -> None:
    client = tenant.client
    conversation = live.conversation(client, "the-same-user")
    before = len(_rows(live, tenant))
    problem(client.post("/v1/conversations", json={"user_id": ""}), 422, "invalid")
    problem(client.post(f"/v1/conversations/{conversation}/rollback", json={"to_turn": 999}), 409, "no_such_turn")
    problem(ask(client, "conv_" + "0" * 32, "hello"), 404, "not_found")
    problem(client.get("/v1/turns/turn_" + "0" * 32), 404, "not_found")
    assert len(_rows(live, tenant)) == before


def test_reading_by_whoever_is_no_admin_is_not_in_the_log(live: Live, tenant: Tenant) -> None:
    app = post(tenant.client, "/v1/keys", {"name": "app", "scopes": ["app"]}).json()["key"]
    before = len(_rows(live, tenant))
    with live.client(app) as application:
        assert application.get(f"/v1/turns/{tenant.ids['turn_id']}").status_code == 200
        assert len(_rows(live, tenant)) == before
        post(application, "/v1/conversations", {"user_id": "the-same-user"})
    assert _rows(live, tenant)[0]["action"] == "conversations.create"


def test_it_says_on_whose_behalf(live: Live, tenant: Tenant) -> None:
    token = post(tenant.client, "/v1/tokens", {"user_id": "pelican-ada"}).json()
    with live.client(token["token"]) as ada:
        made = post(ada, "/v1/conversations", {"user_id": "pelican-ada"}).json()
    (entry,) = _entries(tenant.client, subject=made["id"])
    assert (entry["action"], entry["details"], entry["by"]) == (
        "conversations.create", {"token_id": token["id"]}, tenant.ids["own_key"],
    )  # fmt: skip
    (actor,) = entry["actors"]
    assert actor.startswith("user:")
    assert actor in entry["subjects"]
    mine = _entries(tenant.client, user_id="pelican-ada")
    assert {item["id"] for item in mine} >= {entry["id"]}
    assert all(actor in item["subjects"] or made["id"] in item["subjects"] for item in mine)
    assert _entries(tenant.client, actor=actor)[0]["id"] == entry["id"]
    with live.client() as operator:  # in another tenant the same user is another digest
        conversation = post(operator, "/v1/conversations", {"user_id": "pelican-ada"}).json()["id"]
        (other,) = _entries(operator, subject=conversation)
        assert actor not in other["subjects"]


def test_the_log_holds_no_words_no_names_and_no_hashes(live: Live, tenant: Tenant) -> None:
    """Whatever was said and done so far in this module, and everything that names a user."""
    say(tenant.client, live.conversation(tenant.client, "pelican-bob"), "a pelican says pelican things")
    tenant.client.get("/v1/users/pelican-bob/memory")
    tenant.client.get("/v1/conversations", params={"user_id": "pelican-bob"})
    hashes = look(live, "SELECT payload_sha256 AS h FROM memcube_versions UNION SELECT hash FROM memcube_versions")
    dump = json.dumps(_rows(live, tenant), default=str)
    assert "pelican" not in dump
    assert "the-same-user" not in dump
    assert not [row["h"] for row in hashes if row["h"] and row["h"] in dump]
    assert "may I?" not in dump


def test_entries_are_filtered_and_paged(live: Live, tenant: Tenant) -> None:
    client = tenant.client
    conversation = live.conversation(client, "paged")
    for number in range(3):
        say(client, conversation, f"turn {number}")
    taken = _entries(client, 2, subject=conversation, action="turns.take")
    assert len(taken) == 3
    assert taken == sorted(taken, key=lambda entry: str(entry["id"]), reverse=True)
    since = taken[1]["at"]
    assert len(_entries(client, subject=conversation, action="turns.take", since=since)) == 2
    assert len(_entries(client, subject=conversation, action="turns.take", until=since)) == 1
    assert _entries(client, subject=conversation, kind="read") == []
    client.get(f"/v1/conversations/{conversation}")
    (read,) = _entries(client, subject=conversation, kind="read")
    assert (read["action"], read["seq"]) == ("conversations.get", None)


def test_only_an_admin_reads_it(live: Live, tenant: Tenant) -> None:
    app = post(tenant.client, "/v1/keys", {"name": "app", "scopes": ["app", "read"]}).json()["key"]
    with live.client(app) as application:
        for path in ("/v1/audit", "/v1/audit/verify"):
            problem(application.get(path), 403, "forbidden")
    found = tenant.client.get("/v1/audit/verify").json()
    assert (found["ok"], found["complete"], found["checked"], found["head"]) == (True, True, 0, None)
    assert found["unchained"]["count"] == len(_rows(live, tenant))


@contextmanager
def full(live: Live, action: str) -> Iterator[None]:
    """Planted: there is no room left for rows of this action."""
    look(
        live,
        "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'; END $$",
    )
    look(
        live,
        "CREATE TRIGGER no_room BEFORE INSERT ON audit_log FOR EACH ROW "
        f"WHEN (NEW.action = '{action}') EXECUTE FUNCTION no_room()",
    )
    try:
        yield
    finally:
        look(live, "DROP FUNCTION no_room CASCADE")


def test_an_answer_whose_row_cannot_be_written_does_not_leave(
    live: Live, tenant: Tenant, stubbed: dict[str, APIRoute]
) -> None:
    with full(live, "conversations.get"):
        answer = tenant.client.get(f"/v1/conversations/{tenant.ids['conversation_id']}")
        assert "instance" in problem(answer, 503, "database_unavailable")


def test_no_change_is_committed_without_its_row(live: Live, tenant: Tenant) -> None:
    with full(live, "conversations.create"):
        problem(tenant.client.post("/v1/conversations", json={"user_id": "nobody"}), 503, "database_unavailable")
    assert look(live, "SELECT id FROM conversations WHERE user_id = 'nobody'") == []
