"""Forks: two conversations that share a past and nothing else."""

import httpx2
import pytest

from memos.kernel.version import broken_links
from tests.api.talk import chain, held, look, of, post, problem, say, turns
from tests.support.live import Live


@pytest.fixture
def told(live: Live, client: httpx2.Client, conversation: str) -> str:
    """A conversation that holds a, b and c."""
    for text in ("a", "b", "c"):
        say(client, conversation, text)
    live.settled(client, conversation)
    return conversation


def _fork(client: httpx2.Client, conversation: str, at_turn: int) -> str:
    return str(post(client, f"/v1/conversations/{conversation}/fork", {"at_turn": at_turn}).json()["id"])


def _listed(client: httpx2.Client, conversation: str) -> list[tuple[int, str, str]]:
    return [(turn["seq"], turn["input"], turn["status"]) for turn in turns(client, conversation)]


def test_both_go_their_own_ways(live: Live, client: httpx2.Client, told: str) -> None:
    fork = _fork(client, told, 2)
    assert held(say(client, fork, "x")["output"]) == of("a", "b")
    assert held(say(client, told, "d")["output"]) == of("a", "b", "c")
    assert held(say(client, fork, "y")["output"]) == of("a", "b", "x")
    assert held(say(client, told, "e")["output"]) == of("a", "b", "c", "d")
    live.settled(client, fork)
    assert [input_ for _, input_, _ in _listed(client, fork)] == ["a", "b", "x", "y"]
    assert [seq for seq, _, _ in _listed(client, fork)] == [1, 2, 3, 4]
    assert {status for _, _, status in _listed(client, fork)} == {"applied"}
    assert [input_ for _, input_, _ in _listed(client, told)] == ["a", "b", "c", "d", "e"]


def test_it_says_where_it_came_from_and_copies_nothing(live: Live, client: httpx2.Client, told: str) -> None:
    made = post(client, f"/v1/conversations/{told}/fork", {"at_turn": 2, "title": "other", "metadata": {"k": 1}}).json()
    assert made["forked_from"] == {"conversation_id": told, "at_turn": 2}
    assert (made["title"], made["metadata"], made["user_id"], made["turn_count"]) == ("other", {"k": 1}, "ada", 2)
    assert look(live, "SELECT 1 FROM turns WHERE conversation_id = %s", made["id"]) == []
    (version,) = chain(client, made["state_cube_id"])
    assert broken_links([version]) == []
    parent = client.get(f"/v1/conversations/{told}").json()["state_cube_id"]
    ours = client.get(f"/v1/cubes/{made['state_cube_id']}/versions/0/payload")
    assert ours.content == client.get(f"/v1/cubes/{parent}/versions/2/payload").content
    shared = look(
        live,
        "SELECT count(DISTINCT blob_id) n FROM memcube_versions WHERE id = %s OR (cube_id = %s AND number = 2)",
        version.version_id, parent,
    )  # fmt: skip
    assert shared == [{"n": 1}]


def test_a_fork_of_a_fork(live: Live, client: httpx2.Client, told: str) -> None:
    first = _fork(client, told, 2)
    say(client, first, "x")
    live.settled(client, first)
    second = _fork(client, first, 3)
    assert held(say(client, second, "y")["output"]) == of("a", "b", "x")
    live.settled(client, second)
    assert [input_ for _, input_, _ in _listed(client, second)] == ["a", "b", "x", "y"]
    below = _fork(client, second, 1)  # at a turn of its grandparent
    assert held(say(client, below, "z")["output"]) == of("a")
    assert [input_ for _, input_, _ in _listed(client, below)] == ["a", "z"]


def test_at_the_start_and_at_the_end(live: Live, client: httpx2.Client, told: str) -> None:
    assert held(say(client, _fork(client, told, 0), "x")["output"]) == []
    assert held(say(client, _fork(client, told, 3), "x")["output"]) == of("a", "b", "c")
    problem(client.post(f"/v1/conversations/{told}/fork", json={"at_turn": 4}), 409, "no_such_turn")


def test_at_a_turn_that_was_left_behind(live: Live, client: httpx2.Client, told: str) -> None:
    post(client, f"/v1/conversations/{told}/rollback", {"to_turn": 1})
    fork = _fork(client, told, 3)
    assert held(say(client, fork, "x")["output"]) == of("a", "b", "c")
    assert held(say(client, told, "d")["output"]) == of("a")
    live.settled(client, fork)
    assert _listed(client, fork) == [(1, "a", "applied"), (2, "b", "applied"), (3, "c", "applied"), (4, "x", "applied")]


def test_a_rollback_of_the_parent_does_not_touch_the_fork(live: Live, client: httpx2.Client, told: str) -> None:
    fork = _fork(client, told, 3)
    post(client, f"/v1/conversations/{told}/rollback", {"to_turn": 1})
    assert held(say(client, fork, "x")["output"]) == of("a", "b", "c")
    live.settled(client, fork)
    assert [status for _, _, status in _listed(client, fork)] == ["applied"] * 4
    assert [status for _, _, status in _listed(client, told)] == ["applied", "superseded", "superseded"]


def test_a_fork_can_go_back_behind_its_beginning(live: Live, client: httpx2.Client, told: str) -> None:
    fork = _fork(client, told, 3)
    say(client, fork, "x")
    live.settled(client, fork)
    assert post(client, f"/v1/conversations/{fork}/rollback", {"to_turn": 1}).json()["superseded_turns"] == 3
    assert [status for _, _, status in _listed(client, fork)] == ["applied", "superseded", "superseded", "superseded"]
    assert held(say(client, fork, "y")["output"]) == of("a")
    assert [status for _, _, status in _listed(client, told)] == ["applied"] * 3
    assert held(say(client, told, "d")["output"]) == of("a", "b", "c")
    again = _fork(client, fork, 3)  # at a turn that it has of its parent, and left behind
    assert held(say(client, again, "z")["output"]) == of("a", "b", "c")
    live.settled(client, fork)
    view = client.get(f"/v1/conversations/{fork}").json()
    assert broken_links(chain(client, view["state_cube_id"])) == []


def test_pages_of_a_fork_hold_each_turn_once(live: Live, client: httpx2.Client, told: str) -> None:
    fork = _fork(client, told, 3)
    say(client, fork, "x")
    seen: list[int] = []
    cursor = None
    while True:
        query = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        body = client.get(f"/v1/conversations/{fork}/turns", params=query).json()
        seen += [turn["seq"] for turn in body["items"]]
        cursor = body["next_cursor"]
        if cursor is None:
            break
    assert seen == [1, 2, 3, 4]
