"""What was erased is in no archive, and what is left of the memory is whole where it arrives."""

import httpx2

from memos.kernel.version import broken_links
from tests.api.talk import chain, eventually, held, of, post, problem, say, settled, turns
from tests.archives.conftest import exported, members, taken_in
from tests.support.live import Live


def erased(client: httpx2.Client, **target: str) -> None:
    asked = client.post("/v1/erasures", json=target)
    assert asked.status_code == 202, asked.text
    eventually(lambda: client.get(f"/v1/erasures/{asked.json()['id']}").json()["status"] == "done", 60)


def test_an_erased_turn_is_in_no_archive(live: Live, here: httpx2.Client, there: httpx2.Client) -> None:
    began = live.conversation(here, "walter")
    said = [say(here, began, text) for text in ("one", "the walrus is purple", "three")]
    settled(here, began)
    assert b"walrus" in members(exported(here, conversation_id=began))["turns.jsonl"]
    erased(here, turn_id=said[1]["id"])
    settled(here, began)
    archive = exported(here, conversation_id=began)
    assert b"walrus" not in archive
    assert b"purple" not in archive
    told = taken_in(there, archive)
    assert told["left_out"] >= 2
    (pair,) = told["conversations"]
    assert [turn["input"] for turn in turns(there, pair["id"])] == ["one", "three"]
    assert held(say(there, pair["id"], "four")["output"]) == of("one", "three")
    view = settled(there, pair["id"])
    assert broken_links(chain(there, view["state_cube_id"])) == []


def test_of_an_erased_user_there_is_nothing_to_export(live: Live, here: httpx2.Client) -> None:
    began = live.conversation(here, "gone for good")
    say(here, began, "hello")
    settled(here, began)
    erased(here, user_id="gone for good")
    problem(here.post("/v1/cubes/export", json={"user_id": "gone for good"}), 404, "not_found")
    problem(here.post("/v1/cubes/export", json={"conversation_id": began}), 404, "not_found")
    text = post(here, "/v1/cubes", {"text": "a text", "user_id": "gone for good"}).json()["id"]
    erased(here, cube_id=text)
    problem(here.post("/v1/cubes/export", json={"cube_ids": [text]}), 404, "not_found")
