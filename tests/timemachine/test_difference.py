"""What differs between two versions: of a text in words and lines, of a state slot by slot, of a delta by tensors."""

import subprocess
from itertools import pairwise
from pathlib import Path

import httpx2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from memos.cubes import changes
from memos.cubes import store as cubes
from memos.cubes.versions import Payload, blob_key
from memos.kernel import difference
from memos.kernel.difference import text_difference
from memos.kit.blobs import Blobs
from memos.kit.ids import new_id
from memos.kit.unit_of_work import UnitOfWork
from tests.api.talk import problem, say
from tests.support.live import Live
from tests.timemachine.desk import BY, Desk

TEXTS = st.lists(st.sampled_from(["a", "b ", "cat ", "dog", "\n", ". ", "é\n", "\r\n"]), max_size=30).map("".join)


@given(TEXTS, TEXTS)
def test_the_pieces_are_both_texts(before: str, after: str) -> None:
    found = text_difference(before, after, ("a", "b"))
    assert "".join(operation.before for operation in found.operations) == before
    assert "".join(operation.after for operation in found.operations) == after
    for one in found.operations:
        assert (one.before == one.after) == (one.action == "equal")
        assert (not one.before) == (one.action == "insert")
        assert (not one.after) == (one.action == "delete")
    actions = [operation.action for operation in found.operations]
    assert all(one != next_one for one, next_one in pairwise(actions))
    assert (found.unified == "") == (before == after)


@given(st.lists(st.sampled_from(["a", "b", "c d"]), max_size=9), st.lists(st.sampled_from(["a", "b", "x"]), max_size=9))
def test_patch_makes_the_one_of_the_other(
    tmp_path_factory: pytest.TempPathFactory, before: list[str], after: list[str]
) -> None:
    folder: Path = tmp_path_factory.mktemp("patch")
    one, other = "\n".join(before), "\n".join(after)
    (folder / "text").write_text(one)
    found = text_difference(one, other, ("text", "text"))
    if found.unified:
        done = subprocess.run(
            ["git", "apply", "--unidiff-zero", "-p0", "-"], cwd=folder, input=found.unified, text=True, check=False,
            capture_output=True,
        )  # fmt: skip
        assert done.returncode == 0, (done.stderr, found.unified)
    assert ((folder / "text").read_text() if (folder / "text").exists() else "") == other


def test_words_of_a_changed_line() -> None:
    found = text_difference("My dog is Biscuit.\nHe is four.\n", "My dog is Rex.\nHe is four.\n", ("v0", "v1"))
    assert [(one.action, one.before, one.after) for one in found.operations] == [
        ("equal", "My dog is ", "My dog is "), ("replace", "Biscuit", "Rex"),
        ("equal", ".\nHe is four.\n", ".\nHe is four.\n"),
    ]  # fmt: skip
    assert found.unified == ("--- v0\n+++ v1\n@@ -1,2 +1,2 @@\n-My dog is Biscuit.\n+My dog is Rex.\n He is four.\n")
    assert not found.coarse


def test_a_text_made_to_be_slow_is_compared_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = "a b " * 3000, "b a " * 3000
    found = text_difference(before, after, ("v0", "v1"))
    assert (found.coarse, len(found.operations)) == (True, 1)
    lines = text_difference("a\nb\n" * 2000, "b\na\n" * 2000, ("v0", "v1"))
    assert lines.coarse
    assert lines.unified.startswith("--- v0\n+++ v1\n@@ -1,4000 +1,4000 @@\n-a\n-b\n")
    monkeypatch.setattr(difference, "MOST_PAIRS", 0)
    assert text_difference("a b", "a c", ("v0", "v1")).coarse


def test_two_texts_over_rest(client: httpx2.Client, desk: Desk) -> None:
    cube = desk.note("I live in Paris.")
    desk.revise(cube, "I live in Rome.")
    found = client.get(f"/v1/cubes/{cube}/diff", params={"from": 0, "to": 1}).json()
    assert (found["kind"], found["same"], found["tensors"], found["slots"]) == ("plaintext", False, None, None)
    assert [(o["before"], o["after"]) for o in found["text"]["operations"] if o["action"] == "replace"] == [
        ("Paris", "Rome")
    ]
    back = client.get(f"/v1/cubes/{cube}/diff", params={"from": 1, "to": 0}).json()["text"]["unified"]
    assert back.splitlines()[-2:] == ["+I live in Paris.", "\\ No newline at end of file"]
    same = client.get(f"/v1/cubes/{cube}/diff", params={"from": 1, "to": 1}).json()
    assert (same["same"], same["text"]["unified"]) == (True, "")
    problem(client.get(f"/v1/cubes/{cube}/diff", params={"from": 0, "to": 2}), 404, "not_found")
    problem(client.get(f"/v1/cubes/{cube}/diff", params={"from": 0}), 422, "invalid")


def test_two_states_over_rest(live: Live, client: httpx2.Client) -> None:
    conversation = live.conversation(client)
    for text in ("one", "two", "three"):
        say(client, conversation, text)
    cube = live.settled(client, conversation)["state_cube_id"]
    found = client.get(f"/v1/cubes/{cube}/diff", params={"from": 1, "to": 3}).json()
    assert {slot["slot"] for slot in found["slots"]} == {1, 2}
    assert found["tensors"][0]["norm"] > 0
    one = client.get(f"/v1/cubes/{cube}/diff", params={"from": 0, "to": 3, "limit": 1}).json()
    assert len(one["slots"]) == 1
    assert one["slots"][0]["norm"] >= max(slot["norm"] for slot in found["slots"])


def test_two_deltas_over_rest(live: Live, client: httpx2.Client, desk: Desk) -> None:
    blobs = Blobs(live.settings.effective_blob_url)

    async def stored(work: UnitOfWork, **tensors: list[float]) -> Payload:
        blob_id = new_id("blob")
        cubes.insert_blob(work, blob_id)
        body = save({name: np.array(values, np.float32) for name, values in tensors.items()})
        return Payload("blob", blobs.put(blob_key(blob_id), body), len(body), blob_id=blob_id)

    async def made(work: UnitOfWork) -> str:
        first = await stored(work, down=[3.0, 4.0], up=[1.0])
        cube = await changes.create(work, changes.NewCube("parameter", first, BY, user_id="ada", fingerprint="f"))
        second = await stored(work, down=[3.0, 4.0], up=[3.0])
        await changes.append(work, cube, operation="revise", payload=second, by=BY, fingerprint="f")
        return str(cube["id"])

    found = client.get(f"/v1/cubes/{desk.do(made)}/diff", params={"from": 0, "to": 1}).json()
    assert (found["kind"], found["slots"], found["text"]) == ("parameter", None, None)
    assert [(t["name"], t["norm"], t["before"]) for t in found["tensors"]] == [("up", 2.0, 1.0), ("down", 0.0, 5.0)]
