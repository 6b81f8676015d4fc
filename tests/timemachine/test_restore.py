"""Going back to a version of a cube, and beginning another cube from one: something is added, nothing taken away."""

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from memos.cubes import changes
from memos.kernel.version import broken_links
from tests.api.talk import chain, look, post, problem, say
from tests.support.live import Live
from tests.timemachine.desk import BY, Desk

WHEN = datetime(2020, 5, 1, tzinfo=UTC)


@pytest.fixture
def told(desk: Desk) -> str:
    """A cube of three versions, the first of them dated."""
    cube = desk.note("Paris", valid_from=WHEN, tags=("home",), metadata={"speaker": "ada"})
    desk.revise(cube, "Rome")
    desk.revise(cube, "Oslo")
    return cube


def _text(client: httpx2.Client, cube: str, number: int) -> str:
    return client.get(f"/v1/cubes/{cube}/versions/{number}/payload").text


def _edges(live: Live, child: str) -> set[tuple[str, int]]:
    rows = look(
        live, "SELECT relation, number FROM lineage_edges e JOIN memcube_versions v ON v.id = e.parent_id "
        "WHERE e.child_id = %s", child,
    )  # fmt: skip
    return {(row["relation"], row["number"]) for row in rows}


def test_a_rollback_appends_what_was(live: Live, client: httpx2.Client, told: str) -> None:
    done = post(client, f"/v1/cubes/{told}/rollback", {"to_version": 0}, key=f"back-{told}").json()
    version = done["version"]
    assert (version["number"], version["operation"], done["cube"]["head_version"]) == (3, "rollback", 3)
    assert datetime.fromisoformat(version["valid_from"]) == WHEN
    assert version["metadata"] == {"speaker": "ada", "to_version": 0}
    assert [_text(client, told, number) for number in range(4)] == ["Paris", "Rome", "Oslo", "Paris"]
    assert _edges(live, version["id"]) == {("revises", 2), ("restores", 0)}
    assert broken_links(chain(client, told)) == []
    again = post(client, f"/v1/cubes/{told}/rollback", {"to_version": 0}, key=f"back-{told}").json()
    assert again == done


def test_what_cannot_go_back(live: Live, client: httpx2.Client, desk: Desk, told: str) -> None:
    problem(client.post(f"/v1/cubes/{told}/rollback", json={"to_version": 3}), 404, "not_found")
    desk.alter(told, lambda work, cube: changes.set_frozen(work, cube, True, reason="test", by=BY))
    problem(client.post(f"/v1/cubes/{told}/rollback", json={"to_version": 0}), 409, "cube_frozen")
    desk.alter(told, lambda work, cube: changes.set_frozen(work, cube, False, reason="test", by=BY))
    desk.alter(told, lambda work, cube: changes.transition(work, cube, "archived", reason="test", by=BY))
    problem(client.post(f"/v1/cubes/{told}/rollback", json={"to_version": 0}), 409, "cube_not_live")
    conversation = live.conversation(client)
    say(client, conversation, "one")
    state = live.settled(client, conversation)["state_cube_id"]
    for action, body in (("rollback", {"to_version": 0}), ("fork", {"at_version": 0})):
        refused = problem(client.post(f"/v1/cubes/{state}/{action}", json=body), 409, "conversation_state")
        assert f"POST /v1/conversations/{conversation}/{action}" in refused["hint"]


def test_a_fork_goes_its_own_way(live: Live, client: httpx2.Client, desk: Desk, told: str) -> None:
    made = post(client, f"/v1/cubes/{told}/fork", {"at_version": 1}, key=f"fork-{told}").json()
    cube: dict[str, Any] = made["cube"]
    assert (made["from_cube_id"], made["at_version"]) == (told, 1)
    assert (cube["kind"], cube["user_id"], cube["tags"], cube["lifecycle"]) == (
        "plaintext",
        "ada",
        ["home"],
        "activated",
    )
    (version,) = client.get(f"/v1/cubes/{cube['id']}/versions").json()["items"]
    assert (version["operation"], _edges(live, version["id"])) == ("fork", {("forks", 1)})
    desk.revise(cube["id"], "Bern")
    desk.revise(told, "Lima")
    assert [_text(client, cube["id"], number) for number in range(2)] == ["Rome", "Bern"]
    assert [_text(client, told, number) for number in range(4)] == ["Paris", "Rome", "Oslo", "Lima"]
    assert post(client, f"/v1/cubes/{told}/fork", {"at_version": 1}, key=f"fork-{told}").json() == made
    given = post(client, f"/v1/cubes/{told}/fork", {"at_version": 0, "user_id": "ben"}).json()["cube"]
    assert given["user_id"] == "ben"
    up = client.get(f"/v1/cubes/{given['id']}/lineage", params={"direction": "up"}).json()
    assert {(node["cube_id"], node["number"]) for node in up["nodes"]} == {(given["id"], 0), (told, 0)}


def test_the_past_of_a_fork_begins_with_it(client: httpx2.Client, desk: Desk, told: str) -> None:
    before = desk.clock()
    fork = post(client, f"/v1/cubes/{told}/fork", {"at_version": 1}).json()["cube"]
    problem(client.get(f"/v1/cubes/{fork['id']}", params={"as_of": before.isoformat()}), 404, "not_yet")
    then = client.get(f"/v1/cubes/{fork['id']}", params={"as_of": desk.clock().isoformat()}).json()
    assert (then["content"], then["tags"], then["version"]["operation"]) == ("Rome", ["home"], "fork")
