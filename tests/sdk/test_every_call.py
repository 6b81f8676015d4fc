"""Every public call of both clients, made against a real service once: a call that is new and not made here fails. Also
what an answer looks like before it is read.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from memos import sdk
from memos.sdk import Memos
from tests.sdk.conftest import Either
from tests.sdk.stub import TURN, Stub, ok, problem
from tests.support.live import Live


def surface(client: object) -> set[str]:
    """`resource.method` of everything public that sends."""
    own = {name for name in dir(client) if not name.startswith("_")} - set(vars(client))
    found = own - {"close", "url", "address", "with_raw_response", "embedded"}
    for name, resource in vars(client).items():
        if not name.startswith("_"):
            found |= {f"{name}.{method}" for method in dir(resource) if not method.startswith("_")}
    return found


class Noted:
    """A client that notes which of its calls are made."""

    def __init__(self, over: Any, made: set[str], name: str = "") -> None:
        self._over, self._made, self._name = over, made, name

    def __getattr__(self, name: str) -> Any:
        found, full = getattr(self._over, name), f"{self._name}.{name}".lstrip(".")
        if not callable(found):
            return Noted(found, self._made, full)
        self._made.add(full)
        return found


class World:
    """One client, spoken to in one way; what it was asked is noted."""

    def __init__(self, either: Either, live: Live) -> None:
        self._either, self._live = either, live
        self.made: set[str] = set()

    def __call__(self, use: Callable[[Any], Any], **options: Any) -> Any:
        def noted(client: Any) -> Any:
            return use(Noted(client, self.made))

        return self._either.call(self._live, noted, **({"api_key": self._live.key} | options))

    def until(self, look: Callable[[Any], Any], ended: Callable[[Any], bool]) -> Any:
        deadline = time.monotonic() + 40
        while not ended(found := self(look)):
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        return found

    def refused(self, use: Callable[[Any], Any], kind: type[sdk.APIStatusError]) -> None:
        with pytest.raises(kind) as caught:
            self(use)
        assert caught.value.request_id
        assert caught.value.code


def speak(world: World, user: str) -> tuple[sdk.Conversation, sdk.Turn]:
    begun = world(lambda c: c.conversations.create(user))
    turn = world(lambda c: c.turns.create(begun.id, "My dog is called Biscuit."))
    world.until(lambda c: c.conversations.get(begun.id), lambda found: found.pending_turns == 0)
    return begun, turn


def conversations_and_turns(world: World) -> None:
    user = f"u{uuid4().hex}"
    begun, turn = speak(world, user)
    then = datetime.now(UTC)
    assert [one.id for one in world(lambda c: c.conversations.list(user_id=user))] == [begun.id]
    assert world(lambda c: c.turns.stream(begun.id, "in pieces"))[-1].turn.seq == 2
    assert world(lambda c: c.turns.get(turn.id)).id == turn.id
    assert len(world(lambda c: c.turns.list(begun.id))) == 2
    assert world(lambda c: c.turns.explanation(turn.id)).turn_id == turn.id
    world.refused(lambda c: c.turns.cancel(turn.id), sdk.ConflictError)
    fork = world(lambda c: c.conversations.fork(begun.id, 1))
    world(lambda c: c.conversations.import_turns(fork.id, [{"input": "old", "output": "history"}]))
    world.until(lambda c: c.conversations.get(fork.id), lambda found: found.pending_turns == 0)
    assert world(lambda c: c.conversations.as_of(begun.id, then)).state_version == 1
    assert world(lambda c: c.conversations.merge(begun.id, fork.id)).merged_turns == 1
    assert world(lambda c: c.conversations.rollback(begun.id, 1)).conversation.epoch == 1


def cubes(world: World) -> None:
    user = f"u{uuid4().hex}"
    one = world(lambda c: c.cubes.create("The cat is grey.", user_id=user))
    other = world(lambda c: c.cubes.create("The dog is brown. It barks.", user_id=user))
    assert world(lambda c: c.cubes.revise(one.id, "The cat is black.", expected=0)).number == 1
    now = datetime.now(UTC)
    assert world(lambda c: c.cubes.get(one.id)).head_version == 1
    assert len(world(lambda c: c.cubes.list(user_id=user))) == 2
    assert len(world(lambda c: c.cubes.versions(one.id))) == 2
    assert world(lambda c: c.cubes.version(one.id, 0)).number == 0
    assert world(lambda c: c.cubes.payload(one.id, 0)) == b"The cat is grey."
    assert world(lambda c: c.cubes.lineage(one.id)).nodes
    assert world(lambda c: c.cubes.diff(one.id, 0, 1)).text.operations
    assert world(lambda c: c.cubes.as_of(one.id, now)).content == "The cat is black."
    assert len(world(lambda c: c.cubes.list_as_of(now, user_id=user))) == 2
    assert len(world(lambda c: c.users.memory(user, as_of=now))) == 2
    assert world(lambda c: c.cubes.rollback(one.id, 0)).version.number == 2
    assert world(lambda c: c.cubes.fork(one.id, 1)).from_cube_id == one.id
    assert world(lambda c: c.cubes.update(one.id, priority=3)).priority == 3
    assert world(lambda c: c.cubes.events(one.id))
    assert world(lambda c: c.cubes.metadata(one.id)).descriptive
    assert world(lambda c: c.cubes.freeze(one.id, "for now")).frozen
    assert not world(lambda c: c.cubes.freeze(one.id, "enough", frozen=False)).frozen
    assert world(lambda c: c.cubes.split(other.id, ["The dog is brown.", "It barks."])).parts
    world(lambda c: c.cubes.promote(one.id))
    third = world(lambda c: c.cubes.create("The cow is white.", user_id=user))
    fourth = made_cube(world, user)
    merged = world(lambda c: c.cubes.merge([third.id, fourth]))
    archive = world(lambda c: c.cubes.export(cube_ids=[merged.id]))
    assert world(lambda c: c.cubes.import_archive(archive, user_id=user)).cubes
    begun, _ = speak(world, user)
    world(lambda c: c.cubes.convert(begun.state_cube_id, "plaintext"))
    world.refused(lambda c: c.cubes.demote(f"cube_{'0' * 32}"), sdk.NotFoundError)
    assert world(lambda c: c.cubes.transition(merged.id, "archived", "no longer so")).lifecycle == "archived"


def made_cube(world: World, user: str) -> str:
    return str(world(lambda c: c.cubes.create("The hen is red.", user_id=user)).id)


def remembered(world: World) -> None:
    user = f"u{uuid4().hex}"
    made = world(lambda c: c.memories.add("The parrot is called Kiwi.", user_id=user, tags="birds"))
    (one,) = made.memories
    asked = world(lambda c: c.memories.search("kiwi", user_id=user, limit=3, explain=True, min_version=made.revision))
    assert asked.results[0].id == one.id
    assert asked.results[0].signals
    said = [{"role": "user", "name": "Ada", "content": "Good morning!"}, {"role": "assistant", "content": "Hello."}]
    world(lambda c: c.memories.add(said, user_id=user, run_id="monday"))
    assert {one.text for one in world(lambda c: c.memories.get_all(user_id=user, run_id="monday"))} == {
        "Good morning!", "Hello.",
    }  # fmt: skip
    assert world(lambda c: c.memories.search("hello", user_id=user, run_id="monday")).results[0].text == "Hello."
    assert world(lambda c: c.memories.add_many([{"text": "It is green.", "user_id": user}])).memories
    assert world(lambda c: c.memories.update(one.id, "The parrot is called Mango.", expected=0)).version == 1
    world.refused(lambda c: c.memories.update(one.id, "No.", expected=0), sdk.ConflictError)
    assert world(lambda c: c.memories.get(one.id)).text == "The parrot is called Mango."
    assert [held.version for held in world(lambda c: c.memories.history(one.id))] == [1, 0]
    assert world(lambda c: c.memories.delete(one.id)).lifecycle == "archived"
    world.refused(lambda c: c.memories.batch(f"batch_{'0' * 32}"), sdk.NotFoundError)


def governance(world: World) -> None:
    user = f"u{uuid4().hex}"
    cube = made_cube(world, user)
    grant = world(lambda c: c.grants.create(cube, user="ben"))
    assert [one.id for one in world(lambda c: c.grants.list(cube))] == [grant.id]
    assert world(lambda c: c.grants.revoke(cube, grant.id)).revoked_at
    assert world(lambda c: c.tokens.create(user)).token
    key = world(lambda c: c.keys.create("a reader", ["read"]))
    assert key.id in {one.id for one in world(lambda c: c.keys.list())}
    assert world(lambda c: c.keys.revoke(key.id)).revoked_at
    assert world(lambda c: c.tenants.create("another")).admin_key
    assert world(lambda c: c.audit.list(subject=cube))
    assert world(lambda c: c.audit.verify(most=5)).ok
    assert world(lambda c: c.stats()).model_dump()["jobs"]
    assert world(lambda c: c.ready()).ok
    assert world(lambda c: c.embedder.status()).in_force.model
    assert world(lambda c: c.embedder.switch()).queued >= 0
    job = next(iter(world(lambda c: c.jobs.list(page_size=200))))
    assert world(lambda c: c.jobs.get(job.id)).id == job.id
    world.refused(lambda c: c.jobs.retry(f"job_{'0' * 32}"), sdk.NotFoundError)


def retention_and_erasure(world: World) -> None:
    user = f"u{uuid4().hex}"
    cube = made_cube(world, user)
    policy = world(lambda c: c.policies.create("the newest", {"kind": "fifo", "most": 9}, user_id=user))
    assert [one.id for one in world(lambda c: c.policies.list(user_id=user))] == [policy.id]
    assert world(lambda c: c.policies.get(policy.id)).name == "the newest"
    assert not world(lambda c: c.policies.update(policy.id, enabled=False)).enabled
    run = world(lambda c: c.policies.run(policy.id, dry_run=True))
    world.until(lambda c: c.policies.get_run(policy.id, run.id), lambda found: found.status == "done")
    assert [one.id for one in world(lambda c: c.policies.runs(policy.id))] == [run.id]
    assert world(lambda c: c.policies.decisions(policy.id)) is not None
    world(lambda c: c.policies.delete(policy.id))
    asked = world(lambda c: c.consolidations.create(user, dry_run=True))
    world.until(lambda c: c.consolidations.get(asked.id), lambda found: found.status == "done")
    assert [one.id for one in world(lambda c: c.consolidations.list(user_id=user))] == [asked.id]
    assert world(lambda c: c.proposals.list(user_id=user)) == []
    world.refused(lambda c: c.proposals.accept(f"prop_{'0' * 32}"), sdk.NotFoundError)
    world.refused(lambda c: c.proposals.dismiss(f"prop_{'0' * 32}"), sdk.NotFoundError)
    delta = world(lambda c: c.deltas.create([cube], user_id=user, steps=10))
    world.until(lambda c: c.deltas.get(delta.id), lambda found: found.status == "done")
    assert [one.id for one in world(lambda c: c.deltas.list(user_id=user))] == [delta.id]
    erasure = world(lambda c: c.erasures.create(user_id=user))
    done = world.until(lambda c: c.erasures.get(erasure.id), lambda found: found.status == "done")
    assert erasure.id in {one.id for one in world(lambda c: c.erasures.list())}
    assert world(lambda c: c.erasures.items(erasure.id))
    assert world(lambda c: c.erasures.verify(done.receipt)).ok


SCENES = (conversations_and_turns, cubes, remembered, governance, retention_and_erasure)


def test_every_call_is_made(either: Either, live: Live) -> None:
    """All scenes in one test, so that what none of them calls is known at its end."""
    world = World(either, live)
    for scene in SCENES:
        scene(world)
    with Memos(live.url, live.key) as client:
        wanted = surface(client)
    assert sorted(wanted - world.made) == [], "make it here"
    assert world.made <= wanted


# -- the answer before it is read ----------------------------------------------------------------------------------


def test_a_raw_response_is_the_same_call_unread(either: Either, server: Stub, no_waiting: None) -> None:
    server.will(problem(503, "unavailable"), ok(TURN, 201))
    raw = either.call(server, lambda c: c.with_raw_response.turns.create("conv_1", "hello", idempotency_key="k1"))
    assert (raw.status, raw.idempotency_key, len(server.received)) == (201, "k1", 2)
    assert raw.headers["content-type"] == "application/json"
    assert raw.content.startswith(b'{"id": "turn_')
    assert raw.parse().output == "hi there"
    assert raw.elapsed_s >= 0
    server.will(problem(404, "not_found"))
    with pytest.raises(sdk.NotFoundError):
        either.call(server, lambda c: c.with_raw_response.turns.get("turn_1"))


def test_a_raw_list_is_its_first_page(either: Either, live: Live) -> None:
    def made(use: Callable[[Any], Any]) -> Any:
        return either.call(live, use, api_key=live.key)

    made(lambda c: c.conversations.create("raw"))
    made(lambda c: c.conversations.create("raw"))
    raw = made(lambda c: c.with_raw_response.conversations.list(user_id="raw", page_size=1))
    page = raw.parse()
    assert (len(page.items), bool(page.next_cursor), raw.status) == (1, True, 200)
    assert raw.request_id == raw.headers["x-request-id"] != ""
    assert raw.request_id in repr(raw)


def test_what_has_no_raw_response_says_so(either: Either, server: Stub) -> None:
    with pytest.raises(sdk.MemosError) as caught:
        either.call(server, lambda c: c.with_raw_response.turns.stream("conv_1", "hello"))
    assert caught.value.code == "no_raw_stream"
    with pytest.raises(AttributeError):
        either.call(server, lambda c: c.with_raw_response.weather.get())
