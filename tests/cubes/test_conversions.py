"""From kind to kind: what the new cube holds, what it came from, and that the source is kept; promote and demote."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest

from memos.cubes.conversions import CONVERSIONS, DEMOTED, PROMOTED
from memos.cubes.convert_task import ConvertTask
from memos.cubes.pieces import MOST_PIECES, PIECE_CHARS, pieces_of
from memos.generation.echo import EchoEngine, held_turns, turn_fingerprint
from memos.generation.port import ModelIdentity, ModelUnavailable
from memos.kernel.canonical import sha256_hex
from memos.kernel.version import broken_links
from tests.api.talk import chain, eventually, everything, look, post, problem, say, settled
from tests.cubes.conftest import activated, cube, events, freeze, made_from, remember, text_of, to
from tests.support.live import Live, serve
from tests.support.postgres import Cluster

THREE = "Ada has a dog.\nIt is called Biscuit.\n\nIt likes rain."


def converted(client: httpx2.Client, cube_id: str, kind: str) -> dict[str, Any]:
    answer: dict[str, Any] = post(client, f"/v1/cubes/{cube_id}/convert", {"to": kind}).json()
    return answer


def state_of(client: httpx2.Client, cube_id: str) -> list[str]:
    """The fingerprints of what an echo state has taken in."""
    number = cube(client, cube_id)["head_version"]
    payload = client.get(f"/v1/cubes/{cube_id}/versions/{number}/payload").content
    return [fingerprint for _, fingerprint in held_turns(payload)]


def fingerprints(text: str) -> list[str]:
    return [turn_fingerprint(piece) for piece in pieces_of(text)]


def test_the_registry_is_what_the_design_says() -> None:
    assert set(CONVERSIONS) == {
        ("plaintext", "activation"), ("plaintext", "parameter"), ("activation", "parameter"),
        ("activation", "plaintext"), ("parameter", "plaintext"),
    }  # fmt: skip
    assert set(PROMOTED.items()) | set(DEMOTED.items()) <= set(CONVERSIONS)


def test_a_text_becomes_a_state_that_has_taken_it_in(client: httpx2.Client) -> None:
    one = remember(client, THREE, tags=["pets"], sensitivity="sensitive", priority=2)["id"]
    answer = converted(client, one, "activation")
    assert (answer["status"], answer["cube"]["lifecycle"], answer["cube"]["kind"]) == (
        "queued",
        "generated",
        "activation",
    )
    made = activated(client, answer["cube"]["id"])
    assert client.get(f"/v1/jobs/{answer['job_id']}").json()["subject"] == made["id"]
    assert state_of(client, made["id"]) == fingerprints(THREE)
    assert len(fingerprints(THREE)) == made["head_version"] == 3, "a version for each statement"
    assert (made["tags"], made["sensitivity"], made["priority"]) == (["pets"], "sensitive", 2)
    assert (made["user_id"], made["origin"]) == ("ada", "conversion")
    assert made_from(client, made["id"]) == {("converts", one)}
    assert broken_links(chain(client, made["id"])) == []
    assert cube(client, one)["lifecycle"] == "activated", "a conversion leaves its source as it was"
    assert events(client, made["id"]) == [("create", None, "generated"), ("transition", "generated", "activated")]
    last = client.get(f"/v1/cubes/{made['id']}/versions/3").json()
    assert last["written"][0]["words"] == ["It", "likes", "rain."]
    assert last["metadata"]["health"]["turns"] == 3.0


def test_a_state_becomes_the_words_of_its_turns(client: httpx2.Client, conversation: str) -> None:
    turns = [say(client, conversation, text) for text in ("one", "two", "three")]
    settled(client, conversation)
    post(client, f"/v1/conversations/{conversation}/rollback", {"to_turn": 2})
    last = say(client, conversation, "four")
    state = settled(client, conversation)["state_cube_id"]
    answer = converted(client, state, "plaintext")
    kept = [*turns[:2], last]
    expected = "\n".join(f"User: {turn['input']}\nAssistant: {turn['output']}" for turn in kept)
    assert (answer["status"], text_of(client, answer["cube"]["id"])) == ("done", expected)
    version = client.get(f"/v1/cubes/{answer['cube']['id']}/versions/0").json()
    assert "nothing is read out of the state" in version["metadata"]["conversion"]["what"]
    assert answer["cube"]["semantic_type"] == "episode"
    nodes = client.get(f"/v1/cubes/{answer['cube']['id']}/lineage", params={"direction": "up", "depth": 1}).json()[
        "nodes"
    ]
    assert [node["turn_seq"] for node in nodes if node["cube_id"] == state] == [1, 2, 4]
    assert cube(client, state)["lifecycle"] == "activated"


def test_there_and_back_again(client: httpx2.Client) -> None:
    one = remember(client, THREE)["id"]
    state = activated(client, converted(client, one, "activation")["cube"]["id"])["id"]
    back = converted(client, state, "plaintext")["cube"]["id"]
    assert text_of(client, back) == THREE
    again = activated(client, converted(client, back, "activation")["cube"]["id"])["id"]
    assert state_of(client, again) == state_of(client, state)
    lineage = client.get(f"/v1/cubes/{again}/lineage", params={"direction": "up", "depth": 100}).json()
    assert {node["cube_id"] for node in lineage["nodes"]} == {one, state, back, again}


def test_promoting_and_demoting_archive_the_source(client: httpx2.Client) -> None:
    one = remember(client, THREE)["id"]
    answer = post(client, f"/v1/cubes/{one}/promote", {"reason": "asked for daily"}).json()
    state = activated(client, answer["cube"]["id"])["id"]
    assert cube(client, one)["lifecycle"] == "archived", "once the state is there"
    last = everything(client, f"/v1/cubes/{one}/events")[0]
    assert (last["to_lifecycle"], last["details"]) == ("archived", {"into": [state]})
    problem(client.post(f"/v1/cubes/{one}/demote", json={}), 409, "no_such_conversion")
    back = post(client, f"/v1/cubes/{state}/demote", {}).json()
    assert back["source"]["lifecycle"] == cube(client, state)["lifecycle"] == "archived"
    assert text_of(client, back["cube"]["id"]) == THREE
    assert to(client, one, "activated").status_code == 200, "what was archived can be used again"


def learned(client: httpx2.Client, run_id: str) -> str:
    """The delta that a run has made."""

    def done() -> str:
        run = client.get(f"/v1/deltas/{run_id}").json()
        assert run["status"] != "failed", run
        return run["cube_id"] or ""

    return eventually(done, 30)


def test_to_parameters_and_back(client: httpx2.Client) -> None:
    """The delta is what a training run makes; its words are those that it was made from."""
    one = remember(client, THREE, user_id="learner")["id"]
    answer = converted(client, one, "parameter")
    assert (answer["status"], answer["cube"]) == ("queued", None)
    delta = learned(client, answer["run_id"])
    assert cube(client, one)["lifecycle"] == "activated"
    assert made_from(client, delta) == {("distils", one)}
    again = converted(client, one, "parameter")
    assert (again["status"], again["cube"]["id"]) == ("done", delta), "what is learned is not learned again"
    back = converted(client, delta, "plaintext")["cube"]
    assert text_of(client, back["id"]) == THREE
    assert made_from(client, back["id"]) == {("converts", delta), ("recalls", one)}
    version = client.get(f"/v1/cubes/{back['id']}/versions/0").json()
    assert "nothing is read out of the parameters" in version["metadata"]["conversion"]["what"]


def test_promoted_all_the_way_and_demoted(client: httpx2.Client) -> None:
    one = remember(client, THREE, user_id="climber")["id"]
    state = activated(client, post(client, f"/v1/cubes/{one}/promote", {}).json()["cube"]["id"])["id"]
    delta = learned(client, post(client, f"/v1/cubes/{state}/promote", {}).json()["run_id"])
    eventually(lambda: cube(client, state)["lifecycle"] == "archived")
    assert everything(client, f"/v1/cubes/{state}/events")[0]["reason"] == "promote: asked for"
    problem(client.post(f"/v1/cubes/{delta}/promote", json={}), 409, "no_such_conversion")
    back = post(client, f"/v1/cubes/{delta}/demote", {}).json()
    assert back["source"]["lifecycle"] == "archived", "and so no longer mounted"
    assert text_of(client, back["cube"]["id"]) == THREE
    to(client, state, "activated")
    again = post(client, f"/v1/cubes/{state}/promote", {}).json()
    assert (again["status"], again["cube"]["id"], again["cube"]["lifecycle"]) == ("done", delta, "activated")
    assert again["source"]["lifecycle"] == "archived"


@pytest.mark.usefixtures("put_away")
def test_parameters_are_somebodys(client: httpx2.Client) -> None:
    one = remember(client, "We close at five.", user_id=None, visibility="tenant")["id"]
    problem(client.post(f"/v1/cubes/{one}/convert", json={"to": "parameter"}), 409, "nobodys_delta")
    two = remember(client, THREE, user_id="impatient")["id"]
    state = activated(client, converted(client, two, "activation")["cube"]["id"])["id"]
    converted(client, state, "parameter")
    answer = client.post(f"/v1/cubes/{state}/promote", json={})
    if answer.status_code == 409:  # the run is still at it
        problem(answer, 409, "already_training")
    else:
        assert answer.json()["source"]["lifecycle"] == "archived"


def test_what_cannot_be_converted_says_why(client: httpx2.Client, conversation: str) -> None:
    one = remember(client, "text")["id"]
    refused = problem(client.post(f"/v1/cubes/{one}/convert", json={"to": "plaintext"}), 409, "no_such_conversion")
    assert refused["context"]["to"] == ["activation", "parameter"]
    state = client.get(f"/v1/conversations/{conversation}").json()["state_cube_id"]
    problem(client.post(f"/v1/cubes/{state}/convert", json={"to": "plaintext"}), 409, "nothing_to_convert")
    blank = remember(client, "\n \n")["id"]
    problem(client.post(f"/v1/cubes/{blank}/convert", json={"to": "activation"}), 409, "nothing_to_convert")
    to(client, one, "expired")
    problem(client.post(f"/v1/cubes/{one}/convert", json={"to": "activation"}), 409, "cube_not_live")


def test_a_frozen_cube_is_converted_and_not_promoted(client: httpx2.Client) -> None:
    one = remember(client, THREE)["id"]
    freeze(client, one)
    problem(client.post(f"/v1/cubes/{one}/promote", json={}), 409, "cube_frozen")
    made = activated(client, converted(client, one, "activation")["cube"]["id"])
    assert state_of(client, made["id"]) == fingerprints(THREE)


@pytest.fixture
def slow(postgres_cluster: Cluster, tmp_path: Path) -> Any:
    """A service whose outbox is read so rarely that a job waits for the test."""
    with serve(postgres_cluster.database(), blob_url=tmp_path.as_uri(), relay_poll_s=0.1, job_max_attempts=2) as live:
        yield live


def test_a_cube_being_made_is_left_alone_and_goes_on_where_it_stopped(
    slow: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The generator fails at the second piece; the first is not taken in again."""
    real, calls = slow.app.state.runtime.generator.advance, []

    async def failing(parent: Any, text: str, output: str, blob_key: str) -> Any:
        calls.append(text)
        if len(calls) == 2:
            raise ModelUnavailable("gone for a moment")
        return await real(parent, text, output, blob_key)

    monkeypatch.setattr(slow.app.state.runtime.generator, "advance", failing)
    with slow.client() as client:
        one = remember(client, THREE)["id"]
        answer = post(client, f"/v1/cubes/{one}/promote", {}).json()
        made = answer["cube"]["id"]
        eventually(lambda: len(calls) >= 2)
        if cube(client, made)["lifecycle"] == "generated":
            problem(to(client, made, "archived"), 409, "cube_being_made")
            problem(freeze(client, made), 409, "cube_being_made")
            problem(client.post(f"/v1/cubes/{made}/convert", json={"to": "plaintext"}), 409, "cube_not_live")
        activated(client, made)
        assert calls == [*pieces_of(THREE)[:2], *pieces_of(THREE)[1:]]
        assert state_of(client, made) == fingerprints(THREE)
        assert cube(client, one)["lifecycle"] == "archived"


def test_delivered_many_times_at_once_it_is_made_once(live: Live) -> None:
    """The task itself, three at a time, beside the job that was queued."""
    runtime = live.app.state.runtime
    with live.client() as client:
        one = remember(client, THREE)["id"]
        made = converted(client, one, "activation")["cube"]["id"]
        (row,) = look(live, "SELECT tenant_id FROM memcubes WHERE id = %s", made)
        task = ConvertTask(runtime.database, runtime.generator)
        loop = runtime.turns._heartbeat.get_loop()
        runs = [asyncio.run_coroutine_threadsafe(task(row["tenant_id"], made), loop) for _ in range(3)]
        assert [run.result(30) for run in runs] == ["settled"] * 3
        assert activated(client, made)["head_version"] == 3
        assert state_of(client, made) == fingerprints(THREE)
        assert broken_links(chain(client, made)) == []


def test_another_model_begins_again(slow: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is changed in the middle of a job can use nothing of what its predecessor took in."""
    generator = slow.app.state.runtime.generator
    other, calls = EchoEngine(revision=2), []
    real = generator.advance

    async def upgraded(parent: Any, text: str, output: str, blob_key: str) -> Any:
        calls.append(text)
        if len(calls) == 2:
            start = other.dump_state(other.start_state())
            monkeypatch.setattr(generator, "_engine", other)
            monkeypatch.setattr(generator, "_start", other.start_state())
            identity = ModelIdentity(other.fingerprint, sha256_hex(start), len(start), other.identity)
            monkeypatch.setattr(generator, "_identity", identity)
            raise ModelUnavailable("restarted with another model")
        return await real(parent, text, output, blob_key)

    monkeypatch.setattr(generator, "advance", upgraded)
    with slow.client() as client:
        made = activated(client, converted(client, remember(client, THREE)["id"], "activation")["cube"]["id"])
        assert state_of(client, made["id"]) == fingerprints(THREE)
        versions = everything(client, f"/v1/cubes/{made['id']}/versions")
        assert [version["fingerprint"] for version in versions] == [other.fingerprint] * 4 + [
            versions[-1]["fingerprint"]
        ] * 2
        back = converted(client, made["id"], "plaintext")["cube"]["id"]
        assert text_of(client, back) == THREE


@pytest.mark.parametrize(
    "text",
    ["one", THREE, "word " * 400, "x" * 1700, "A sentence. " * 200, "\n".join(map(str, range(1000))), "  a \r\n b\t"],
    ids=lambda text: f"{len(text)} characters",
)
def test_pieces_hold_every_word_once(text: str) -> None:
    pieces = pieces_of(text)
    assert " ".join(pieces).replace(" ", "").split() == text.replace(" ", "").split() or (
        "".join("".join(pieces).split()) == "".join(text.split())
    )
    assert len(pieces) <= MOST_PIECES
    assert all(pieces)
    if len(text.splitlines()) <= MOST_PIECES:
        assert all(len(piece) <= PIECE_CHARS for piece in pieces)
