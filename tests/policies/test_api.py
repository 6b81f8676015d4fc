"""Policies over REST: made, changed, run and removed; what is refused, and with which words."""

from typing import Any

import httpx2
import pytest

from tests.api.talk import eventually, everything, look, post, problem
from tests.support.lab import remember
from tests.support.live import Live, serve
from tests.support.postgres import Cluster


@pytest.fixture(scope="module")
def client(live: Live) -> Any:
    """An admin of a tenant of its own: rules reach everything of a tenant."""
    with live.client() as operator:
        key = post(operator, "/v1/tenants", {"name": "of policies"}).json()["admin_key"]["key"]
    with live.client(key) as made:
        yield made


def make(client: httpx2.Client, rule: dict[str, Any], **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = post(client, "/v1/policies", {"name": "a rule", "rule": rule} | fields).json()
    return made


def ended(client: httpx2.Client, policy: str, run: str) -> dict[str, Any]:
    def look() -> dict[str, Any]:
        view: dict[str, Any] = client.get(f"/v1/policies/{policy}/runs/{run}").json()
        return view if view["status"] in ("done", "failed") else {}

    return eventually(look, 30)


def test_a_rule_runs_and_its_decisions_are_told(live: Live, client: httpx2.Client) -> None:
    conversation = live.conversation(client)
    cube = client.get(f"/v1/conversations/{conversation}").json()["state_cube_id"]
    policy = make(client, {"kind": "ttl", "ttl_s": 0.001}, cube_kind="activation", user_id="ada")
    assert (policy["action"], policy["enabled"], policy["builtin"]) == ("archive", True, False)
    path = f"/v1/policies/{policy['id']}"
    answer = client.post(f"{path}/run", json={"dry_run": True}, headers={"Idempotency-Key": "one-dry-run"})
    assert answer.status_code == 202
    again = client.post(f"{path}/run", json={"dry_run": True}, headers={"Idempotency-Key": "one-dry-run"})
    assert again.content == answer.content
    dry = ended(client, policy["id"], answer.json()["id"])
    assert (dry["status"], dry["decided"], dry["done"]) == ("done", 1, 0)
    assert client.get(f"/v1/cubes/{cube}").json()["lifecycle"] == "activated"
    run = ended(client, policy["id"], post(client, f"{path}/run", {}).json()["id"])
    assert (run["status"], run["decided"], run["done"]) == ("done", 1, 1)
    assert client.get(f"/v1/cubes/{cube}").json()["lifecycle"] == "archived"
    (decision,) = client.get(f"{path}/decisions", params={"run_id": run["id"]}).json()["items"]
    assert (decision["cube_id"], decision["action"], decision["outcome"]) == (cube, "archive", "done")
    assert "ago" in decision["reason"]
    assert [item["id"] for item in everything(client, f"{path}/runs")] == [run["id"], dry["id"]]
    assert client.delete(path).status_code == 200
    problem(client.get(path), 404, "not_found")
    problem(client.post(f"{path}/run", json={}), 404, "not_found")
    assert len(everything(client, f"{path}/decisions")) == 2  # what it did stays on record


def test_rules_are_changed_and_the_built_in_one_is_there(client: httpx2.Client) -> None:
    policy = make(client, {"kind": "fifo", "most": 9}, every_s=60, action="expire")
    path = f"/v1/policies/{policy['id']}"
    changed = client.patch(
        path, json={"rule": {"kind": "reinforce", "most": 3}, "every_s": None, "name": "other"}
    ).json()
    assert changed["rule"] == {"kind": "reinforce", "most": 3, "half_life_s": 604_800.0}
    assert (changed["every_s"], changed["name"], changed["action"]) == (None, "other", "expire")
    assert client.patch(path, json={"rule": {"kind": "thin"}}).json()["action"] == "report"
    assert client.get(path).json()["rule"]["kind"] == "thin"
    *_, builtin = everything(client, "/v1/policies")
    assert (builtin["builtin"], builtin["rule"], builtin["action"]) == (True, {"kind": "expires_at"}, "expire")
    problem(client.delete(f"/v1/policies/{builtin['id']}"), 409, "builtin_policy")
    problem(client.patch(f"/v1/policies/{builtin['id']}", json={"name": "mine"}), 409, "builtin_policy")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "x"}, 422, "invalid"),
        ({"name": "x", "rule": {"kind": "whim"}}, 422, "invalid"),
        ({"name": "x", "rule": {"kind": "fifo"}}, 422, "invalid"),
        ({"name": "x", "rule": {"kind": "fifo", "most": -1}}, 422, "invalid"),
        ({"name": "x", "rule": {"kind": "ttl", "ttl_s": 0}}, 422, "invalid"),
        ({"name": "x", "rule": {"kind": "fifo", "most": 1, "ttl_s": 5}}, 422, "invalid"),
        ({"name": "x", "rule": {"kind": "fifo", "most": 1}, "action": "burn"}, 422, "invalid"),
        ({"name": "x", "rule": {"kind": "thin"}, "action": "archive"}, 409, "rule_action"),
        ({"name": "x", "rule": {"kind": "expires_at"}, "action": "erase"}, 409, "rule_action"),
    ],
)
def test_what_does_not_fit_is_refused(client: httpx2.Client, body: dict[str, Any], status: int, code: str) -> None:
    problem(client.post("/v1/policies", json=body), status, code)


def test_only_an_admin_makes_rules(live: Live, client: httpx2.Client) -> None:
    key = post(client, "/v1/keys", {"name": "app", "scopes": ["app"]}).json()["key"]
    policy = make(client, {"kind": "fifo", "most": 9})["id"]
    with live.client(key) as app:
        body = {"name": "x", "rule": {"kind": "fifo", "most": 0}, "action": "erase"}
        problem(app.post("/v1/policies", json=body), 403, "forbidden")
        problem(app.post(f"/v1/policies/{policy}/run", json={}), 403, "forbidden")
        problem(app.patch(f"/v1/policies/{policy}", json={"enabled": False}), 403, "forbidden")
        problem(app.delete(f"/v1/policies/{policy}"), 403, "forbidden")
        assert app.get(f"/v1/policies/{policy}").status_code == 200


def test_a_policy_runs_by_itself(postgres_cluster: Cluster) -> None:
    """By the schedule, without anybody's request; and a cube's own lifespan is kept in the same way."""
    every = {"policies": 0.2}
    with serve(postgres_cluster.database(), schedule_poll_s=0.1, schedule_every_s=every) as service:
        (tenant,) = look(service, "SELECT id FROM tenants")
        cubes = remember(service.database, tenant["id"], "ada", "one", "two")
        cubes += remember(service.database, tenant["id"], "bob", "three")
        look(service, "UPDATE memcubes SET expires_at = now() - interval '1 s' WHERE id = %s", cubes[2])
        with service.client() as admin:
            *_, builtin = everything(admin, "/v1/policies")
            assert admin.patch(f"/v1/policies/{builtin['id']}", json={"every_s": 1}).is_success
            policy = make(admin, {"kind": "fifo", "most": 1}, every_s=1, user_id="ada")
            off = make(admin, {"kind": "fifo", "most": 0}, every_s=1, enabled=False, user_id="ada")
            eventually(lambda: lives(service, cubes) == ["archived", "activated", "expired"] or [], 30)
            eventually(lambda: len(everything(admin, f"/v1/policies/{policy['id']}/runs")) > 1, 30)
            assert everything(admin, f"/v1/policies/{off['id']}/runs") == []
            assert everything(admin, f"/v1/policies/{policy['id']}/runs")[0]["created_by"] == "schedule"


def lives(live: Live, cubes: list[str]) -> list[str]:
    rows = {row["id"]: row["lifecycle"] for row in look(live, "SELECT id, lifecycle FROM memcubes")}
    return [rows[cube] for cube in cubes]


def test_a_rule_that_erases_leaves_a_receipt(live: Live, client: httpx2.Client) -> None:
    (tenant,) = look(live, "SELECT id FROM tenants WHERE name = 'of policies'")
    gone, kept = remember(live.database, tenant["id"], "erased user", "my zorb is blue", "my gnarf is red")
    policy = make(client, {"kind": "fifo", "most": 1}, user_id="erased user", action="erase")
    run = ended(client, policy["id"], post(client, f"/v1/policies/{policy['id']}/run", {}).json()["id"])
    (decision,) = client.get(f"/v1/policies/{policy['id']}/decisions", params={"run_id": run["id"]}).json()["items"]
    assert (decision["cube_id"], decision["action"], decision["outcome"]) == (gone, "erase", "done")
    erasure = decision["outcome_reason"].removeprefix("handed to erasure ")
    receipt = eventually(lambda: signed(client, erasure), 60)
    assert receipt["target"] == "cube"
    assert "zorb" not in str(look(live, "SELECT * FROM memcube_versions WHERE cube_id = %s", gone))
    assert "gnarf" in str(look(live, "SELECT * FROM memcube_versions WHERE cube_id = %s", kept))
    assert lives(live, [gone, kept]) == ["erased", "activated"]


def signed(client: httpx2.Client, erasure: str) -> dict[str, Any]:
    """The erasure, once the words are out of every store that is read from."""
    view: dict[str, Any] = client.get(f"/v1/erasures/{erasure}").json()
    return view if view["status"] in ("done", "failed") or view.get("receipt") else {}
