"""Versions, payloads, lineage and explanations: everything an answer came from can be read and checked."""

import hashlib
import hmac

import httpx2
import pytest
from safetensors.numpy import load

from memos.generation.echo import EchoEngine, held_turns
from memos.kernel.canonical import canonical_json, commitment
from memos.kernel.version import broken_links
from memos.kit.ids import new_id
from tests.api.talk import chain, everything, look, of, plant, post, problem, say
from tests.support.live import Live, serve


@pytest.fixture
def cube(live: Live, client: httpx2.Client, conversation: str) -> str:
    """The state of a conversation that holds a, b and c."""
    for text in ("a", "b", "c"):
        say(client, conversation, text)
    return str(live.settled(client, conversation)["state_cube_id"])


def test_every_turn_is_one_version(client: httpx2.Client, conversation: str, cube: str) -> None:
    versions = everything(client, f"/v1/cubes/{cube}/versions")[::-1]
    turns = everything(client, f"/v1/conversations/{conversation}/turns")
    assert [version["number"] for version in versions] == [0, 1, 2, 3]
    assert [version["turn_id"] for version in versions] == [None, *(turn["id"] for turn in turns)]
    assert [turn["memory"]["written_version"] for turn in turns] == [1, 2, 3]
    assert [turn["memory"]["state_version"] for turn in turns] == [0, 1, 2]
    assert {version["fingerprint"] for version in versions} == {EchoEngine().fingerprint}
    record = client.get(f"/v1/cubes/{cube}/versions/3").json()
    assert record.pop("written") is not None
    assert versions[3] == record
    view = client.get(f"/v1/cubes/{cube}").json()
    assert (view["kind"], view["head_version"], view["writes"], view["conversation_id"]) == (
        "activation", 3, 3, conversation,
    )  # fmt: skip


def test_the_chain_verifies_and_a_change_to_a_row_shows(live: Live, client: httpx2.Client, cube: str) -> None:
    assert broken_links(chain(client, cube)) == []
    plant(live, "UPDATE memcube_versions SET created_by = 'somebody else' WHERE cube_id = %s AND number = 2", cube)
    (wrong,) = broken_links(chain(client, cube))
    assert "does not match its contents" in wrong


def test_the_commitment_binds_the_payload_and_what_was_written(live: Live, client: httpx2.Client, cube: str) -> None:
    for number in range(4):
        version = client.get(f"/v1/cubes/{cube}/versions/{number}").json()
        body = client.get(f"/v1/cubes/{cube}/versions/{number}/payload").content
        (row,) = look(live, "SELECT nonce FROM memcube_versions WHERE id = %s", version["id"])
        nonce, bound, written = bytes(row["nonce"]), hashlib.sha256(body).digest(), version["written"]
        assert version["commitment"] == commitment(nonce, bound.hex(), written)
        assert (written is None) == (number == 0)
        if written is not None:
            bound += hashlib.sha256(canonical_json(written)).digest()
            forged = [written[0] | {"words": ["something", "else"]}]
            assert version["commitment"] != commitment(nonce, version["payload_sha256"], forged)
        assert version["commitment"] == hmac.new(nonce, bound, "sha256").hexdigest()


def test_a_payload_is_safetensors_and_holds_the_turns(client: httpx2.Client, cube: str) -> None:
    for number in range(4):
        answer = client.get(f"/v1/cubes/{cube}/versions/{number}/payload")
        assert answer.headers["content-type"] == "application/vnd.safetensors"
        assert answer.headers["etag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
        assert load(answer.content)["count"].item() == number
        assert [fingerprint for _, fingerprint in held_turns(answer.content)] == of("a", "b", "c")[:number]


def test_a_payload_of_another_models_start_is_refused_by_name(live: Live, client: httpx2.Client, cube: str) -> None:
    with (
        serve(live.database, generator="echo-2", blob_url=live.settings.effective_blob_url) as newer,
        newer.client(live.key) as upgraded,
    ):
        problem(upgraded.get(f"/v1/cubes/{cube}/versions/0/payload"), 409, "model_mismatch")
        assert upgraded.get(f"/v1/cubes/{cube}/versions/2/payload").status_code == 200  # old states stay readable


def test_lineage_goes_up_and_down(live: Live, client: httpx2.Client, conversation: str, cube: str) -> None:
    post(client, f"/v1/conversations/{conversation}/rollback", {"to_turn": 1})
    fork = post(client, f"/v1/conversations/{conversation}/fork", {"at_turn": 1}).json()["state_cube_id"]
    ids = {version["number"]: version["id"] for version in everything(client, f"/v1/cubes/{cube}/versions")}
    forked = client.get(f"/v1/cubes/{fork}/versions/0").json()["id"]
    whole = client.get(f"/v1/cubes/{cube}/lineage", params={"depth": 100}).json()
    edges = {(edge["child"], edge["parent"], edge["relation"]) for edge in whole["edges"]}
    assert edges == {
        (ids[1], ids[0], "advances"),
        (ids[2], ids[1], "advances"),
        (ids[3], ids[2], "advances"),
        (ids[4], ids[3], "revises"),
        (ids[4], ids[1], "restores"),
        (forked, ids[1], "forks"),
    }
    assert {node["id"] for node in whole["nodes"]} == {*ids.values(), forked}
    assert whole["truncated"] is False
    up = client.get(f"/v1/cubes/{fork}/lineage", params={"direction": "up"}).json()
    assert {node["id"] for node in up["nodes"]} == {forked, ids[1], ids[0]}
    down = client.get(f"/v1/cubes/{fork}/lineage", params={"direction": "down"}).json()
    assert {node["id"] for node in down["nodes"]} == {forked}


@pytest.mark.parametrize(("depth", "shown", "truncated"), [(1, 2, True), (2, 3, True), (3, 4, False), (4, 4, False)])
def test_lineage_says_when_it_goes_on(
    client: httpx2.Client, cube: str, depth: int, shown: int, truncated: bool
) -> None:
    body = client.get(f"/v1/cubes/{cube}/lineage", params={"direction": "up", "depth": depth}).json()
    assert (len(body["nodes"]), body["truncated"]) == (shown, truncated)


def test_an_answer_is_explained(live: Live, client: httpx2.Client, conversation: str, cube: str) -> None:
    post(client, f"/v1/conversations/{conversation}/rollback", {"to_turn": 2})
    turn = say(client, conversation, "d", recall={"top_k": 0})
    live.settled(client, conversation)
    told = client.get(f"/v1/turns/{turn['id']}/explanation").json()
    versions = {version["number"]: version["id"] for version in everything(client, f"/v1/cubes/{cube}/versions")}
    assert [(read["version_id"], read["number"], read["kind"]) for read in told["read"]] == [
        (versions[4], 4, "activation")
    ]
    assert (told["wrote"]["version_id"], told["wrote"]["number"]) == (versions[5], 5)
    assert told["state_turns"] == [1, 2]  # the third was left behind, and the answer had not seen it
    assert (told["seq"], told["status"], told["lag"], told["finish_reason"]) == (4, "applied", 0, "stop")
    assert told["model"] == EchoEngine().fingerprint
    assert told["timings_ms"].keys() == {"accept", "wait", "recall", "generate"}


def test_an_answer_of_a_fork_is_explained_through_its_parent(
    live: Live, client: httpx2.Client, conversation: str, cube: str
) -> None:
    fork = post(client, f"/v1/conversations/{conversation}/fork", {"at_turn": 3}).json()["id"]
    turn = say(client, fork, "d")
    told = client.get(f"/v1/turns/{turn['id']}/explanation").json()
    assert told["state_turns"] == [1, 2, 3]


def test_what_is_not_there_is_a_404(client: httpx2.Client, cube: str) -> None:
    for path in (
        f"/v1/cubes/{new_id('cube')}",
        f"/v1/cubes/{new_id('cube')}/versions",
        f"/v1/cubes/{new_id('cube')}/versions/0",
        f"/v1/cubes/{new_id('cube')}/versions/0/payload",
        f"/v1/cubes/{new_id('cube')}/lineage",
        f"/v1/cubes/{cube}/versions/4",
        f"/v1/cubes/{cube}/versions/2147483647/payload",
        f"/v1/turns/{new_id('turn')}",
        f"/v1/turns/{new_id('turn')}/explanation",
        f"/v1/conversations/{new_id('conv')}",
        f"/v1/conversations/{new_id('conv')}/turns",
    ):
        problem(client.get(path), 404, "not_found")
