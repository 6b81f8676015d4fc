"""Answers as they are made: whole, broken on the way, refused, and left early."""

import asyncio
from typing import Any

import pytest

from memos import sdk
from memos.sdk import AsyncMemos, Done, Memos, Restarted, Token
from tests.sdk.conftest import Either
from tests.sdk.stub import CONVERSATION, TURN, Stub, events, ok, problem

CONV = str(CONVERSATION["id"])
HI, THERE, DONE = ("token", {"text": "hi"}), ("token", {"text": " there"}), ("done", TURN)


def stream(client: Any) -> Any:
    return client.turns.stream(CONV, "hello")


def test_tokens_then_the_stored_turn(either: Either, server: Stub) -> None:
    server.will(events(HI, ("newer", {"x": 1}), THERE, DONE))
    *tokens, done = either.call(server, stream)
    assert tokens == [Token("hi"), Token(" there")]
    assert isinstance(done, Done)
    assert done.turn.output == "hi there"
    assert server.received[0].json == {"input": "hello", "stream": True}


@pytest.mark.parametrize("cut", [events(HI, hang_up=True), events(HI)])
def test_a_broken_stream_is_taken_up_with_the_same_key(
    either: Either, server: Stub, cut: Any, no_waiting: None
) -> None:
    server.will(cut, problem(409, "idempotency_in_flight"), events(DONE))
    first, restarted, done = either.call(server, stream)
    assert (first, restarted) == (Token("hi"), Restarted())
    assert isinstance(done, Done)
    assert len({received.headers["idempotency-key"] for received in server.received}) == 1


def test_what_happens_after_done_does_not_matter(either: Either, server: Stub, no_waiting: None) -> None:
    server.will(events(HI, DONE, hang_up=True))
    assert [type(event) for event in either.call(server, stream)] == [Token, Done]
    assert len(server.received) == 1


def test_a_refusal_before_the_first_token(either: Either, server: Stub) -> None:
    server.will(problem(404, "not_found"))
    with pytest.raises(sdk.NotFoundError):
        either.call(server, stream)


def test_an_error_event_is_the_error(either: Either, server: Stub, no_waiting: None) -> None:
    server.will(events(HI, ("error", {"status": 409, "code": "turn_superseded", "detail": "d", "hint": "h"})))
    with pytest.raises(sdk.ConflictError) as caught:
        either.call(server, stream)
    assert (caught.value.code, len(server.received)) == ("turn_superseded", 1)


def test_an_error_event_that_a_retry_helps(either: Either, server: Stub, no_waiting: None) -> None:
    lost = ("error", {"status": 503, "code": "model_unavailable", "detail": "d"})
    server.will(events(HI, lost), events(HI, THERE, DONE))
    found = either.call(server, stream)
    assert found[:4] == [Token("hi"), Restarted(), Token("hi"), Token(" there")]


def test_a_stream_that_never_ends_well(either: Either, server: Stub, no_waiting: None) -> None:
    server.will(events(HI))
    with pytest.raises(sdk.StreamInterruptedError) as caught:
        either.call(server, stream, max_retries=2)
    assert len(server.received) == 3
    assert caught.value.idempotency_key == server.received[0].headers["idempotency-key"]


@pytest.mark.parametrize("data", [{"no": "text"}, [1], {"text": 3}])
def test_an_event_outside_the_contract(either: Either, server: Stub, data: Any) -> None:
    server.will(events(("token", data)))
    with pytest.raises(sdk.InvalidResponseError):
        either.call(server, stream)


def test_not_a_stream_at_all(either: Either, server: Stub, no_waiting: None) -> None:
    server.will(ok(TURN, 201))
    with pytest.raises(sdk.APIConnectionError):
        either.call(server, stream, max_retries=0)


def test_final_comes_with_done(server: Stub) -> None:
    server.will(events(HI, DONE))
    with Memos(server.url, "k") as client, client.turns.stream(CONV, "hello") as stream:
        assert next(stream) == Token("hi")
        with pytest.raises(sdk.MemosError) as caught:
            _ = stream.final
        assert caught.value.code == "stream_unfinished"
        assert stream.until_done().output == "hi there"
        assert stream.final is stream.until_done()


def test_final_comes_with_done_awaited(server: Stub) -> None:
    async def run() -> str | None:
        async with AsyncMemos(server.url, "k") as client, client.turns.stream(CONV, "hello") as stream:
            assert await anext(stream) == Token("hi")
            with pytest.raises(sdk.MemosError):
                _ = stream.final
            assert (await stream.until_done()) is stream.final
            return stream.final.output

    server.will(events(HI, DONE))
    assert asyncio.run(run()) == "hi there"


def test_leaving_early_sends_nothing_more(server: Stub) -> None:
    server.will(events(HI, THERE, hang_up=True))
    with Memos(server.url, "k") as client, client.turns.stream(CONV, "hello") as stream:
        for _ in stream:
            break
    assert len(server.received) == 1


def test_leaving_early_sends_nothing_more_awaited(server: Stub) -> None:
    async def run() -> None:
        async with AsyncMemos(server.url, "k") as client, client.turns.stream(CONV, "hello") as stream:
            async for _ in stream:
                break

    server.will(events(HI, THERE, hang_up=True))
    asyncio.run(run())
    assert len(server.received) == 1


def test_an_error_of_the_caller_is_not_repeated(server: Stub) -> None:
    server.will(events(HI, THERE, DONE))

    def run() -> None:
        with Memos(server.url, "k") as client, client.turns.stream(CONV, "hello") as stream:
            for _ in stream:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()
    assert len(server.received) == 1
