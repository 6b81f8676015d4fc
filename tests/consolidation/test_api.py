"""Consolidation over REST: asked for, read with its plan, refused by name."""

from typing import Any

import httpx2
import pytest

from tests.api.talk import eventually, look, post, problem
from tests.support.lab import remember
from tests.support.live import Live


@pytest.fixture(scope="module")
def tenant(live: Live) -> dict[str, str]:
    with live.client() as operator:
        made = post(operator, "/v1/tenants", {"name": "of consolidations"}).json()
    return {"id": made["tenant"]["id"], "key": made["admin_key"]["key"]}


@pytest.fixture
def client(live: Live, tenant: dict[str, str]) -> Any:
    with live.client(tenant["key"]) as made:
        yield made


def ended(client: httpx2.Client, run: str) -> dict[str, Any]:
    def look_at() -> dict[str, Any]:
        view: dict[str, Any] = client.get(f"/v1/consolidations/{run}").json()
        return view if view["status"] in ("done", "failed") else {}

    return eventually(look_at, 30)


def test_a_run_shows_its_plan_and_what_was_done(live: Live, client: httpx2.Client, tenant: dict[str, str]) -> None:
    cubes = remember(live.database, tenant["id"], "ada", "I live in Oslo.", "I live in Bergen.", "I like tea.")
    asked = post(client, "/v1/consolidations", {"user_id": "ada", "dry_run": True}, key="one")
    assert asked.status_code == 202
    again = client.post(
        "/v1/consolidations", json={"user_id": "ada", "dry_run": True}, headers={"Idempotency-Key": "one"}
    )
    assert again.content == asked.content
    dry = ended(client, asked.json()["id"])
    assert [step["outcome"] for step in dry["steps"]] == ["dry_run"]
    run = ended(client, post(client, "/v1/consolidations", {"user_id": "ada"}).json()["id"])
    (step,) = run["steps"]
    assert (step["kind"], step["cube_ids"], step["outcome"]) == ("supersede", [cubes[1], cubes[0]], "done")
    assert client.get(f"/v1/cubes/{cubes[0]}").json()["lifecycle"] == "archived"
    listed = client.get("/v1/consolidations", params={"user_id": "ada"}).json()["items"]
    assert [item["id"] for item in listed] == [run["id"], dry["id"]]
    assert client.get("/v1/proposals", params={"user_id": "ada"}).json()["items"] == []


def test_an_embedding_that_fails_changes_nothing_and_is_told(
    live: Live, client: httpx2.Client, tenant: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job waits for the model as long as that is away; what an admin sees is the run and its job."""
    cubes = remember(live.database, tenant["id"], "bob", "I like tea.", "I like tea!")
    generator = live.app.state.runtime.generator

    async def fails(texts: Any) -> Any:
        raise RuntimeError("planted")

    with monkeypatch.context() as scope:
        scope.setattr(generator, "embed", fails)
        run = post(client, "/v1/consolidations", {"user_id": "bob"}).json()["id"]
        eventually(lambda: look(live, "SELECT 1 FROM outbox WHERE subject = %s AND failures > 0", run), 30)
        view = client.get(f"/v1/consolidations/{run}").json()
        assert (view["status"], view["steps"]) == ("queued", [])
        assert client.get(f"/v1/cubes/{cubes[0]}").json()["lifecycle"] == "activated"
    assert [step["kind"] for step in ended(client, run)["steps"]] == ["merge"]


@pytest.mark.parametrize(
    "body",
    [
        {}, {"user_id": ""}, {"user_id": "ada", "similarity": 0}, {"user_id": "ada", "similarity": 1.1},
        {"user_id": "ada", "steps": []}, {"user_id": "ada", "steps": ["shred"]}, {"user_id": "ada", "most": 1},
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(client: httpx2.Client, body: dict[str, Any]) -> None:
    problem(client.post("/v1/consolidations", json=body), 422, "invalid")


def test_only_an_admin_decides_about_proposals(live: Live, client: httpx2.Client) -> None:
    key = post(client, "/v1/keys", {"name": "app", "scopes": ["app"]}).json()["key"]
    with live.client(key) as app:
        nothing = "prop_" + "0" * 32
        problem(app.post(f"/v1/proposals/{nothing}/accept"), 403, "forbidden")
        problem(app.post(f"/v1/proposals/{nothing}/dismiss"), 403, "forbidden")
        assert app.post("/v1/consolidations", json={"user_id": "eve", "dry_run": True}).status_code == 202
    problem(client.post(f"/v1/proposals/{nothing}/accept"), 404, "not_found")
