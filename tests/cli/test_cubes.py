"""`memos cubes`, and every conversion round trip as `memos lineage` draws it."""

import re

import pytest

from memos.sdk import ConflictError, Memos
from tests.api.talk import eventually
from tests.cli.conftest import Run
from tests.support.live import Live

TEXT = "Ada has a dog.\nIt is called Biscuit."


def made(run: Run, text: str = TEXT, *options: object) -> str:
    return str(run("cubes", "create", text, "--user", "cli-user", *options).out.strip())


def ended(run: Run, cube: str, state: str = "activated") -> str:
    """A cube once a job has brought it there."""
    eventually(lambda: run("cubes", "show", cube, "--json").json["governance"]["lifecycle"] == state, 30)
    return cube


def drawn(run: Run, cube: str, direction: str = "up") -> list[str]:
    """The lines of a drawing, without ids and times: `<- converts plaintext` names the kind of the other cube."""
    shown = run("lineage", cube, "--direction", direction).out
    nodes = run("lineage", cube, "--direction", direction, "--json").json["nodes"]
    for node in nodes:
        shown = shown.replace(node["cube_id"], node["kind"])
    return [re.sub(r"\s+(turn \d+  )?ver_\w+.*", "", line).strip(" │├└─") for line in shown.splitlines()]


def test_a_cube_by_hand(run: Run) -> None:
    one = made(run, TEXT, "--type", "fact", "--tag", "pets", "--tag", "dogs", "--priority", 3)
    assert run("cubes", "revise", one, "Ada's dog is called Waffle.").out == f"{one} is at v1\n"
    assert "error: head_moved: " in run("cubes", "revise", one, "late", "--expected", 0, code=1).err
    assert "shared" in run("cubes", "label", one, "--visibility", "shared", "--reason", "for all").out
    shown = run("cubes", "show", one).out
    for word in ("fact", "pets, dogs", "shared", "created"):
        assert word in shown
    listed = run("cubes", "--user", "cli-user", "--kind", "plaintext", "--limit", 200, "--json").json["items"]
    assert one in {item["id"] for item in listed}
    assert one in run("cubes", "--user", "cli-user", "--limit", 200).out


def test_a_life_by_hand(run: Run) -> None:
    one = made(run)
    assert run("cubes", "move", one, "archived", "--reason", "done with").out == f"{one} is archived\n"
    assert run("cubes", "freeze", one).out == f"{one} is frozen\n"
    refused = run("cubes", "move", one, "activated", code=1).err
    assert "error: illegal_transition: " in refused
    run("cubes", "unfreeze", one)
    run("cubes", "move", one, "activated")
    told = [event["event"] for event in run("cubes", "events", one, "--json").json["items"]][::-1]
    assert told == ["create", "transition", "transition", "freeze", "unfreeze", "transition"]
    assert "done with" in run("cubes", "events", one).out


def test_the_client_raises_what_the_service_says(live: Live) -> None:
    with Memos(live.url, live.key) as client:
        one = client.cubes.create("text", user_id="ada", tags=["a"])
        client.cubes.update(one.id, semantic_type="fact", expires_at="2999-01-01T00:00:00Z")
        assert client.cubes.update(one.id, semantic_type=None).semantic_type is None
        with pytest.raises(ConflictError) as caught:
            client.cubes.revise(one.id, "new", expected=4)
        assert caught.value.code == "head_moved"
        with pytest.raises(ConflictError) as caught:
            client.cubes.transition(one.id, "activated", "again")
        assert caught.value.context["legal"] == ["archived", "erased", "expired", "merged"]
        parts = client.cubes.split(one.id, ["a", {"text": "b", "tags": ["x"]}]).parts
        merged = client.cubes.merge([part.id for part in parts], text="ab")
        found = client.cubes.metadata(merged.id)
        assert [parent.relation for parent in found.provenance.parents] == ["merges", "merges"]
        assert [event.event for event in client.cubes.events(merged.id)] == ["transition", "create"]


def test_merge_and_split_are_drawn(run: Run) -> None:
    one = made(run, "Ada has a dog and a cat.")
    dog, cat = run("cubes", "split", one, "Ada has a dog.", "Ada has a cat.").out.split()
    again = run("cubes", "merge", dog, cat, "--text", "Ada has pets.").out.strip()
    assert drawn(run, again) == [
        "plaintext  plaintext", "v0  merge",
        "<- merges plaintext v0", "v0  split", "<- splits plaintext v0", "v0  create",
        "-> splits plaintext v0", "<- merges plaintext v0", "v0  split", "<- splits plaintext v0",
    ]  # fmt: skip
    assert drawn(run, one, "down")[:3] == ["plaintext  plaintext", "v0  create", "-> splits plaintext v0"]


def test_text_to_state_and_back_is_drawn(run: Run) -> None:
    one = made(run)
    state = ended(run, run("cubes", "convert", one, "activation", "--json").json["cube"]["id"])
    back = run("cubes", "convert", state, "plaintext").out.strip()
    assert drawn(run, back) == [
        "plaintext  plaintext", "v0  convert",
        "<- converts activation v2", "v2  convert", "v1  convert", "v0  convert",
        "<- converts plaintext v0", "v0  create",
    ]  # fmt: skip


def test_a_conversation_to_text_and_back_is_drawn(run: Run, live: Live) -> None:
    conversation = run("ask", "my dog is called Biscuit", "--json").json["conversation_id"]
    run("ask", "and my cat Tom", "--conversation", conversation)
    with live.client() as client:
        state = live.settled(client, conversation)["state_cube_id"]
    text = run("cubes", "convert", state, "plaintext").out.strip()
    again = ended(run, run("cubes", "promote", text, "--json").json["cube"]["id"])
    found = drawn(run, again)
    assert found[0] == "activation  activation"
    assert "<- converts plaintext v0" in found
    at = found.index("<- converts activation v2")
    assert found[at - 1] == "v0  convert"
    assert "<- recalls activation v1" in found
    assert run("cubes", "show", text, "--json").json["governance"]["lifecycle"] == "archived"


def test_all_the_way_to_parameters_and_back_is_drawn(run: Run) -> None:
    one = run("cubes", "create", TEXT, "--user", "drawn-user").out.strip()
    state = ended(run, run("cubes", "promote", one, "--json").json["cube"]["id"])
    told = run("cubes", "promote", state).out
    assert "is at work on it" in told
    ended(run, state, "archived")
    delta = run("deltas", "--user", "drawn-user", "--json").json["items"][0]["cube_id"]
    back = run("cubes", "demote", delta).out.strip()
    found = drawn(run, back)
    assert found[:4] == ["plaintext  plaintext", "v0  convert", "<- converts parameter v0", "v0  distil"]
    assert "<- distils activation v2" in found
    assert "<- converts plaintext v0" in found
    assert found.count("<- recalls activation v2") == 1
