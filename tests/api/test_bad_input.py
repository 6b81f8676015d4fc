"""Bad input gets a 4xx problem document that says what to change, and nothing is half-written (P9)."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from memos.kit.ids import new_id
from memos.kit.pages import encode
from tests.api.talk import look, problem
from tests.support.live import Live

JSON = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def nothing_is_written(live: Live, conversation: str) -> Iterator[None]:
    """Whatever a test here sends, no row may come of it."""
    count = "SELECT (SELECT count(*) FROM conversations) c, (SELECT count(*) FROM turns) t, (SELECT count(*) FROM " \
        "api_keys) k, (SELECT count(*) FROM idempotency_keys) i, (SELECT count(*) FROM outbox) o, (SELECT count(*) " \
        "FROM memcube_versions) v"  # fmt: skip
    before = look(live, count)
    yield
    assert look(live, count) == before


MALFORMED = [
    b"", b"{", b'{"input": }', b"not json", b'{"input": "a"} trailing', b'{"input": "\xff"}', b"\xff\xfe", b"\x00",
    b'{"input": "a", "seed": 1' + b"0" * 5000 + b"}", b"[" * 100_000, b'{"a":' * 50_000,
]  # fmt: skip


@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_not_json(client: httpx2.Client, conversation: str, body: bytes) -> None:
    answer = client.post(f"/v1/conversations/{conversation}/turns", content=body, headers=JSON)
    if body == b"":
        problem(answer, 422, "invalid")
    else:
        assert "JSON" in problem(answer, 400, "malformed_json")["hint"]


@pytest.mark.parametrize("body", [[], "text", 5, None, True, [{"input": "x"}], {}, {"input": None}, {"input": ["x"]}])
def test_what_is_not_the_right_json(client: httpx2.Client, conversation: str, body: Any) -> None:
    answer = client.post(f"/v1/conversations/{conversation}/turns", content=json.dumps(body), headers=JSON)
    assert problem(answer, 422, "invalid")["errors"][0]["where"].startswith("body")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None]
)
def test_what_is_not_said_to_be_json(client: httpx2.Client, conversation: str, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = client.post(f"/v1/conversations/{conversation}/turns", content=b'{"input": "x"}', headers=headers)
    problem(answer, 422, "invalid")


FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"input": "x", "extra": 1}, "extra"),
    ({"input": "x", "recall": {"top_k": 1, "extra": 1}}, "extra"),
    ({"input": "x", "max_tokens": "5"}, "max_tokens"),
    ({"input": "x", "max_tokens": 10**40}, "max_tokens"),
    ({"input": "x", "seed": -1}, "seed"),
    ({"input": "x", "min_version": 2**31}, "min_version"),
    ({"input": "x", "temperature": 2.1}, "temperature"),
    ({"input": "x", "stream": "yes"}, "stream"),
    ({"input": "x", "consistency": "LATEST"}, "consistency"),
    ({"input": 5}, "input"),
    ({"input": ""}, "input"),
    ({"input": "a\x00b"}, "NUL"),
    ({"input": "x", "a\x00b": 1}, "NUL"),
]


@pytest.mark.parametrize(("body", "named"), FIELDS, ids=range(len(FIELDS)))
def test_a_field_that_does_not_fit_is_named(
    client: httpx2.Client, conversation: str, body: dict[str, Any], named: str
) -> None:
    answer = client.post(f"/v1/conversations/{conversation}/turns", json=body)
    assert named in problem(answer, 422, "invalid")["detail"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b'{"input": "a\\ud800b"}', "lone surrogate"),
        (b'{"input": "\\u0000"}', "NUL"),
        (b'{"input": "x", "\\udfff": 1}', "lone surrogate"),
        (b'{"input": "x", "temperature": NaN}', "finite"),
        (b'{"input": "x", "temperature": 1e999}', "finite"),
        (b'{"input": "x", "temperature": -Infinity}', "finite"),
    ],
)
def test_what_no_client_library_would_send(client: httpx2.Client, conversation: str, body: bytes, named: str) -> None:
    answer = client.post(f"/v1/conversations/{conversation}/turns", content=body, headers=JSON)
    assert named in problem(answer, 422, "invalid")["detail"]


@pytest.mark.parametrize(
    "metadata",
    [b'{"a": NaN}', b'{"a": [1e999]}', b'{"a\\u0000": 1}', b'{"a": {"b": "\\udc00"}}', b"[" * 40 + b"]" * 40,
     b'{"a":' * 40 + b"1" + b"}" * 40, b"5"],
)  # fmt: skip
def test_metadata_that_cannot_be_kept(client: httpx2.Client, metadata: bytes) -> None:
    body = b'{"user_id": "ada", "metadata": ' + metadata + b"}"
    assert "metadata" in problem(client.post("/v1/conversations", content=body, headers=JSON), 422, "invalid")["detail"]


def test_the_same_holds_for_every_body(client: httpx2.Client, conversation: str) -> None:
    here = f"/v1/conversations/{conversation}"
    for path, body in (
        ("/v1/conversations", {"user_id": "a\x00"}),
        ("/v1/conversations", {"user_id": "u" * 201}),
        ("/v1/conversations", {"user_id": "u", "title": "t" * 501}),
        (f"{here}/rollback", {"to_turn": "1"}),
        (f"{here}/rollback", {"to_turn": 2**31}),
        (f"{here}/rollback", {"to_turn": -1}),
        (f"{here}/fork", {"at_turn": 0, "title": "a\x00"}),
        (f"{here}/fork", {"at_turn": 1.5}),
        (f"{here}/turns/import", {"turns": [{"input": "a", "output": "b\x00"}]}),
        (f"{here}/turns/import", {"turns": [{"input": "a", "output": "b", "created_at": "today"}]}),
        (f"{here}/turns/import", {"turns": [{"input": "a", "output": "b", "created_at": "0001-01-01T00:00:00Z"}]}),
        ("/v1/keys", {"name": "a\x00", "scopes": ["read"]}),
        ("/v1/keys", {"name": "a", "scopes": ["root"]}),
        ("/v1/tenants", {"name": ""}),
    ):
        problem(client.post(path, json=body), 422, "invalid")


@pytest.mark.parametrize("chunked", [False, True])
def test_ten_megabytes(client: httpx2.Client, conversation: str, chunked: bool) -> None:
    body = json.dumps({"input": "x" * 10_000_000}).encode()
    content = (body[start : start + 65_536] for start in range(0, len(body), 65_536)) if chunked else body
    answer = client.post(f"/v1/conversations/{conversation}/turns", content=content, headers=JSON)
    assert ("transfer-encoding" in answer.request.headers) is chunked
    assert "1000000 bytes" in problem(answer, 413, "too_large")["detail"]


def test_an_input_longer_than_a_turn_may_have(client: httpx2.Client, conversation: str) -> None:
    answer = client.post(f"/v1/conversations/{conversation}/turns", json={"input": "é" * 32_001})
    assert "32000" in problem(answer, 413, "too_large")["detail"]


IDS = ["1", "conv_", "conv_" + "0" * 31, "conv_" + "G" * 32, "conv_" + "0" * 33, "turn_" + "0" * 32, "%2e%2e", "'--",
       "é", "conv_" + "0" * 32 + "%0a", "x" * 5000]  # fmt: skip


@pytest.mark.parametrize("wrong", IDS, ids=range(len(IDS)))
def test_what_is_no_id(client: httpx2.Client, wrong: str) -> None:
    for path in (f"/v1/conversations/{wrong}", f"/v1/conversations/{wrong}/turns"):
        answer = client.get(path)
        problem(answer, 422, "invalid")
    problem(client.post(f"/v1/conversations/{wrong}/turns", json={"input": "x"}), 422, "invalid")


def test_an_id_of_nothing(client: httpx2.Client) -> None:
    for path in ("/v1/nothing", "/", "/v1", f"/v1/cubes/{new_id('cube')}/versions/0/x"):
        problem(client.get(path), 404, "not_found")


@pytest.mark.parametrize(
    "path",
    ["/v1/conversations/%00", "/v1/conversations/%ed%a0%80", "/v1/conversations?user_id=%00", "/v1/cubes?user_id=a%00b",
     "/v1/conversations?user_id=%ed%a0%80", "/v1/conversations?user_id=%ff", "/v1/jobs?x=%c3", "/%00", "/healthz?%00"],
)  # fmt: skip
def test_an_address_that_is_not_text(client: httpx2.Client, path: str) -> None:
    problem(client.get(path), 400, "malformed_address")


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=-1", "limit=x", "limit=1.5", "limit=9999999999999999999999", "cursor=",
     "cursor=!!!!", "cursor=MTIz", "cursor=%C3%A9", "cursor=" + "A" * 201, "limit="],
)  # fmt: skip
def test_a_query_that_does_not_fit(client: httpx2.Client, query: str) -> None:
    answer = client.get(f"/v1/conversations?{query}")
    code = "bad_cursor" if "cursor" in query and "AAA" not in query else "invalid"
    problem(answer, 422, code)


def test_a_cursor_of_another_list(client: httpx2.Client, conversation: str) -> None:
    first = encode(new_id("key"))
    assert client.get("/v1/keys", params={"cursor": first}).status_code == 200
    for path in ("/v1/conversations", "/v1/cubes", "/v1/jobs", f"/v1/conversations/{conversation}/turns"):
        problem(client.get(path, params={"cursor": first}), 422, "bad_cursor")


@pytest.mark.parametrize(
    "path",
    ["/v1/cubes/{}/versions/-1", "/v1/cubes/{}/versions/2147483648", "/v1/cubes/{}/versions/1e3/payload",
     "/v1/cubes/{}/lineage?depth=0", "/v1/cubes/{}/lineage?depth=1001", "/v1/cubes/{}/lineage?direction=sideways",
     "/v1/jobs?status=lost", "/v1/cubes?kind=thought", "/v1/cubes?conversation_id=conv_1"],
)  # fmt: skip
def test_numbers_and_words_out_of_range(client: httpx2.Client, path: str) -> None:
    problem(client.get(path.format(new_id("cube"))), 422, "invalid")


@pytest.mark.parametrize("key", [b"", b"two words", b"x" * 256, "é".encode(), b"tab\there"])
def test_an_idempotency_key_that_is_none(client: httpx2.Client, conversation: str, key: bytes) -> None:
    headers = [(b"Idempotency-Key", key), (b"Content-Type", b"application/json")]
    answer = client.post(f"/v1/conversations/{conversation}/turns", content=b'{"input": "x"}', headers=headers)
    assert "Idempotency-Key" in problem(answer, 422, "invalid")["detail"]


@pytest.mark.parametrize(
    "header", [b"X-Request-Id: a\x00b", b"Idempotency-Key: a\x00b", b"Authorization: Bearer mk_\x00"]
)
def test_a_nul_in_a_header(live: Live, header: bytes) -> None:
    """No client library sends one; the server refuses it before it reads further."""
    host = live.url.removeprefix("http://")
    with socket.create_connection(tuple(host.split(":")), timeout=5) as connection:  # type: ignore[arg-type]
        connection.sendall(b"GET /v1/stats HTTP/1.1\r\nHost: x\r\n" + header + b"\r\nConnection: close\r\n\r\n")
        answer = b""
        while part := connection.recv(4096):
            answer += part
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 401 "))


def test_after_all_of_it_the_service_is_well(live: Live, client: httpx2.Client) -> None:
    assert client.get("/readyz").json()["status"] == "ready"
    assert client.get("/v1/stats").json()["jobs"]["failed"] == 0
