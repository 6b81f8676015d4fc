"""Both clients against the real service: every call once, and the answers mean what they say."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from memos import sdk
from memos.sdk import AsyncMemos, Done, Memos, Token
from tests.sdk.conftest import Either
from tests.support.live import Live


@pytest.fixture
def call(either: Either, live: Live) -> Callable[..., Any]:
    def made(use: Callable[[Any], Any], **options: Any) -> Any:
        return either.call(live, use, **({"api_key": live.key} | options))

    return made


def settled(call: Callable[..., Any], conversation: sdk.Conversation) -> None:
    """A turn that asks for the latest has waited for all the others."""
    call(lambda c: c.turns.create(conversation.id, "is it in", consistency="latest"))


def test_a_conversation_from_end_to_end(call: Callable[..., Any]) -> None:
    begun = call(lambda c: c.conversations.create("ada", title="t", metadata={"a": 1}))
    assert call(lambda c: c.conversations.get(begun.id)).metadata == {"a": 1}
    first = call(lambda c: c.turns.create(begun.id, "one"))
    second = call(lambda c: c.turns.create(begun.id, "two"))
    assert (first.output, second.seq) == ("echo 0 [] one", 2)
    assert str(second.output).startswith("echo 1 [1:")
    settled(call, begun)
    assert call(lambda c: c.turns.get(first.id)).status == "applied"
    assert [turn.input for turn in call(lambda c: c.turns.list(begun.id, page_size=2))] == ["one", "two", "is it in"]
    explained = call(lambda c: c.turns.explanation(second.id))
    assert (explained.state_turns, explained.read[0].number) == ([1], 1)
    assert explained.slots_unavailable is None
    (slot,) = explained.slots
    assert (slot.slot, slot.share, slot.written_at.turn_id, slot.written_at.words) == (0, 1.0, first.id, ["one"])

    fork = call(lambda c: c.conversations.fork(begun.id, 1, title="other"))
    assert (fork.forked_from.at_turn, fork.title) == (1, "other")
    back = call(lambda c: c.conversations.rollback(begun.id, 1))
    assert (back.superseded_turns, back.conversation.epoch) == (2, 1)
    imported = call(lambda c: c.conversations.import_turns(fork.id, [{"input": "old", "output": "history"}]))
    assert [turn.input for turn in imported.turns] == ["old"]
    assert str(call(lambda c: c.turns.create(fork.id, "now")).output).startswith("echo 2 [1:")
    assert str(call(lambda c: c.turns.create(fork.id, "up to here and on", stop="and")).output).endswith("up to here ")
    assert {c.id for c in call(lambda c: c.conversations.list(user_id="ada"))} >= {begun.id, fork.id}


def test_cubes_versions_and_lineage(call: Callable[..., Any]) -> None:
    begun = call(lambda c: c.conversations.create("cuba"))
    call(lambda c: c.turns.create(begun.id, "one"))
    settled(call, begun)
    cubes = call(lambda c: c.cubes.list(kind="activation", conversation_id=begun.id))
    assert [cube.id for cube in cubes] == [begun.state_cube_id]
    cube = call(lambda c: c.cubes.get(begun.state_cube_id))
    assert (cube.kind, cube.user_id) == ("activation", "cuba")
    versions = call(lambda c: c.cubes.versions(cube.id, page_size=1))
    assert [version.number for version in versions][-2:] == [1, 0]
    version = call(lambda c: c.cubes.version(cube.id, 1))
    payload = call(lambda c: c.cubes.payload(cube.id, 1))
    assert hashlib.sha256(payload).hexdigest() == version.payload_sha256
    lineage = call(lambda c: c.cubes.lineage(cube.id, direction="up", depth=5))
    assert version.parent_id in {node.id for node in lineage.nodes}
    assert (version.id, version.parent_id) in {(edge.child, edge.parent) for edge in lineage.edges}


def test_one_key_is_one_turn(call: Callable[..., Any]) -> None:
    begun = call(lambda c: c.conversations.create("ada"))
    first = call(lambda c: c.turns.create(begun.id, "once", idempotency_key=f"k-{begun.id}"))
    again = call(lambda c: c.turns.create(begun.id, "once", idempotency_key=f"k-{begun.id}"))
    assert (again.id, len(call(lambda c: c.turns.list(begun.id)))) == (first.id, 1)
    with pytest.raises(sdk.UnprocessableError) as caught:
        call(lambda c: c.turns.create(begun.id, "twice", idempotency_key=f"k-{begun.id}"))
    assert caught.value.code == "idempotency_key_reused"


def test_a_stream_and_its_stored_answer(call: Callable[..., Any]) -> None:
    begun = call(lambda c: c.conversations.create("ada"))
    seen = call(lambda c: c.turns.stream(begun.id, "in pieces", idempotency_key=f"s-{begun.id}"))
    *tokens, done = seen
    assert isinstance(done, Done)
    assert "".join(token.text for token in tokens if isinstance(token, Token)) == done.turn.output
    stored = call(lambda c: c.turns.stream(begun.id, "in pieces", idempotency_key=f"s-{begun.id}"))
    assert [event.turn.id for event in stored] == [done.turn.id]


def test_jobs_stats_and_readiness(call: Callable[..., Any]) -> None:
    begun = call(lambda c: c.conversations.create("ada"))
    turn = call(lambda c: c.turns.create(begun.id, "one"))
    settled(call, begun)
    job = next(job for job in call(lambda c: c.jobs.list(status="done")) if job.turn_id == turn.id)
    assert call(lambda c: c.jobs.get(job.id)).subject == begun.id
    with pytest.raises(sdk.ConflictError):
        call(lambda c: c.jobs.retry(job.id))
    with pytest.raises(sdk.ConflictError) as caught:
        call(lambda c: c.turns.cancel(turn.id))
    assert caught.value.code == "turn_ended"
    assert call(lambda c: c.stats()).model_dump()["jobs"]
    ready = call(lambda c: c.ready(), api_key=None)
    assert (ready.ok, ready.status) == (True, "ready")
    assert all(check["ok"] for check in ready.checks.values())


def test_keys_and_tenants(call: Callable[..., Any]) -> None:
    made = call(lambda c: c.keys.create("reader", ["read"]))
    assert made.id in {key.id for key in call(lambda c: c.keys.list())}
    with pytest.raises(sdk.PermissionDeniedError):
        call(lambda c: c.conversations.create("ada"), api_key=made.key)
    assert call(lambda c: c.keys.revoke(made.id)).revoked_at is not None
    with pytest.raises(sdk.AuthenticationError):
        call(lambda c: c.conversations.list(), api_key=made.key)
    other = call(lambda c: c.tenants.create("acme"))
    assert call(lambda c: c.conversations.list(), api_key=other.admin_key.key) == []


@pytest.mark.parametrize(
    ("use", "kind"),
    [
        (lambda c: c.turns.get("turn_" + "0" * 32), sdk.NotFoundError),
        (lambda c: c.turns.get("nonsense"), sdk.UnprocessableError),
        (lambda c: c.conversations.create("a\x00b"), sdk.UnprocessableError),
        (lambda c: c.conversations.create("ada", metadata={"x": "y" * 2_000_000}), sdk.TooLargeError),
        (lambda c: c.conversations.list(cursor="?"), sdk.UnprocessableError),
        (lambda c: c.conversations.rollback("conv_" + "0" * 32, -1), sdk.UnprocessableError),
    ],
)
def test_bad_input_is_said_to_be_bad(
    call: Callable[..., Any], use: Callable[[Any], Any], kind: type[sdk.APIStatusError]
) -> None:
    with pytest.raises(kind) as caught:
        call(use)
    error = caught.value
    assert error.code
    assert error.hint
    assert error.request_id


def test_many_at_once_on_one_client(live: Live) -> None:
    async def run() -> list[int]:
        async with AsyncMemos(live.url, live.key) as client:
            begun = await client.conversations.create("crowd")
            turns = await asyncio.gather(*(client.turns.create(begun.id, f"n{n}") for n in range(8)))
            return sorted(turn.seq for turn in turns)

    assert asyncio.run(run()) == list(range(1, 9))


def test_threads_may_share_a_client(live: Live) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with Memos(live.url, live.key) as client, ThreadPoolExecutor(4) as threads:
        begun = client.conversations.create("crowd")
        turns = list(threads.map(lambda n: client.turns.create(begun.id, f"n{n}"), range(8)))
    assert sorted(turn.seq for turn in turns) == list(range(1, 9))


def test_grants_tokens_and_the_audit_log(call: Callable[..., Any], live: Live) -> None:
    begun = call(lambda c: c.conversations.create("ada/\u2603 "))
    cube = begun.state_cube_id
    grant = call(lambda c: c.grants.create(cube, user="bob", permission="write"))
    assert [held.id for held in call(lambda c: c.grants.list(cube))] == [grant.id]
    token = call(lambda c: c.tokens.create("bob", ttl_s=60))
    assert call(lambda c: c.cubes.get(cube), api_key=token.token).id == cube
    assert call(lambda c: c.grants.revoke(cube, grant.id)).revoked_at is not None
    with pytest.raises(sdk.NotFoundError):
        call(lambda c: c.cubes.get(cube), api_key=token.token)
    acting = call(lambda c: c.conversations.list(), user_id="ada/\u2603 ")
    assert {item.user_id for item in acting} == {"ada/\u2603 "}
    assert call(lambda c: c.conversations.list(), agent_id="nobody's agent") == []
    entries = call(lambda c: c.audit.list(subject=cube, action="grants.create"))
    assert [entry.kind for entry in entries] == ["change"]
    assert call(lambda c: c.audit.verify(most=10)).ok
    limited = call(lambda c: c.keys.create("phone", ["app"], user_id="ada", roles=["support"]))
    assert (limited.user_id, limited.roles) == ("ada", ["support"])
