"""Who gets in, for how long, and what a request must carry to change anything. No browser is needed for that."""

import time
from dataclasses import replace

import httpx2
import pytest

from memos.console.session import COOKIE, IDLE_S, LONGEST_S, NoSession
from tests.api.talk import look, post
from tests.browser.scene import Scene
from tests.support.console import FORMS, enter, entered, routes

OPEN = ("/console/login",)
HEADERS = {
    "x-content-type-options": "nosniff", "x-frame-options": "DENY", "referrer-policy": "same-origin",
    "cache-control": "no-store",
}  # fmt: skip


def _address(scene: Scene, path: str) -> str:
    zeros = {"conversation_id": "conv", "turn_id": "turn", "cube_id": "cube", "job_id": "job", "policy_id": "rule",
             "run_id": "run", "proposal_id": "prop", "erasure_id": "erase"}  # fmt: skip
    return path.format(**{name: f"{prefix}_{'0' * 32}" for name, prefix in zeros.items()}, number=0)


def test_only_an_admins_key_opens_it(scene: Scene) -> None:
    limited = [{"name": "app", "scopes": ["app", "read"]}, {"name": "one", "scopes": ["read"], "user_id": "ada"}]
    keys = [post(scene.client, "/v1/keys", body).json()["key"] for body in limited]
    keys += ["mk_nothing", "", post(scene.client, "/v1/tokens", {"user_id": "ada"}).json()["token"]]
    for key in keys:
        with httpx2.Client(base_url=scene.live.url, timeout=30) as client:
            answer = enter(client, key)
            assert answer.status_code in (401, 403), key
            assert COOKIE not in client.cookies
            assert not key or key not in answer.text
            assert client.get("/console").headers["location"] == "/console/login"


def test_the_cookie_is_a_browsers_alone_and_holds_no_key(scene: Scene) -> None:
    with httpx2.Client(base_url=scene.live.url, timeout=30) as client:
        answer = enter(client, scene.live.key)
        (cookie,) = [one for one in answer.headers.get_list("set-cookie") if one.startswith(f"{COOKIE}=")]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert "Path=/console" in cookie
        assert scene.live.key[3:20] not in cookie
        # It opens the console and not the API.
        value = cookie.split("=", 1)[1].split(";")[0]
        for sent in ({"Authorization": f"Bearer {value}"}, {"Cookie": f"{COOKIE}={value}"}):
            assert httpx2.get(f"{scene.live.url}/v1/cubes", headers=sent).status_code == 401


def test_a_session_ends(scene: Scene) -> None:
    with entered(scene.live) as client, httpx2.Client(base_url=scene.live.url, timeout=30) as thief:
        thief.cookies.set(COOKIE, client.cookies[COOKIE], path="/console")
        assert thief.get("/console/help").status_code == 200
        assert client.post("/console/logout").status_code == 303
        assert client.get("/console/help").headers["location"].startswith("/console/login?next=")
        assert thief.get("/console/help").status_code == 303
    made = post(scene.client, "/v1/keys", {"name": "second", "scopes": ["admin"]}).json()
    with entered(scene.live, made["key"]) as client:
        assert client.get("/console/help").status_code == 200
        scene.client.delete(f"/v1/keys/{made['id']}")
        assert client.get("/console/help").status_code == 303


def test_it_ends_by_itself_and_is_not_forged(scene: Scene) -> None:
    sessions = scene.live.app.state.console.sessions
    now = int(time.time())
    fresh = sessions.begin("ten_" + "0" * 32, "key_" + "0" * 32)
    assert sessions.open(sessions.seal(fresh)) == fresh
    idle = replace(fresh, seen_at=now - IDLE_S - 2)
    old = replace(fresh, began_at=now - LONGEST_S - 2)
    body, signature = sessions.seal(fresh).split(".")
    other = sessions.seal(sessions.begin("ten_" + "1" * 32, fresh.key_id)).split(".")[0]
    for cookie in (sessions.seal(idle), sessions.seal(old), f"{other}.{signature}", body, f"{body}.", "", "a.b", "é.é"):
        with pytest.raises(NoSession):
            sessions.open(cookie)


def test_nothing_is_shown_without_a_session(scene: Scene) -> None:
    with httpx2.Client(base_url=scene.live.url, timeout=30) as client:
        for method, path in sorted(routes(scene.live)):
            if path in OPEN:
                continue
            answer = client.request(method, _address(scene, path))
            assert answer.status_code == 303, (method, path)
            assert answer.headers["location"].startswith("/console/login"), (method, path)
        assert client.get("/console", headers={"HX-Request": "true"}).headers["hx-redirect"] == "/console/login"


def test_a_form_from_elsewhere_changes_nothing(scene: Scene) -> None:
    """Without the session's token, with another session's, or from another site: 403, whatever the form."""
    with entered(scene.live) as client, entered(scene.live) as other:
        mine, theirs = client.headers.pop("X-CSRF-Token"), other.headers["X-CSRF-Token"]
        before = look(scene.live, "SELECT count(*) AS n FROM audit_log WHERE kind = 'change'")
        for path in sorted(FORMS):
            if path in OPEN:
                continue
            address, form = _address(scene, path), FORMS[path]
            forged = [
                client.post(address, data=form),
                client.post(address, data={**form, "csrf": theirs}),
                client.post(address, data=form, headers={"X-CSRF-Token": "0"}),
                client.post(address, data={**form, "csrf": mine}, headers={"Sec-Fetch-Site": "cross-site"}),
            ]  # fmt: skip
            assert [answer.status_code for answer in forged] == [403] * len(forged), path
            assert "did not come from a page of this console" in forged[0].text
        after = look(scene.live, "SELECT count(*) AS n FROM audit_log WHERE kind = 'change' AND by NOT LIKE 'task:%%'")
        assert after[0]["n"] <= before[0]["n"]
        assert client.post("/console/search", data={**FORMS["/console/search"], "csrf": mine}).status_code == 200


def test_the_entrance_cannot_be_sent_from_elsewhere(scene: Scene) -> None:
    form = {"api_key": scene.live.key}
    with httpx2.Client(base_url=scene.live.url, timeout=30) as client:
        assert client.post("/console/login", data=form).status_code == 403
        client.get("/console/login")
        assert client.post("/console/login", data={**form, "csrf": "0" * 64}).status_code == 403


@pytest.mark.parametrize(
    "onward", ["https://elsewhere.example/console", "//elsewhere.example", "/v1/keys", "/console\\..", "javascript:1"]
)
def test_it_leads_nowhere_else(scene: Scene, onward: str) -> None:
    with httpx2.Client(base_url=scene.live.url, timeout=30) as client:
        assert enter(client, scene.live.key, next=onward).headers["location"] == "/console"
        assert enter(client, scene.live.key, next="/console/jobs?status=failed").headers["location"] == (
            "/console/jobs?status=failed"
        )


def test_every_answer_keeps_a_browser_strict(scene: Scene) -> None:
    with entered(scene.live) as client:
        for path in ("/console", "/console/login", "/console/nothing", "/console/cubes/nothing", "/console/now"):
            answer = client.get(path)
            assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, path
            policy = answer.headers["content-security-policy"]
            assert policy.startswith("default-src 'self';")
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
        assert client.get("/console/static/../session.py").status_code == 404
        assert client.get("/console/static/..%2fsession.py").status_code == 404
        assert "immutable" in client.get("/console/static/console.css").headers["cache-control"]


def test_a_form_sent_twice_takes_effect_once_and_is_in_the_log_as_any_call(scene: Scene) -> None:
    with entered(scene.live) as client:
        form = {"at_turn": "1", "title": "once", "key": "a" * 32}
        address = f"/console/conversations/{scene.ids['rolled']}/fork"
        first, second = client.post(address, data=form), client.post(address, data=form)
        assert first.headers["location"] == second.headers["location"]
        rows = look(scene.live, "SELECT count(*) AS n FROM conversations WHERE title = 'once'")
        assert rows == [{"n": 1}]
        made = first.headers["location"].split("/")[-1].split("?")[0]
        (entry,) = scene.client.get("/v1/audit", params={"subject": made, "kind": "change"}).json()["items"]
        assert (entry["action"], entry["details"]["via"]) == ("conversations.fork", "console")
        client.get(f"/console/conversations/{made}")
        read = scene.client.get("/v1/audit", params={"subject": made, "kind": "read"}).json()["items"]
        assert {"conversations.get", "turns.listing"} <= {one["action"] for one in read}
        entries = scene.client.get("/v1/audit", params={"action": "console.enter"}).json()["items"]
        assert entries
