"""The time machine through both clients, against the real service."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from memos import sdk
from tests.sdk.conftest import Either
from tests.support.live import Live
from tests.timemachine.desk import opened


@pytest.fixture
def call(either: Either, live: Live) -> Callable[..., Any]:
    return lambda use: either.call(live, use, api_key=live.key)


def test_a_cube_goes_through_time(call: Callable[..., Any], live: Live) -> None:
    with opened(live) as desk:
        user = f"past-{datetime.now(UTC).timestamp()}"
        cube = desk.note("I live in Paris.", user, valid_from=datetime(2020, 1, 1, tzinfo=UTC))
        before = desk.clock()
        desk.revise(cube, "I live in Rome.", valid_from=datetime(2024, 1, 1, tzinfo=UTC))
        now = desk.clock()
    assert call(lambda c: c.cubes.as_of(cube, before)).content == "I live in Paris."
    assert call(lambda c: c.cubes.as_of(cube, now.isoformat())).content == "I live in Rome."
    then = call(lambda c: c.cubes.as_of(cube, valid_at="2022-01-01T00:00:00Z"))
    assert (then.content, then.head_version, then.version.number) == ("I live in Paris.", 1, 0)
    assert [c.content for c in call(lambda c: c.users.memory(user, as_of=before))] == ["I live in Paris."]
    assert [c.content for c in call(lambda c: c.users.memory(user))] == ["I live in Rome."]
    assert [c.id for c in call(lambda c: c.cubes.list_as_of(now, user_id=user, page_size=1))] == [cube]
    found = call(lambda c: c.cubes.diff(cube, 0, 1))
    assert [o.after for o in found.text.operations if o.action == "replace"] == ["Rome"]
    back = call(lambda c: c.cubes.rollback(cube, 0))
    assert (back.version.number, back.cube.head_version) == (2, 2)
    made = call(lambda c: c.cubes.fork(cube, 1, user_id="ben"))
    assert (made.cube.user_id, made.from_cube_id) == ("ben", cube)
    with pytest.raises(sdk.MemosError) as caught:
        call(lambda c: c.cubes.as_of(cube))
    assert caught.value.code == "no_moment"
    with pytest.raises(sdk.UnprocessableError) as refused:
        call(lambda c: c.cubes.as_of(cube, "2999-01-01T00:00:00Z"))
    assert refused.value.code == "in_the_future"


def test_conversations_go_back_and_together(call: Callable[..., Any], live: Live) -> None:
    ours = call(lambda c: c.conversations.create("ada"))
    call(lambda c: c.turns.create(ours.id, "one"))
    call(lambda c: c.turns.create(ours.id, "is it in", consistency="latest"))
    with live.client() as client:
        live.settled(client, ours.id)
    theirs = call(lambda c: c.conversations.fork(ours.id, 1))
    call(lambda c: c.turns.create(theirs.id, "theirs"))
    with live.client() as client:
        live.settled(client, theirs.id)
    done = call(lambda c: c.conversations.merge(ours.id, theirs.id))
    assert (done.strategy, done.merged_turns, done.turns) == ("replay", 1, [3])
    version = call(lambda c: c.cubes.version(ours.state_cube_id, 1))
    then = call(lambda c: c.conversations.as_of(ours.id, version.created_at))
    assert ([turn.seq for turn in then.turns], then.state_version) == ([1], 1)
