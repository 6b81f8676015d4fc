"""Two conversations that went their own ways become one memory: every turn once, the other unchanged."""

from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import httpx2
import pytest

from memos.generation.echo import held_turns, turn_fingerprint
from memos.kernel.version import broken_links
from memos.timemachine.merge import STRATEGIES
from memos.timemachine.schemas import MergeRequest
from tests.api.talk import chain, held, look, of, post, problem, say, settled, turns
from tests.support.live import Live


def _fork(client: httpx2.Client, conversation: str, at_turn: int) -> str:
    return str(post(client, f"/v1/conversations/{conversation}/fork", {"at_turn": at_turn}).json()["id"])


def _tell(client: httpx2.Client, conversation: str, *texts: str) -> None:
    for text in texts:
        say(client, conversation, text)
    settled(client, conversation)


def _merge(client: httpx2.Client, ours: str, theirs: str, strategy: str = "replay") -> httpx2.Response:
    body = {"from_conversation_id": theirs, "strategy": strategy}
    return client.post(f"/v1/conversations/{ours}/merge", json=body)


@pytest.fixture
def forked(live: Live, client: httpx2.Client) -> tuple[str, str]:
    """Both hold a and b; then x and y the one, p and q the other."""
    ours = live.conversation(client)
    _tell(client, ours, "a", "b")
    theirs = _fork(client, ours, 2)
    _tell(client, ours, "x", "y")
    _tell(client, theirs, "p", "q")
    return ours, theirs


def test_the_names_of_the_strategies() -> None:
    assert set(get_args(MergeRequest.model_fields["strategy"].annotation)) == set(STRATEGIES)
    assert MergeRequest(from_conversation_id=f"conv_{'0' * 32}").strategy == "replay"


def test_replay_takes_over_what_was_said(live: Live, client: httpx2.Client, forked: tuple[str, str]) -> None:
    ours, theirs = forked
    before = turns(client, theirs)
    done = _merge(client, ours, theirs)
    assert done.status_code == 201, done.text
    body = done.json()
    assert (body["merged_turns"], body["turns"], body["version"]) == (2, [5, 6], None)
    assert held(say(client, ours, "and?")["output"]) == of("a", "b", "x", "y", "p", "q")
    view = settled(client, ours)
    assert broken_links(chain(client, view["state_cube_id"])) == []
    assert [turn["input"] for turn in turns(client, ours)] == ["a", "b", "x", "y", "p", "q", "and?"]
    their_cube = client.get(f"/v1/conversations/{theirs}").json()["state_cube_id"]
    edges = look(
        live, "SELECT v.number mine, p.number theirs FROM lineage_edges e JOIN memcube_versions v ON v.id = e.child_id "
        "JOIN memcube_versions p ON p.id = e.parent_id WHERE e.relation = 'merges' AND v.cube_id = %s "
        "AND p.cube_id = %s ORDER BY 1", view["state_cube_id"], their_cube,
    )  # fmt: skip
    assert edges == [{"mine": 5, "theirs": 1}, {"mine": 6, "theirs": 2}]
    assert turns(client, theirs) == before
    assert held(say(client, theirs, "and?")["output"]) == of("a", "b", "p", "q")


def test_nothing_comes_in_twice(client: httpx2.Client, forked: tuple[str, str]) -> None:
    ours, theirs = forked
    assert _merge(client, ours, theirs).status_code == 201
    settled(client, ours)
    problem(_merge(client, ours, theirs), 409, "nothing_to_merge")
    _tell(client, theirs, "r")
    assert _merge(client, ours, theirs).json()["merged_turns"] == 1
    settled(client, ours)
    # What the other first said, it is not told again; what it lacks is x and y alone.
    assert _merge(client, theirs, ours).json()["merged_turns"] == 2
    assert held(say(client, theirs, "and?")["output"]) == of("a", "b", "p", "q", "r", "x", "y")
    settled(client, theirs)
    third = _fork(client, ours, 2)
    assert _merge(client, third, theirs).json()["merged_turns"] == 6
    assert held(say(client, third, "and?")["output"]) == of("a", "b", "p", "q", "r", "x", "y", "and?")


def test_two_that_share_nothing(live: Live, client: httpx2.Client) -> None:
    ours, theirs = live.conversation(client), live.conversation(client)
    _tell(client, theirs, "p")
    assert _merge(client, ours, theirs).json()["merged_turns"] == 1
    assert held(say(client, ours, "and?")["output"]) == of("p")


def test_average_is_one_version_and_its_limits_are_as_said(
    live: Live, client: httpx2.Client, forked: tuple[str, str]
) -> None:
    """The echo's slots have no mean: where both wrote, ours stays, and what lies beyond is the other's."""
    ours, theirs = forked
    _tell(client, theirs, "r")
    body = _merge(client, ours, theirs, "average").json()
    assert (body["merged_turns"], body["turns"], body["version"]) == (3, [], 5)
    cube = body["conversation"]["state_cube_id"]
    payload = client.get(f"/v1/cubes/{cube}/versions/5/payload").content
    assert [word for _, word in held_turns(payload)] == [turn_fingerprint(text) for text in ("a", "b", "x", "y", "r")]
    version = client.get(f"/v1/cubes/{cube}/versions/5").json()
    assert (version["operation"], version["turn_seq"], version["metadata"]["strategy"]) == ("merge", 4, "average")
    assert broken_links(chain(client, cube)) == []
    problem(_merge(client, ours, theirs), 409, "nothing_to_merge")  # averaged in, and not to be replayed as well
    say(client, ours, "z")
    settled(client, ours)
    assert [turn["input"] for turn in turns(client, ours)] == ["a", "b", "x", "y", "z"]
    # The line goes on through it, and a rollback to before it undoes it.
    post(client, f"/v1/conversations/{ours}/rollback", {"to_turn": 4})
    assert held(say(client, ours, "and?")["output"]) == of("a", "b", "x", "y")


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_a_retry_merges_once(client: httpx2.Client, forked: tuple[str, str], strategy: str) -> None:
    ours, theirs = forked
    body = {"from_conversation_id": theirs, "strategy": strategy}
    path = f"/v1/conversations/{ours}/merge"
    first = post(client, path, body, key=f"{strategy}-{ours}")
    settled(client, ours)
    assert post(client, path, body, key=f"{strategy}-{ours}").content == first.content
    problem(
        client.post(path, json=body | {"strategy": "average" if strategy == "replay" else "replay"},
                    headers={"Idempotency-Key": f"{strategy}-{ours}"}),
        422, "idempotency_key_reused",
    )  # fmt: skip


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_both_ways_at_once_end(client: httpx2.Client, forked: tuple[str, str], strategy: str) -> None:
    """No deadlock; whoever comes second finds the other moved, or still at work."""
    with ThreadPoolExecutor(2) as pool:
        ways = [forked, forked[::-1]]
        done = list(pool.map(lambda way: _merge(client, way[0], way[1], strategy), ways))
    assert 201 in {answer.status_code for answer in done}
    assert {answer.status_code for answer in done} <= {201, 409}
    for conversation in forked:
        cube = settled(client, conversation)["state_cube_id"]
        assert broken_links(chain(client, cube)) == []


def test_what_is_refused(live: Live, client: httpx2.Client, forked: tuple[str, str]) -> None:
    ours, theirs = forked
    problem(_merge(client, ours, ours), 409, "nothing_to_merge")
    problem(_merge(client, ours, f"conv_{'0' * 32}"), 404, "not_found")
    stranger = live.conversation(client, "ben")
    _tell(client, stranger, "secret")
    for strategy in STRATEGIES:
        problem(_merge(client, ours, stranger, strategy), 409, "other_user")
    problem(_merge(client, ours, theirs, "majority"), 422, "invalid")
    look(live, "UPDATE conversations SET epoch = epoch + 1, fingerprint = repeat('0', 64) WHERE id = %s", theirs)
    for strategy in STRATEGIES:
        problem(_merge(client, ours, theirs, strategy), 409, "model_mismatch")
    assert held(say(client, ours, "and?")["output"]) == of("a", "b", "x", "y")
