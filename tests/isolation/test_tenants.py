"""Two tenants, every endpoint of the OpenAPI document: neither ever sees, changes or stops what is the other's (P7).

The other tenant's ids are put wherever a call takes one. A call that is new in the document and has no line here fails
the test.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from memos.kit.ids import new_id
from tests.api.talk import eventually, everything, held, look, of, post, problem, say, turns
from tests.isolation.tenants import Tenant, strangers
from tests.support.live import Live

# Every call of the document, by method and path, with the body it is sent.
BODIES: dict[str, dict[str, Any] | None] = {
    "POST /v1/conversations": {"user_id": "the-same-user"},
    "GET /v1/conversations": None,
    "GET /v1/conversations/{conversation_id}": None,
    "POST /v1/conversations/{conversation_id}/rollback": {"to_turn": 0},
    "POST /v1/conversations/{conversation_id}/fork": {"at_turn": 1},
    "POST /v1/conversations/{conversation_id}/turns": {"input": "may I?"},
    "GET /v1/conversations/{conversation_id}/turns": None,
    "POST /v1/conversations/{conversation_id}/turns/import": {"turns": [{"input": "may I?", "output": "no"}]},
    "POST /v1/chat/completions": {
        "model": "memos",
        "user": "the-same-user",
        "messages": [{"role": "user", "content": "may I?"}],
    },
    "GET /v1/models": None,
    "POST /memories": {"messages": "mine", "user_id": "the-same-user"},
    "POST /search": {"query": "mine", "user_id": "the-same-user"},
    "GET /memories": None,
    "GET /memories/{memory_id}": None,
    "PUT /memories/{memory_id}": {"text": "may I?"},
    "DELETE /memories/{memory_id}": None,
    "GET /memories/{memory_id}/history": None,
    "GET /v1/turns/{turn_id}": None,
    "GET /v1/turns/{turn_id}/explanation": None,
    "POST /v1/turns/{turn_id}/cancel": None,
    "GET /v1/cubes": None,
    "GET /v1/cubes/{cube_id}": None,
    "GET /v1/cubes/{cube_id}/versions": None,
    "GET /v1/cubes/{cube_id}/versions/{number}": None,
    "GET /v1/cubes/{cube_id}/versions/{number}/payload": None,
    "GET /v1/cubes/{cube_id}/lineage": None,
    "POST /v1/cubes": {"text": "mine", "user_id": "the-same-user"},
    "POST /v1/cubes/merge": {"cube_ids": [f"cube_{'0' * 32}", f"cube_{'1' * 32}"]},
    "PATCH /v1/cubes/{cube_id}": {"priority": 1},
    "POST /v1/cubes/{cube_id}/versions": {"text": "may I?"},
    "POST /v1/cubes/{cube_id}/transition": {"to": "archived", "reason": "may I?"},
    "POST /v1/cubes/{cube_id}/freeze": {"frozen": True, "reason": "may I?"},
    "POST /v1/cubes/{cube_id}/convert": {"to": "plaintext"},
    "POST /v1/cubes/{cube_id}/split": {"parts": [{"text": "may"}, {"text": "I?"}]},
    "POST /v1/cubes/{cube_id}/promote": {},
    "POST /v1/cubes/{cube_id}/demote": {},
    "GET /v1/cubes/{cube_id}/events": None,
    "GET /v1/cubes/{cube_id}/metadata": None,
    "POST /v1/cubes/export": {"user_id": "the-same-user"},
    "POST /v1/cubes/import": None,
    "POST /v1/memories": {"text": "mine", "user_id": "the-same-user"},
    "GET /v1/memories": None,
    "POST /v1/memories/search": {"query": "mine", "user_id": "the-same-user"},
    "GET /v1/memories/{memory_id}": None,
    "PATCH /v1/memories/{memory_id}": {"text": "may I?"},
    "DELETE /v1/memories/{memory_id}": None,
    "GET /v1/memories/{memory_id}/history": None,
    "GET /v1/memories/batches/{batch_id}": None,
    "GET /v1/users/{user_id}/memory": None,
    "POST /v1/cubes/{cube_id}/grants": {"grantee": {"user": "me"}, "permission": "write"},
    "GET /v1/cubes/{cube_id}/grants": None,
    "DELETE /v1/cubes/{cube_id}/grants/{grant_id}": None,
    "POST /v1/tokens": {"user_id": "the-same-user"},
    "GET /v1/audit": None,
    "GET /v1/audit/verify": None,
    "POST /v1/conversations/{conversation_id}/merge": {"from_conversation_id": f"conv_{'1' * 32}"},
    "GET /v1/cubes/{cube_id}/diff": None,
    "POST /v1/cubes/{cube_id}/rollback": {"to_version": 0},
    "POST /v1/cubes/{cube_id}/fork": {"at_version": 0},
    "POST /v1/deltas": {"user_id": "the-same-user", "cube_ids": [f"cube_{'0' * 32}"]},
    "GET /v1/deltas": None,
    "GET /v1/deltas/{delta_id}": None,
    "GET /v1/jobs": None,
    "GET /v1/jobs/{job_id}": None,
    "POST /v1/jobs/{job_id}/retry": None,
    "POST /v1/policies": {"name": "mine", "rule": {"kind": "fifo", "most": 9}},
    "GET /v1/policies": None,
    "GET /v1/policies/{policy_id}": None,
    "PATCH /v1/policies/{policy_id}": {"enabled": False},
    "DELETE /v1/policies/{policy_id}": None,
    "POST /v1/policies/{policy_id}/run": {"dry_run": False},
    "GET /v1/policies/{policy_id}/runs": None,
    "GET /v1/policies/{policy_id}/runs/{run_id}": None,
    "GET /v1/policies/{policy_id}/decisions": None,
    "POST /v1/erasures": {"user_id": "the-same-user", "dry_run": True},
    "GET /v1/erasures": None,
    "GET /v1/erasures/{erasure_id}": None,
    "GET /v1/erasures/{erasure_id}/items": None,
    "POST /v1/erasures/verify": {"receipt": {}},
    "POST /v1/consolidations": {"user_id": "the-same-user"},
    "GET /v1/consolidations": None,
    "GET /v1/consolidations/{consolidation_id}": None,
    "GET /v1/proposals": None,
    "POST /v1/proposals/{proposal_id}/accept": None,
    "POST /v1/proposals/{proposal_id}/dismiss": None,
    "POST /v1/keys": {"name": "mine", "scopes": ["read"]},
    "GET /v1/keys": None,
    "DELETE /v1/keys/{key_id}": None,
    "POST /v1/tenants": {"name": "third"},
    "GET /v1/stats": None,
    "GET /v1/embedder": None,
    "POST /v1/embedder/switch": None,
    "GET /healthz": None,
    "GET /readyz": None,
    "GET /metrics": None,
}
QUERIES: dict[str, dict[str, Any]] = {
    "GET /v1/cubes/{cube_id}/diff": {"from": 0, "to": 1},
    "GET /v1/audit": {"kind": "change"},  # what one asked to see of the other's stands in one's own log
}
# Bodies that are no JSON.
RAW = {"POST /v1/cubes/import": (Path(__file__).parents[1] / "data" / "archive-v1.memos.zip").read_bytes()}
LISTS: dict[str, list[dict[str, str]]] = {
    "/v1/conversations": [{}, {"user_id": "the-same-user"}],
    "/v1/cubes": [{}, {"user_id": "the-same-user"}, {"conversation_id": "conversation_id"}, {"kind": "activation"}],
    "/v1/memories": [{}, {"user_id": "the-same-user"}],
    "/v1/jobs": [{}, {"status": "done"}, {"status": "failed"}],
    "/v1/keys": [{}],
    # Changes: what one asked to see of the other's stands in one's own log.
    "/v1/audit": [{"kind": "change"}, {"kind": "change", "user_id": "the-same-user"}],
    "/v1/policies": [{}, {"user_id": "the-same-user"}],
    "/v1/consolidations": [{}, {"user_id": "the-same-user"}],
    "/v1/proposals": [{}, {"user_id": "the-same-user"}, {"status": "open"}],
    "/v1/erasures": [{}],
    "/v1/deltas": [{}, {"user_id": "the-same-user"}, {"status": "done"}],
}


def _tenant(live: Live, operator: httpx2.Client, words: str) -> Tenant:
    """Both tenants have a user of the same name, and say things in the same order."""
    key = post(operator, "/v1/tenants", {"name": words}).json()["admin_key"]
    client = live.client(key["key"])
    conversation = live.conversation(client, "the-same-user")
    for number in range(2):
        say(client, conversation, f"{words} {number}", key="the-same-key" if number else None)
    view = live.settled(client, conversation)
    turn = turns(client, conversation)[0]
    job = client.get("/v1/jobs").json()["items"][-1]
    version = client.get(f"/v1/cubes/{view['state_cube_id']}/versions/1").json()
    rule = {"kind": "fifo", "most": 0}
    policy = post(client, "/v1/policies", {"name": words, "rule": rule, "user_id": "the-same-user"}).json()
    run = post(client, f"/v1/policies/{policy['id']}/run", {"dry_run": True}).json()
    grantee = {"grantee": {"role": words}, "permission": "read"}
    grant = post(client, f"/v1/cubes/{view['state_cube_id']}/grants", grantee).json()
    consolidation = post(client, "/v1/consolidations", {"user_id": "the-same-user", "dry_run": True}).json()
    proposal = new_id("prop")
    look(
        live,
        "INSERT INTO consolidation_proposals (tenant_id, id, run_id, cube_id, version_id, user_id, reason) "
        "SELECT r.tenant_id, %s, r.id, c.id, c.head_version_id, r.user_id, 'often read' "
        "FROM consolidations r JOIN memcubes c USING (tenant_id) WHERE r.id = %s AND c.id = %s",
        proposal, consolidation["id"], view["state_cube_id"],
    )  # fmt: skip
    other_key = post(client, "/v1/keys", {"name": words, "scopes": ["read"]}).json()
    erasure = post(client, "/v1/erasures", {"user_id": "the-same-user", "dry_run": True}).json()
    memory = post(client, "/v1/memories", {"text": f"{words} remembered", "user_id": "the-same-user"}).json()
    batch = new_id("batch")
    look(
        live,
        "INSERT INTO memory_batches (tenant_id, id, cube_ids, scope_ids, duplicates, created_by) "
        "SELECT c.tenant_id, %s, ARRAY[c.id], ARRAY[c.scope_id], 0, 'test' FROM memcubes c WHERE c.id = %s",
        batch, memory["memories"][0]["id"],
    )  # fmt: skip
    fact = post(client, "/v1/cubes", {"text": words, "user_id": "the-same-user"}).json()
    delta = post(client, "/v1/deltas", {"user_id": "the-same-user", "cube_ids": [fact["id"]]}).json()
    eventually(lambda: client.get(f"/v1/deltas/{delta['id']}").json()["status"] == "done")
    ids = {
        "erasure_id": erasure["id"], "conversation_id": conversation, "turn_id": turn["id"],
        "cube_id": view["state_cube_id"], "job_id": job["id"],
        "key_id": other_key["id"], "version_id": version["id"], "hash": version["hash"],
        "payload": version["payload_sha256"], "own_key": key["id"], "prefix": key["prefix"],
        "grant_id": grant["id"], "delta_id": delta["id"],
        "policy_id": policy["id"], "run_id": run["id"],
        "consolidation_id": consolidation["id"], "proposal_id": proposal,
        "memory_id": memory["memories"][0]["id"], "batch_id": batch,
    }  # fmt: skip
    return Tenant(client, ids, words)


@pytest.fixture(scope="module")
def tenants(live: Live) -> Iterator[tuple[Tenant, Tenant]]:
    with live.client() as operator:
        pair = _tenant(live, operator, "walrus"), _tenant(live, operator, "oyster")
    yield pair
    for tenant in pair:
        tenant.client.close()


def _operations(client: httpx2.Client) -> list[str]:
    paths = client.get("/openapi.json").json()["paths"]
    return sorted(f"{method.upper()} {path}" for path, operations in paths.items() for method in operations)


def test_every_endpoint_is_driven(tenants: tuple[Tenant, Tenant]) -> None:
    assert _operations(tenants[0].client) == sorted(BODIES)


@pytest.mark.parametrize("call", BODIES)
@pytest.mark.parametrize("turned", [False, True], ids=["one", "other"])
def test_what_is_the_others_does_not_exist(live: Live, tenants: tuple[Tenant, Tenant], call: str, turned: bool) -> None:
    """The same 404 as for what was never there, no word of the other's, and nothing of it changed."""
    mine, other = tenants[::-1] if turned else tenants
    before = _everything(live, other)
    method, path = call.split(" ")
    names_something = "{" in path.replace("{number}", "").replace("{user_id}", "")  # a user is a name of the caller's
    address = path.format(**other.ids, number=1, user_id="the-same-user")
    headers = {"Idempotency-Key": f"{turned}:{call.replace(' ', ':')}", "If-Match": "0"}
    sent: dict[str, Any] = {"content": RAW[call]} if call in RAW else {"json": BODIES[call]}
    answer = mine.client.request(method, address, **sent, params=QUERIES.get(call), headers=headers)
    if names_something:
        body = problem(answer, 404, "not_found")
        numbered = {"If-Match": "0"}
        unknown = mine.client.request(
            method, _unknown(path), json=BODIES[call], params=QUERIES.get(call), headers=numbered
        )
        nothing = problem(unknown, 404, "not_found")
        assert nothing["title"] == body["title"]
        assert nothing["hint"] == body["hint"]
        told = answer.text.replace(body["instance"], "").replace(body["detail"], "")  # the id that was asked for
        assert strangers([told], other) == []
    elif call in ("POST /v1/cubes/merge", "POST /v1/deltas"):
        problem(answer, 404, "not_found")  # of cubes that nobody has; of the other's, in a test below
    elif call == "POST /v1/tenants":
        problem(answer, 403, "forbidden")  # an operator's alone
    else:
        assert answer.is_success, answer.text
        assert strangers([answer.text], other) == []
    assert _everything(live, other) == before


def _unknown(path: str) -> str:
    prefixes = {"conversation_id": "conv", "turn_id": "turn", "cube_id": "cube", "job_id": "job", "key_id": "key"}
    prefixes |= {"policy_id": "rule", "run_id": "run", "consolidation_id": "run", "proposal_id": "prop"}
    prefixes |= {"grant_id": "grant", "erasure_id": "erase", "delta_id": "run"}
    prefixes |= {"memory_id": "cube", "batch_id": "batch"}
    zeros = {name: f"{prefix}_{'0' * 32}" for name, prefix in prefixes.items()}
    return path.format(**zeros, number=1)


def _everything(live: Live, tenant: Tenant) -> list[dict[str, Any]]:
    """All that the database holds of a tenant, past row-level security; once its own work has come to rest."""
    busy = "SELECT 1 FROM outbox o JOIN conversations c USING (tenant_id) WHERE c.id = %s AND o.status <> 'done'"
    eventually(lambda: look(live, busy, tenant.ids["conversation_id"]) == [])
    ours = "WITH me AS (SELECT tenant_id AS id FROM conversations WHERE id = %s) "
    tables = ["conversations", "turns", "chat_turns", "memcubes", "memcube_versions", "lineage_edges",
              "turn_reads", "outbox", "idempotency_keys", "api_keys", "blobs", "distil_runs",
              "distil_inputs", "cube_grants", "audit_log", "policies", "policy_runs", "policy_decisions",
              "consolidations", "consolidation_steps", "consolidation_proposals", "recall_scopes",
              "embeddings", "memory_batches"]  # fmt: skip
    counts = ", ".join(
        f"(SELECT md5(string_agg({row}, '|' ORDER BY {row})) FROM {table} t, me WHERE t.tenant_id = me.id) {table}"
        for table in tables
        # A tenant's own searches are counted a moment later.
        for row in ("(to_jsonb(t) - 'reads' - 'last_read_at')::text" if table == "memcubes" else "t::text",)
    )
    return look(live, f"{ours} SELECT {counts}", tenant.ids["conversation_id"])


@pytest.mark.parametrize("path", LISTS)
def test_lists_hold_only_ones_own(tenants: tuple[Tenant, Tenant], path: str) -> None:
    for mine, other in (tenants, tenants[::-1]):
        for filters in LISTS[path]:
            query = {name: other.ids.get(value, value) for name, value in filters.items()}
            text = mine.client.get(path, params={"limit": "200"} | query).text
            assert strangers([text], other) == []
        assert mine.client.get(path).json()["items"] != []
    own, others = [{str(item["id"]) for item in everything(tenant.client, path)} for tenant in tenants]
    assert own.isdisjoint(others)


def test_a_cursor_of_the_others_opens_nothing(tenants: tuple[Tenant, Tenant]) -> None:
    mine, other = tenants
    for path in ("/v1/jobs", "/v1/keys"):
        cursor = other.client.get(path, params={"limit": 1}).json()["next_cursor"]
        assert cursor is not None
        answer = mine.client.get(path, params={"cursor": cursor})
        assert strangers([answer.text], other) == []


def test_the_same_key_and_the_same_user_are_two(tenants: tuple[Tenant, Tenant]) -> None:
    """Both used one Idempotency-Key for one body: each got an answer of its own, from a memory of its own."""
    for mine, other in (tenants, tenants[::-1]):
        text = f"{mine.words} 1"
        again = say(mine.client, mine.ids["conversation_id"], text, key="the-same-key")
        assert held(again["output"]) == of(f"{mine.words} 0")
        assert other.words not in str(again)


def test_a_foreign_turn_under_way_cannot_be_stopped(live: Live, tenants: tuple[Tenant, Tenant]) -> None:
    mine, other = tenants
    conversation = live.conversation(other.client)
    with other.client.stream(
        "POST", f"/v1/conversations/{conversation}/turns", json={"input": "/slow 60 a b c d e f", "stream": True}
    ) as answer:
        turn = turns(other.client, conversation)[0]
        problem(mine.client.post(f"/v1/turns/{turn['id']}/cancel"), 404, "not_found")
        body = answer.read().decode()
    assert '"finish_reason":"stop"' in body


def test_the_others_cube_is_not_merged(live: Live, tenants: tuple[Tenant, Tenant]) -> None:
    mine, other = tenants
    before = _everything(live, other)
    cubes = [other.ids["cube_id"], post(mine.client, "/v1/cubes", {"text": "mine", "user_id": "u"}).json()["id"]]
    problem(mine.client.post("/v1/cubes/merge", json={"cube_ids": cubes}), 404, "not_found")
    assert _everything(live, other) == before


def test_the_test_sees_a_dropped_policy(live: Live, tenants: tuple[Tenant, Tenant]) -> None:
    """Planted: without the policy on turns, and with one that lets everything through, the other's turn is shown."""
    mine, other = tenants
    address = f"/v1/turns/{other.ids['turn_id']}"
    look(live, "ALTER POLICY tenant ON turns USING (true)")
    try:
        # No admin's key: what an admin was shown stands in the audit log, also when it should not have been.
        key = post(mine.client, "/v1/keys", {"name": "reader", "scopes": ["read"]}).json()["key"]
        with live.client(key) as reader:
            leaked = reader.get(address)
        assert leaked.status_code == 200
        assert "oyster" in strangers([leaked.text], other)
    finally:
        look(live, "ALTER POLICY tenant ON turns USING (tenant_id = memos_tenant())")
    problem(mine.client.get(address), 404, "not_found")
