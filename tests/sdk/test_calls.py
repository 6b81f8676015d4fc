"""What is sent, what is read, and what is raised."""

import asyncio
import inspect
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from memos import sdk
from memos.sdk import AsyncMemos, Memos
from memos.sdk._retry import IN_FLIGHT, Patience
from tests.sdk.conftest import Either
from tests.sdk.stub import CONVERSATION, KEY, NOW, SILENCE, TURN, Answer, Stub, ok, problem

CONV, TURN_ID = str(CONVERSATION["id"]), str(TURN["id"])


def test_a_turn_is_sent_as_the_contract_says(either: Either, server: Stub) -> None:
    server.will(ok(TURN, 201))
    turn = either.call(
        server, lambda c: c.turns.create(CONV, "hello", recall_top_k=0, max_tokens=8, idempotency_key="k1")
    )
    sent = server.received[0]
    assert (sent.method, sent.path) == ("POST", f"/v1/conversations/{CONV}/turns")
    assert sent.json == {"input": "hello", "recall": {"top_k": 0}, "max_tokens": 8}
    assert sent.headers["authorization"] == "Bearer mk_test"
    assert sent.headers["idempotency-key"] == "k1"
    assert sent.headers["content-type"] == "application/json"
    assert (turn.output, turn.memory.state_version) == ("hi there", 0)


def test_how_an_answer_is_drawn_is_sent_when_given(either: Either, server: Stub) -> None:
    server.will(ok(TURN, 201), ok(TURN, 201))
    drawn = {"temperature": 0.7, "top_k": 5, "top_p": 0.9, "seed": 3}
    either.call(server, lambda c: c.turns.create(CONV, "hello", stop=["\n", "you:"], **drawn))
    either.call(server, lambda c: c.turns.create(CONV, "hello", stop="you:"))
    assert server.received[0].json == {"input": "hello", "stop": ["\n", "you:"], **drawn}
    assert server.received[1].json == {"input": "hello", "stop": ["you:"]}


def test_what_is_left_out_is_the_services_default(either: Either, server: Stub) -> None:
    server.will(ok(CONVERSATION, 201))
    either.call(server, lambda c: c.conversations.create("ada"))
    assert server.received[0].json == {"user_id": "ada"}


def test_an_id_cannot_leave_its_place_in_the_path(either: Either, server: Stub) -> None:
    server.will(ok(TURN))
    either.call(server, lambda c: c.turns.get("../keys?x=1"))
    assert (server.received[0].path, server.received[0].query) == ("/v1/turns/..%2Fkeys%3Fx%3D1", {})


def test_fields_that_a_newer_service_adds_are_kept(either: Either, server: Stub) -> None:
    server.will(ok(CONVERSATION | {"mood": "good", "fingerprint": "f"}))
    found = either.call(server, lambda c: c.conversations.get(CONV))
    assert found.model_dump()["mood"] == "good"


def test_lists_go_on_from_page_to_page(either: Either, server: Stub) -> None:
    server.will(
        ok({"items": [KEY, KEY], "next_cursor": "abc"}),
        ok({"items": [], "next_cursor": "def"}),
        ok({"items": [KEY], "next_cursor": None}),
    )
    assert len(either.call(server, lambda c: c.keys.list(page_size=2))) == 3
    assert [r.query for r in server.received] == [
        {"limit": ["2"]},
        {"limit": ["2"], "cursor": ["abc"]},
        {"limit": ["2"], "cursor": ["def"]},
    ]


def test_payloads_are_bytes(either: Either, server: Stub) -> None:
    server.will(Answer(200, b"\x00\xff" * 1000, {"Content-Type": "application/vnd.safetensors"}))
    assert either.call(server, lambda c: c.cubes.payload("cube_1", 3)) == b"\x00\xff" * 1000
    assert server.received[0].path == "/v1/cubes/cube_1/versions/3/payload"


def test_a_service_that_is_not_ready_is_an_answer_and_needs_no_key(either: Either, server: Stub) -> None:
    server.will(ok({"status": "not_ready", "checks": {"relay": {"ok": False}}}, 503))
    found = either.call(server, lambda c: c.ready(), api_key=None)
    assert (found.ok, found.checks["relay"]["ok"], len(server.received)) == (False, False, 1)
    assert "authorization" not in server.received[0].headers


def test_imports_take_mappings_and_values(either: Either, server: Stub) -> None:
    server.will(ok({"turns": [TURN]}, 201))
    turns = [{"input": "a", "output": "b"}, sdk.ImportedTurn(input="c", output="d")]
    either.call(server, lambda c: c.conversations.import_turns(CONV, turns))
    assert server.received[0].json == {"turns": [{"input": "a", "output": "b"}, {"input": "c", "output": "d"}]}


# -- errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, sdk.BadRequestError), (401, sdk.AuthenticationError), (403, sdk.PermissionDeniedError),
        (404, sdk.NotFoundError), (409, sdk.ConflictError), (410, sdk.GoneError), (413, sdk.TooLargeError),
        (422, sdk.UnprocessableError), (429, sdk.RateLimitError), (500, sdk.InternalServerError),
        (503, sdk.ServiceUnavailableError), (418, sdk.APIStatusError), (507, sdk.InternalServerError),
    ],
)  # fmt: skip
def test_each_status_is_its_own_error(
    either: Either, server: Stub, status: int, kind: type[sdk.APIStatusError], no_waiting: None
) -> None:
    server.will(problem(status, "some_code"))
    with pytest.raises(kind) as caught:
        either.call(server, lambda c: c.turns.get(TURN_ID), max_retries=0)
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.hint, error.request_id) == (
        status, "some_code", "hint of some_code", "req-1",
    )  # fmt: skip
    assert error.message == "detail of some_code"
    assert error.context == {"most": 3}
    assert str(error) == f"{status} some_code: detail of some_code (hint of some_code) [request req-1]"


def test_a_page_of_a_proxy_is_an_error_and_not_a_crash(either: Either, server: Stub, no_waiting: None) -> None:
    server.will(Answer(502, b"<html>Bad gateway</html>", {"Content-Type": "text/html"}))
    with pytest.raises(sdk.ServiceUnavailableError) as caught:
        either.call(server, lambda c: c.turns.get(TURN_ID), max_retries=0)
    assert caught.value.code == "http_502"
    server.will(Answer(200, b"<html>Welcome</html>", {"Content-Type": "text/html"}))
    with pytest.raises(sdk.InvalidResponseError):
        either.call(server, lambda c: c.turns.get(TURN_ID))
    server.will(ok({"id": 3}))
    with pytest.raises(sdk.InvalidResponseError, match="not a Turn"):
        either.call(server, lambda c: c.turns.get(TURN_ID))


def test_a_redirect_does_not_carry_the_key_elsewhere(either: Either, server: Stub) -> None:
    server.will(Answer(307, b"", {"Location": "http://127.0.0.1:9/"}))
    with pytest.raises(sdk.APIStatusError):
        either.call(server, lambda c: c.turns.get(TURN_ID))
    assert len(server.received) == 1


@pytest.mark.parametrize("key", ["", "a b", "ä", "a\n", "x" * 256])
def test_a_key_that_the_service_would_refuse_is_not_sent(either: Either, server: Stub, key: str) -> None:
    with pytest.raises(sdk.MemosError) as caught:
        either.call(server, lambda c: c.turns.create(CONV, "hello", idempotency_key=key))
    assert caught.value.code == "bad_idempotency_key"


@pytest.mark.parametrize("text", ["\ud800", float("nan"), {1, 2}])
def test_what_is_not_json_is_not_sent(either: Either, server: Stub, text: Any) -> None:
    with pytest.raises(sdk.MemosError) as caught:
        either.call(server, lambda c: c.conversations.create("ada", metadata={"x": text}))
    assert (caught.value.code, server.received) == ("not_json", [])


# -- retries -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "failure", [SILENCE, problem(503, "unavailable"), problem(429, "too_many"), problem(409, IN_FLIGHT)]
)
def test_one_key_for_one_call_however_often_it_is_sent(
    either: Either, server: Stub, failure: Answer, no_waiting: None
) -> None:
    server.will(failure, failure, ok(TURN, 201))
    assert either.call(server, lambda c: c.turns.create(CONV, "hello")).id == TURN_ID
    keys = {received.headers["idempotency-key"] for received in server.received}
    assert (len(server.received), len(keys)) == (3, 1)
    server.will(ok(TURN, 201))
    either.call(server, lambda c: c.turns.create(CONV, "hello"))
    assert server.received[-1].headers["idempotency-key"] not in keys


def test_retries_are_bounded(either: Either, server: Stub, no_waiting: None) -> None:
    server.will(problem(503, "unavailable"))
    with pytest.raises(sdk.ServiceUnavailableError):
        either.call(server, lambda c: c.turns.create(CONV, "hello"), max_retries=3)
    assert len(server.received) == 4


def test_any_refusal_that_names_a_time_to_come_back_is_repeated(either: Either, server: Stub, no_waiting: None) -> None:
    server.will(problem(409, "turn_not_applied", Retry_After="1"), ok(CONVERSATION, 201))
    assert either.call(server, lambda c: c.conversations.fork(CONV, 1)).id == CONV


@pytest.mark.parametrize("status", [400, 404, 409, 422, 500])
def test_what_a_retry_cannot_help_is_not_repeated(either: Either, server: Stub, status: int, no_waiting: None) -> None:
    server.will(problem(status, "some_code"))
    with pytest.raises(sdk.APIStatusError):
        either.call(server, lambda c: c.turns.create(CONV, "hello"))
    assert len(server.received) == 1


def test_waiting_for_our_own_work_does_not_use_up_the_retries(either: Either, server: Stub, no_waiting: None) -> None:
    server.will(*[problem(409, IN_FLIGHT)] * 10, SILENCE, ok(TURN, 201))
    assert either.call(server, lambda c: c.turns.create(CONV, "hello"), max_retries=1).id == TURN_ID


def test_waiting_for_our_own_work_ends_too(either: Either, server: Stub) -> None:
    server.will(problem(409, IN_FLIGHT, Retry_After="1"))
    with pytest.raises(sdk.ConflictError):
        either.call(server, lambda c: c.turns.create(CONV, "hello"), timeout_s=1.5)
    assert len(server.received) == 2


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_the_service_says_how_long_to_wait(either: Either, server: Stub, form: str) -> None:
    when = "1" if form == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    server.will(problem(503, "unavailable", Retry_After=when), ok(TURN, 201))
    began = time.monotonic()
    either.call(server, lambda c: c.turns.create(CONV, "hello"))
    assert 0.9 < time.monotonic() - began < 10


def test_a_service_that_asks_for_hours_gets_an_answer_now(either: Either, server: Stub) -> None:
    server.will(problem(503, "unavailable", Retry_After="7200"))
    with pytest.raises(sdk.ServiceUnavailableError) as caught:
        either.call(server, lambda c: c.turns.create(CONV, "hello"))
    assert (caught.value.retry_after_s, len(server.received)) == (7200.0, 1)


def test_a_lost_answer_names_the_key_to_ask_again_with(either: Either, server: Stub, no_waiting: None) -> None:
    server.will(SILENCE)
    with pytest.raises(sdk.APIConnectionError) as caught:
        either.call(server, lambda c: c.turns.create(CONV, "hello"), max_retries=1)
    assert caught.value.idempotency_key == server.received[0].headers["idempotency-key"]


def test_a_call_that_the_service_would_do_twice_is_not_sent_twice(
    either: Either, server: Stub, no_waiting: None
) -> None:
    """No answer with a secret in it is stored, so a second POST /v1/keys would make a second key."""
    server.will(SILENCE, ok(KEY | {"key": "mk_secret"}, 201))
    with pytest.raises(sdk.APIConnectionError) as caught:
        either.call(server, lambda c: c.keys.create("a", ["app"]))
    assert (caught.value.idempotency_key, len(server.received)) == (None, 1)
    server.will(problem(503, "unavailable"), ok(KEY | {"key": "mk_secret"}, 201))
    assert either.call(server, lambda c: c.keys.create("a", ["app"])).key == "mk_secret"


def test_nobody_listens(either: Either, server: Stub, no_waiting: None) -> None:
    server.url = "http://127.0.0.1:9"
    with pytest.raises(sdk.APIConnectionError, match=r"POST http://127\.0\.0\.1:9/v1/conversations"):
        either.call(server, lambda c: c.conversations.create("ada"), max_retries=1)


def test_the_patience_with_our_own_work_begins_when_we_hear_of_it() -> None:
    now = [0.0]
    patience = Patience(3, 10.0, clock=lambda: now[0])
    busy = sdk.ConflictError("m", status=409, code=IN_FLIGHT, retry_after_s=1.0)
    now[0] = 100.0  # the first try took that long, and then broke
    assert patience(busy) == 1.0
    now[0] = 108.5
    assert patience(busy) == 1.0
    now[0] = 109.5
    assert patience(busy) is False


def test_slowness_is_a_timeout(either: Either, no_waiting: None) -> None:
    import socket

    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        server = Stub()
        server.url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(sdk.APITimeoutError):
            either.call(server, lambda c: c.ready(), timeout_s=0.2, max_retries=0)


# -- both clients --------------------------------------------------------------------------------------------------


def test_both_clients_make_the_same_calls(server: Stub) -> None:
    def surface(client: object) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {"": sorted(n for n in dir(client) if not n.startswith("_"))}
        for name, resource in vars(client).items():
            if not name.startswith("_"):
                methods = (m for m in dir(resource) if not m.startswith("_"))
                found[name] = [f"{m}{_parameters(getattr(resource, m))}" for m in methods]
        return found

    async def awaited() -> dict[str, list[str]]:
        async with AsyncMemos(server.url, "k") as client:
            return surface(client)

    with Memos(server.url, "k") as client:
        blocking = surface(client)
    assert blocking == asyncio.run(awaited())
    assert sum(len(methods) for methods in blocking.values()) > 30


def _parameters(method: Any) -> str:
    return str(inspect.signature(method).replace(return_annotation=inspect.Signature.empty))


def test_created_at_is_a_time(either: Either, server: Stub) -> None:
    server.will(ok(KEY))
    assert either.call(server, lambda c: c.keys.revoke("key_1")).created_at == datetime.fromisoformat(NOW)
