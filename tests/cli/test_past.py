"""`memos asof`, `diff`, `merge`, and going back with a cube."""

from datetime import UTC, datetime

import pytest

from tests.cli.conftest import Run
from tests.cli.test_commands import conversation
from tests.support.live import Live
from tests.timemachine.desk import Desk, opened


@pytest.fixture
def told(live: Live) -> tuple[str, str, str]:
    """A cube of two versions, a moment between them, and whose it is."""
    with opened(live) as desk:
        return _told(desk)


def _told(desk: Desk) -> tuple[str, str, str]:
    user = f"cli-{datetime.now(UTC).timestamp()}"
    cube = desk.note("I live in Paris.", user, tags=("home",))
    between = desk.clock().isoformat()
    desk.revise(cube, "I live in Rome.")
    return cube, between, user


def test_a_cube_and_a_user_as_they_were(run: Run, told: tuple[str, str, str]) -> None:
    cube, between, user = told
    found = run("asof", cube, between).out
    assert "I live in Paris." in found
    assert "v0 of v0, create" in found
    assert "home" in found
    assert run("asof", cube, between, "--json").json["content"] == "I live in Paris."
    assert "I live in Paris." in run("asof", user, between).out
    items = run("asof", user, between, "--json").json["items"]
    assert [item["id"] for item in items] == [cube]
    assert "in_the_future" in run("asof", cube, "2999-01-01T00:00:00Z", code=1).err
    assert "invalid" in run("asof", cube, "yesterday", code=1).err
    world = run("asof", cube, between, "--valid-at", "2020-01-01T00:00:00Z", "--json").json
    assert world["valid_at"].startswith("2020-01-01")


def test_a_conversation_as_it_was(run: Run, live: Live) -> None:
    begun = conversation(run, "one", "two")
    with live.client() as client:
        cube = live.settled(client, begun)["state_cube_id"]
        when = client.get(f"/v1/cubes/{cube}/versions/1").json()["created_at"]
    assert run("asof", begun, when, "--json").json["state_version"] == 1
    assert f"{cube} v1, epoch 0" in run("asof", begun, when).out.replace("\n", "")
    moved = run("diff", cube, 0, 2).out
    assert "digests" in moved
    assert len(run("diff", cube, 0, 2, "--limit", 1, "--json").json["slots"]) == 1


def test_a_cube_goes_back_and_forks(run: Run, told: tuple[str, str, str]) -> None:
    cube, _, _ = told
    lines = run("diff", cube, 0, 1).out
    assert "-I live in Paris." in lines
    assert "+I live in Rome." in lines
    assert "hold the same" in run("diff", cube, 1, 1).out
    assert f"{cube} is at v2, which restores v0" in run("rollback", cube, 0).out
    assert "hold the same" in run("diff", cube, 0, 2).out
    assert f"forked from {cube} at v1" in run("fork", cube, "v1").out
    assert "no_version" in run("rollback", cube, "first", code=1).err


def test_two_conversations_become_one(run: Run, live: Live) -> None:
    ours = conversation(run, "one", "two")
    theirs = run("fork", ours, 1, "--json").json["id"]
    run("ask", "theirs", "--conversation", theirs)
    with live.client() as client:
        for one in (ours, theirs):
            live.settled(client, one)
    assert f"{ours} takes in 1 turns of {theirs}, as turns 3 to 3" in run("merge", ours, theirs).out
    with live.client() as client:
        live.settled(client, ours)
    assert "nothing_to_merge" in run("merge", ours, theirs, "--strategy", "average", code=1).err
    run("merge", ours, theirs, "--strategy", "majority", code=2)
