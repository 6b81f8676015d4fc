"""What a key, a token and a header make of a caller, and what each then sees."""

from collections.abc import Iterator

import httpx2
import pytest

from memos.kit.ids import new_id
from tests.api.talk import everything, look, post, problem, say
from tests.support.live import Live


def token(client: httpx2.Client, user: str, **more: object) -> str:
    return str(post(client, "/v1/tokens", {"user_id": user} | more).json()["token"])


def as_user(user: str) -> dict[str, str]:
    return {"X-Memos-User": user}


@pytest.fixture
def client(live: Live) -> Iterator[httpx2.Client]:
    with live.client() as open_client:
        yield open_client


@pytest.fixture
def ada(live: Live, client: httpx2.Client) -> Iterator[httpx2.Client]:
    with live.client(token(client, "ada")) as open_client:
        yield open_client


@pytest.fixture
def bob(live: Live, client: httpx2.Client) -> Iterator[httpx2.Client]:
    with live.client(token(client, "bob")) as open_client:
        yield open_client


def test_a_token_takes_turns_of_its_user_alone(live: Live, ada: httpx2.Client, bob: httpx2.Client) -> None:
    conversation = live.conversation(ada, "ada")
    first = say(ada, conversation, "mine")
    assert say(ada, conversation, "again")["seq"] == 2
    live.settled(ada, conversation)
    assert conversation in {item["id"] for item in everything(ada, "/v1/conversations")}
    assert conversation not in {item["id"] for item in everything(bob, "/v1/conversations")}
    for path in (
        f"/v1/conversations/{conversation}",
        f"/v1/conversations/{conversation}/turns",
        f"/v1/turns/{first['id']}",
    ):
        assert ada.get(path).status_code == 200
        problem(bob.get(path), 404, "not_found")
    problem(bob.post(f"/v1/conversations/{conversation}/turns", json={"input": "let me in"}), 404, "not_found")


def test_nobody_begins_a_conversation_for_somebody_else(bob: httpx2.Client) -> None:
    problem(bob.post("/v1/conversations", json={"user_id": "ada"}), 403, "not_yours")


@pytest.mark.parametrize(
    ("sent", "who"),
    [
        (b"ada", "ada"),
        ("zo\u00eb \u2603".encode(), "zo\u00eb \u2603"),
        (b"utf-8''%20ada%0A", " ada\n"),
        (b"UTF-8''utf-8%27%27x", "utf-8''x"),
        (b"100%25", "100%25"),
        (b"a" * 200, "a" * 200),
    ],
)
def test_a_header_names_a_user_as_the_body_does(live: Live, client: httpx2.Client, sent: bytes, who: str) -> None:
    made = client.post("/v1/conversations", json={"user_id": who}, headers=[(b"X-Memos-User", sent)])
    assert made.status_code == 201, made.text
    assert made.json()["user_id"] == who


@pytest.mark.parametrize("header", [b"X-Memos-User", b"X-Memos-Agent"])
@pytest.mark.parametrize("sent", [[b""], [b"a" * 201], [b"\xff\xfe"], [b"a", b"b"], [b"utf-8''%00"], [b"utf-8''%ff"]])
def test_a_header_that_names_nobody_is_refused(client: httpx2.Client, header: bytes, sent: list[bytes]) -> None:
    refused = client.get("/v1/conversations", headers=[(header, value) for value in sent])
    assert "utf-8" in problem(refused, 422, "bad_actor")["hint"]


def test_a_limited_key_acts_for_nobody_else(live: Live, client: httpx2.Client) -> None:
    made = post(client, "/v1/keys", {"name": "ada's phone", "scopes": ["app"], "user_id": "ada"}).json()
    assert (made["user_id"], made["agent_id"], made["roles"]) == ("ada", None, [])
    listed = next(key for key in everything(client, "/v1/keys") if key["id"] == made["id"])
    assert listed["user_id"] == "ada"
    with live.client(made["key"]) as phone:
        assert phone.get("/v1/conversations", headers=as_user("ada")).status_code == 200
        problem(phone.get("/v1/conversations", headers=as_user("bob")), 403, "not_of_this_key")
        problem(phone.post("/v1/conversations", json={"user_id": "bob"}), 403, "not_yours")
        problem(phone.post("/v1/tokens", json={"user_id": "ada"}), 403, "not_for_persons")
        problem(phone.get("/v1/jobs"), 403, "not_for_persons")
        assert {item["user_id"] for item in everything(phone, "/v1/conversations")} <= {"ada"}
    agent = post(client, "/v1/keys", {"name": "an agent", "scopes": ["app"], "agent_id": "shop"}).json()
    with live.client(agent["key"]) as shop:
        problem(shop.get("/v1/conversations", headers=as_user("ada")), 403, "not_of_this_key")
    problem(client.post("/v1/keys", json={"name": "x", "scopes": ["admin"], "user_id": "ada"}), 422, "limited_admin")


def test_a_token_ends(live: Live, client: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    key = post(client, "/v1/keys", {"name": "server", "scopes": ["app"]}).json()
    with live.client(key["key"]) as server:
        short = post(server, "/v1/tokens", {"user_id": "ada", "ttl_s": 60}).json()
        with live.client(short["token"]) as ada:
            assert ada.get("/v1/conversations").status_code == 200
            with monkeypatch.context() as later:
                later.setattr("memos.keys.tokens.time.time", lambda: 10**11)
                assert "over" in problem(ada.get("/v1/conversations"), 401, "unauthorized")["detail"]
            assert ada.get("/v1/conversations").status_code == 200
            client.delete(f"/v1/keys/{key['id']}")
            problem(ada.get("/v1/conversations"), 401, "unauthorized")  # with the key that made it


def test_a_token_that_was_changed_is_none(live: Live, client: httpx2.Client) -> None:
    good = token(client, "ada")
    body, _, signature = good.removeprefix("mt_").partition(".")
    other = token(client, "bob").removeprefix("mt_").partition(".")
    for bad in (
        f"mt_{other[0]}.{signature}", f"mt_{body}.{other[2]}", f"mt_{body}", f"mt_{body}.", "mt_.", "mt_", "mt_%%%.x",
        f"{good}A", f"mt_{body}.{signature[:-2]}AA", f"mt_{body}\u00e9.{signature}",
    ):  # fmt: skip
        refused = client.get("/v1/conversations", headers=[(b"Authorization", f"Bearer {bad}".encode("latin-1"))])
        problem(refused, 401, "unauthorized")


def test_a_token_is_in_no_table(live: Live, client: httpx2.Client) -> None:
    made = post(client, "/v1/tokens", {"user_id": "ada-of-the-token"}).json()
    assert made["token"].startswith("mt_")
    for table in ("api_keys", "audit_log", "outbox", "idempotency_keys"):
        dump = look(live, f"SELECT string_agg(t::text, ' ') AS all FROM {table} t")[0]["all"] or ""
        assert made["token"][3:40] not in dump
        assert "ada-of-the-token" not in dump


def test_roles_come_from_the_key(live: Live, client: httpx2.Client) -> None:
    server = post(client, "/v1/keys", {"name": "server", "scopes": ["app"], "roles": ["support"]}).json()["key"]
    with live.client(server) as app:
        made = post(app, "/v1/tokens", {"user_id": "ada", "roles": ["support"]}).json()
        assert made["roles"] == ["support"]
        assert post(app, "/v1/tokens", {"user_id": "ada"}).json()["roles"] == []
        problem(app.post("/v1/tokens", json={"user_id": "ada", "roles": ["boss"]}), 403, "forbidden")
    assert post(client, "/v1/tokens", {"user_id": "ada", "roles": ["boss"]}).json()["roles"] == ["boss"]  # an admin


def test_one_key_of_two_users_is_two(ada: httpx2.Client, bob: httpx2.Client, client: httpx2.Client) -> None:
    """The same Idempotency-Key and body: neither is shown the other's answer, and neither is in the other's way."""
    key = f"the-same-{new_id('key')}"
    mine = post(ada, "/v1/conversations", {"user_id": "ada"}, key=key).json()
    assert post(ada, "/v1/conversations", {"user_id": "ada"}, key=key).json() == mine
    problem(bob.post("/v1/conversations", json={"user_id": "ada"}, headers={"Idempotency-Key": key}), 403, "not_yours")
    other = post(bob, "/v1/conversations", {"user_id": "bob"}, key=key).json()
    assert other["id"] != mine["id"]
    assert post(client, "/v1/conversations", {"user_id": "ada"}, key=key).json()["id"] not in (mine["id"], other["id"])


def test_a_user_in_person_and_through_an_agent(live: Live, client: httpx2.Client) -> None:
    through = post(client, "/v1/conversations", {"user_id": "eve", "agent_id": "shop"}).json()["id"]
    plain = post(client, "/v1/conversations", {"user_id": "eve"}).json()["id"]

    def seen(**headers: str) -> set[str]:
        answer = client.get("/v1/conversations", params={"limit": 200}, headers=headers).json()
        return {item["id"] for item in answer["items"]} & {through, plain}

    assert seen(**as_user("eve")) == {through, plain}
    assert seen(**as_user("eve"), **{"X-Memos-Agent": "shop"}) == {through, plain}
    assert seen(**as_user("eve"), **{"X-Memos-Agent": "home"}) == {plain}
    assert seen(**{"X-Memos-Agent": "shop"}) == set()
    assert seen() == {through, plain}
