"""API keys and tenants: scoped, shown once, kept as a digest, revoked at once."""

import hashlib

import httpx2
import pytest

from memos.kit.ids import new_id
from tests.api.talk import everything, held, look, meanwhile, post, problem, say, under_way
from tests.support.live import SECRET, Live, serve

READS = ["/v1/conversations", "/v1/cubes", "/v1/jobs", "/v1/stats"]


def _key(client: httpx2.Client, *scopes: str) -> dict[str, str]:
    made: dict[str, str] = post(client, "/v1/keys", {"name": "test", "scopes": list(scopes)}).json()
    return made


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer mk_", "Bearer mk_wrong", "Basic YTpi", "mk_wrong", "Bearer mk_\u00e9"],
)
def test_without_a_key_nothing_is_told(live: Live, header: str | None) -> None:
    headers = [] if header is None else [(b"Authorization", header.encode("latin-1"))]
    with httpx2.Client(base_url=live.url) as nobody:
        for path in ["/v1/keys", *READS, f"/v1/turns/{new_id('turn')}"]:
            refused = nobody.get(path, headers=headers)
            problem(refused, 401, "unauthorized")
            assert refused.headers["www-authenticate"] == "Bearer"


def test_the_secret_is_shown_once_and_kept_as_a_digest(live: Live, client: httpx2.Client) -> None:
    made = _key(client, "read")
    assert made["key"].startswith(made["prefix"])
    assert len(made["key"]) > 40
    listed = next(key for key in everything(client, "/v1/keys") if key["id"] == made["id"])
    assert "key" not in listed
    assert made["key"] not in client.get("/v1/keys").text
    (row,) = look(live, "SELECT * FROM api_keys WHERE id = %s", made["id"])
    assert made["key"] not in str(row)
    digest = bytes(row["digest"])
    assert len(digest) == 32
    assert digest != hashlib.sha256(made["key"].encode()).digest()  # keyed: a stolen table cannot be tested against
    tables = look(live, "SELECT table_name AS t FROM information_schema.tables WHERE table_schema = 'public'")
    for table in tables:
        dump = look(live, f"SELECT string_agg(t::text, ' ') AS all FROM {table['t']} t")[0]["all"] or ""
        assert made["key"] not in dump
        assert SECRET not in dump


def test_scopes_bound_what_a_key_may_do(live: Live, client: httpx2.Client, conversation: str) -> None:
    chat = {"input": "hello"}
    with live.client(_key(client, "read")["key"]) as reader, live.client(_key(client, "app")["key"]) as app:
        for path in READS:
            assert reader.get(path).status_code == 200
        refused = problem(reader.post(f"/v1/conversations/{conversation}/turns", json=chat), 403, "forbidden")
        assert "app" in refused["detail"]
        problem(reader.post("/v1/conversations", json={"user_id": "x"}), 403, "forbidden")
        assert app.post(f"/v1/conversations/{conversation}/turns", json=chat).status_code == 201
        for member in (reader, app):
            problem(member.get("/v1/keys"), 403, "forbidden")
            problem(member.post("/v1/keys", json={"name": "x", "scopes": ["admin"]}), 403, "forbidden")
            problem(member.delete(f"/v1/keys/{new_id('key')}"), 403, "forbidden")
            problem(member.post(f"/v1/jobs/{new_id('job')}/retry"), 403, "forbidden")
            problem(member.post("/v1/tenants", json={"name": "x"}), 403, "forbidden")
    with live.client(_key(client, "admin")["key"]) as admin:
        assert admin.get("/v1/keys").status_code == 200
        problem(admin.post("/v1/tenants", json={"name": "x"}), 403, "forbidden")  # an operator's alone


def test_a_revoked_key_is_refused_at_once_and_everywhere(live: Live, client: httpx2.Client, conversation: str) -> None:
    made = _key(client, "app")
    with (
        serve(live.database, blob_url=live.settings.effective_blob_url) as second,
        live.client(made["key"]) as here,
        second.client(made["key"]) as there,
    ):
        assert here.get("/v1/stats").status_code == there.get("/v1/stats").status_code == 200
        with meanwhile(lambda: say(here, conversation, "/slow 100 one two three")) as running:
            under_way(client, conversation, 1)
            revoked = client.delete(f"/v1/keys/{made['id']}")
            assert revoked.status_code == 200
            assert revoked.json()["revoked_at"] is not None
            for member in (here, there):
                problem(member.get("/v1/stats"), 401, "unauthorized")
        assert running.result()["finish_reason"] == "stop"  # what it had begun is not torn
        again = client.delete(f"/v1/keys/{made['id']}").json()
        assert again["revoked_at"] == revoked.json()["revoked_at"]
    problem(client.delete(f"/v1/keys/{new_id('key')}"), 404, "not_found")


def test_nobody_makes_an_operator_over_rest(client: httpx2.Client) -> None:
    problem(client.post("/v1/keys", json={"name": "x", "scopes": ["operator"]}), 422, "invalid")
    made = post(client, "/v1/tenants", {"name": "new"}).json()
    assert made["admin_key"]["scopes"] == ["admin"]


def test_a_new_tenant_starts_with_one_key_and_nothing_else(live: Live, client: httpx2.Client) -> None:
    made = post(client, "/v1/tenants", {"name": "fresh"}).json()
    with live.client(made["admin_key"]["key"]) as fresh:
        assert [key["id"] for key in everything(fresh, "/v1/keys")] == [made["admin_key"]["id"]]
        for path in READS[:3]:
            assert everything(fresh, path) == []
        assert fresh.get("/v1/stats").json()["jobs"] == {"queued": 0, "running": 0, "failed": 0, "oldest_age_s": 0.0}
        assert held(say(fresh, live.conversation(fresh), "mine")["output"]) == []
