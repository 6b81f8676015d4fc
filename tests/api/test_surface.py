"""What every call has in common: pages, request ids, statistics, readiness, and the document that describes it all."""

from typing import Any

import httpx2
import pytest

from memos.kit.ids import new_id
from tests.api.talk import everything, problem, say
from tests.support.live import Live

OPENAI = ("/v1/chat/completions", "/v1/models")


@pytest.fixture
def user(live: Live, client: httpx2.Client) -> str:
    """A user with five conversations; one of them has five turns."""
    user_id = new_id("ten")
    for _ in range(5):
        conversation = live.conversation(client, user_id)
    for number in range(5):
        say(client, conversation, f"turn {number}")
    live.settled(client, conversation)
    return user_id


def _conversations(client: httpx2.Client, user: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get("/v1/conversations", params={"user_id": user}).json()["items"]
    return items


def test_pages_hold_everything_once_and_in_order(client: httpx2.Client, user: str) -> None:
    newest = _conversations(client, user)[0]["id"]
    cube = _conversations(client, user)[0]["state_cube_id"]
    for path, key, newest_first in (
        (f"/v1/conversations?user_id={user}", "id", True),
        (f"/v1/conversations/{newest}/turns", "seq", False),
        (f"/v1/cubes?user_id={user}", "id", True),
        (f"/v1/cubes/{cube}/versions", "number", True),
        ("/v1/keys", "id", True),
    ):
        whole = [item[key] for item in everything(client, path)]
        assert whole == sorted(whole, reverse=newest_first), path
        assert len(whole) >= (1 if path == "/v1/keys" else 5)
        for limit in (1, 2, min(len(whole), 200), 200):
            assert [item[key] for item in everything(client, path, limit)] == whole, (path, limit)


def test_jobs_are_listed_newest_first_and_by_status(client: httpx2.Client, user: str) -> None:
    page = client.get("/v1/jobs", params={"status": "done", "limit": 3}).json()
    assert {job["status"] for job in page["items"]} == {"done"}
    ids = [job["id"] for job in page["items"]]
    assert ids == sorted(ids, reverse=True)
    job = page["items"][0]
    assert client.get(f"/v1/jobs/{job['id']}").json() == job
    assert job["task"] in ("advance", "embed")
    problem(client.get(f"/v1/jobs/{new_id('job')}"), 404, "not_found")
    problem(client.post(f"/v1/jobs/{job['id']}/retry"), 409, "job_not_failed")


def test_filters_narrow_a_list(live: Live, client: httpx2.Client, user: str) -> None:
    conversation = _conversations(client, user)[0]["id"]
    (cube,) = client.get("/v1/cubes", params={"conversation_id": conversation}).json()["items"]
    assert (cube["user_id"], cube["kind"]) == (user, "activation")
    assert len(client.get("/v1/cubes", params={"user_id": user, "kind": "activation"}).json()["items"]) == 5
    said = client.get("/v1/cubes", params={"user_id": user, "kind": "plaintext"}).json()["items"]
    assert said
    assert {cube["kind"] for cube in said} == {"plaintext"}
    assert client.get("/v1/cubes", params={"user_id": user, "kind": "parameter"}).json()["items"] == []
    assert client.get("/v1/conversations", params={"user_id": "nobody's"}).json()["items"] == []


def test_a_conversation_is_shown_as_it_was_made(client: httpx2.Client) -> None:
    wanted = {
        "user_id": "ada/☃", "agent_id": "a" * 200, "title": "", "metadata": {"é": [1, 2.5, None, True, {"deep": {}}]},
    }  # fmt: skip
    made = client.post("/v1/conversations", json=wanted).json()
    shown = client.get(f"/v1/conversations/{made['id']}").json()
    assert shown == made
    assert {name: shown[name] for name in wanted} == wanted
    assert (shown["epoch"], shown["turn_count"], shown["pending_turns"], shown["state_version"]) == (0, 0, 0, 0)
    assert shown["forked_from"] is None


def test_every_answer_carries_a_request_id(live: Live, client: httpx2.Client) -> None:
    for path in ("/healthz", "/readyz", "/v1/stats", "/v1/nothing", f"/v1/turns/{new_id('turn')}", "/openapi.json"):
        given = client.get(path, headers={"X-Request-Id": "my-id_1.2"})
        assert given.headers["x-request-id"] == "my-id_1.2"
        made = {client.get(path).headers["x-request-id"] for _ in range(2)}
        assert len(made) == 2
    for insane in (b"x" * 129, b"a b", b"a\tb", "é".encode(), b""):
        answer = client.get("/healthz", headers=[(b"X-Request-Id", insane)])
        assert answer.headers["x-request-id"].encode() not in (insane, b"")
    missing = client.get("/v1/nothing", headers={"X-Request-Id": "mine"})
    assert problem(missing, 404, "not_found")["request_id"] == "mine"
    assert missing.json()["instance"] == "/v1/nothing"


def test_statistics_count_what_is_under_way(client: httpx2.Client, live: Live, conversation: str) -> None:
    say(client, conversation, "counted")
    live.settled(client, conversation)
    stats = client.get("/v1/stats").json()
    assert stats["turns_in_flight"] >= 0
    assert stats["jobs"]["failed"] == 0


def test_ready_says_what_was_checked(live: Live) -> None:
    with httpx2.Client(base_url=live.url) as nobody:  # no key: whoever balances load has none
        body = nobody.get("/readyz").json()
        alive = nobody.get("/healthz").json()
    assert body["status"] == "ready"
    assert all(check["ok"] for check in body["checks"].values())
    assert {"database", "generator", "relay"} <= body["checks"].keys()
    assert alive["status"] == "ok"


def test_a_405_names_what_the_path_takes(client: httpx2.Client, conversation: str) -> None:
    for method, path, allowed in (
        ("DELETE", "/v1/conversations", "GET, POST"),
        ("PUT", f"/v1/conversations/{conversation}", "GET"),
        ("GET", f"/v1/conversations/{conversation}/fork", "POST"),
        ("PATCH", "/v1/keys", "GET, POST"),
        ("GET", f"/v1/keys/{new_id('key')}", "DELETE"),
        ("POST", "/healthz", "GET"),
        ("PATCH", "/v1/cubes/export", "POST"),
        ("GET", "/v1/cubes/import", "POST"),
        ("DELETE", "/v1/cubes/merge", "POST"),
    ):
        refused = client.request(method, path)
        problem(refused, 405, "method_not_allowed")
        assert refused.headers["allow"] == allowed, path
    assert client.head("/v1/nothing").status_code == 404


def test_the_document_describes_every_refusal_as_a_problem(client: httpx2.Client) -> None:
    document = client.get("/openapi.json").json()
    assert document["components"]["schemas"]["Problem"]["required"][:3] == ["type", "title", "status"]
    assert document["components"]["securitySchemes"]["ApiKey"]["scheme"] == "bearer"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (path, method)
            if path.startswith("/v1/"):
                assert operation["security"] == [{"ApiKey": []}], (path, method)
            for status, response in operation["responses"].items():
                if int(status) >= 400 and path != "/readyz":
                    # Clients of OpenAI's calls read a shape of their own.
                    said = "application/json" if path in OPENAI else "application/problem+json"
                    assert list(response["content"]) == [said], (path, method, status)
