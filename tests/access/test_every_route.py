"""Every call of the OpenAPI document, driven as another user of the same tenant: by a token, and by a header on the
application's key. Nothing of the first user is shown, and nothing at all changes. A call that is new in the document is
driven by being there.
"""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.access.driving import drive
from tests.api.talk import look, post, problem, say
from tests.isolation.tenants import Tenant, strangers
from tests.isolation.test_tenants import BODIES, LISTS, _everything, _tenant
from tests.support.live import Live

FOR_ALL = ("GET /healthz", "GET /readyz", "GET /metrics")


@pytest.fixture(scope="module")
def ada(live: Live) -> Iterator[Tenant]:
    """Has one of everything; her user is `the-same-user`, as the bodies say."""
    with live.client() as operator:
        made = _tenant(live, operator, "heron")
    yield made
    made.client.close()


@pytest.fixture(scope="module", params=["a token", "a header"])
def bob(live: Live, ada: Tenant, request: Any) -> Iterator[httpx2.Client]:
    """Another user of the tenant, with a conversation of his own."""
    if request.param == "a token":
        client = live.client(post(ada.client, "/v1/tokens", {"user_id": "bob"}).json()["token"])
    else:
        key = post(ada.client, "/v1/keys", {"name": "app", "scopes": ["app", "read"]}).json()["key"]
        client = live.client(key)
        client.headers["X-Memos-User"] = "bob"
    conversation = live.conversation(client, "bob")
    say(client, conversation, "this is bob")
    live.settled(client, conversation)
    yield client
    client.close()


@pytest.mark.parametrize("call", BODIES)
def test_another_user_sees_and_changes_nothing(live: Live, ada: Tenant, bob: httpx2.Client, call: str) -> None:
    before = _everything(live, ada)
    answer = drive(bob, call, ada.ids)
    if call == "POST /v1/chat/completions":  # tells its errors in OpenAI's shape
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_of_this_key")
        assert strangers([answer.text], ada) == []
    elif answer.is_success:
        assert call in FOR_ALL or "{" not in call.replace("{user_id}", ""), (call, answer.text)
        assert strangers([answer.text], ada) == [], call
    else:
        body = problem(answer, answer.status_code, answer.json()["code"])
        assert (answer.status_code, body["code"]) in (
            (404, "not_found"), (403, "not_for_persons"), (403, "forbidden"), (403, "not_yours"),
        ), (call, answer.text)  # fmt: skip
        asked = answer.text.replace(body["instance"], "").replace(body["detail"], "")
        assert strangers([asked], ada) == [], call
        if answer.status_code == 404:  # the same as for what was never there
            assert drive(bob, call, None).json()["title"] == body["title"]
    assert _everything(live, ada) == before, call


@pytest.mark.parametrize("path", LISTS)
def test_lists_hold_nothing_of_anothers(ada: Tenant, bob: httpx2.Client, path: str) -> None:
    for filters in LISTS[path]:
        query = {name: ada.ids.get(value, value) for name, value in filters.items()}
        answer = bob.get(path, params={"limit": "200"} | query)
        assert answer.status_code in (200, 403)
        assert strangers([answer.text], ada) == []


def test_the_owner_is_shown_it_all(live: Live, ada: Tenant) -> None:
    """The same calls with the same ids, as the user whose they are: a test that refuses everything proves nothing."""
    token = post(ada.client, "/v1/tokens", {"user_id": "the-same-user"}).json()["token"]
    shown = set()
    with live.client(token) as owner:
        for call in BODIES:
            if call.startswith("GET ") and drive(owner, call, ada.ids).is_success:
                shown.add(call)
    assert shown >= {
        "GET /v1/conversations/{conversation_id}", "GET /v1/conversations/{conversation_id}/turns",
        "GET /v1/turns/{turn_id}", "GET /v1/turns/{turn_id}/explanation", "GET /v1/cubes/{cube_id}",
        "GET /v1/cubes/{cube_id}/versions/{number}/payload", "GET /v1/cubes/{cube_id}/lineage",
        "GET /v1/cubes/{cube_id}/grants", "GET /v1/memories/{memory_id}", "GET /v1/memories/{memory_id}/history",
        "GET /v1/memories/batches/{batch_id}",
    }  # fmt: skip


PLANTS = {
    "conversations": ("GET /v1/conversations/{conversation_id}", "memos_owns(user_id, agent_id)"),
    "memcubes": ("GET /v1/cubes/{cube_id}", "memos_reads(id, user_id, agent_id, visibility, sensitivity)"),
}


@pytest.mark.parametrize("table", PLANTS)
def test_the_test_sees_a_policy_that_lets_through(live: Live, ada: Tenant, bob: httpx2.Client, table: str) -> None:
    call, held = PLANTS[table]
    look(live, f"ALTER POLICY actor ON {table} USING (true)")
    try:
        if table == "conversations":  # seen together with its state
            look(live, "ALTER POLICY actor ON memcubes USING (true)")
            look(live, "ALTER POLICY actor ON memcube_versions USING (true)")
        leaked = drive(bob, call, ada.ids)
        assert leaked.status_code == 200
        assert strangers([leaked.text], ada) != []
    finally:
        for name, rule in (
            (table, held),
            ("memcubes", PLANTS["memcubes"][1]),
            ("memcube_versions", "memos_sees_cube(cube_id)"),
        ):
            only = "IS DISTINCT FROM 'person'" if name == "conversations" else "IS NULL"
            look(live, f"ALTER POLICY actor ON {name} USING (memos_actor() {only} OR {rule})")
    problem(drive(bob, call, ada.ids), 404, "not_found")
