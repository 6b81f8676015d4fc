"""What is exported is taken in elsewhere as it was: words, versions, lineage, payloads; and a conversation goes on."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from memos.invariants.registry import INVARIANTS
from memos.kernel.version import broken_links
from memos.kit.ids import new_id
from memos.runtime import Runtime
from tests.api.talk import chain, everything, held, look, of, post, say, settled, turns
from tests.archives.conftest import edited, exported, forged, members, taken_in
from tests.support.live import Live, serve, settings_for
from tests.support.postgres import Cluster


def renamed(told: dict[str, Any]) -> dict[str, str]:
    return {pair["archived_id"]: pair["id"] for pair in [*told["conversations"], *told["cubes"]]}


def spoken(live: Live, client: httpx2.Client, *texts: str, user: str = "ada") -> str:
    conversation = live.conversation(client, user)
    for text in texts:
        say(client, conversation, text)
    live.settled(client, conversation)
    return conversation


def state_cube(client: httpx2.Client, conversation: str) -> str:
    return str(client.get(f"/v1/conversations/{conversation}").json()["state_cube_id"])


def test_a_conversation_goes_on_elsewhere(
    live: Live, here: httpx2.Client, elsewhere: Live, there: httpx2.Client
) -> None:
    began = spoken(live, here, "one", "two", "three")
    post(here, f"/v1/conversations/{began}/rollback", {"to_turn": 2})
    say(here, began, "four")
    live.settled(here, began)
    told = taken_in(there, exported(here, conversation_id=began))
    names = renamed(told)
    copy = names[began]
    assert held(say(there, copy, "five")["output"]) == of("one", "two", "four")
    settled(there, copy)
    shown = ("seq", "input", "output", "status", "finish_reason", "created_at", "usage")
    before, after = turns(here, began), turns(there, copy)
    assert [{n: t[n] for n in shown} for t in after[:-1]] == [{n: t[n] for n in shown} for t in before]
    # It can go back, and branch off, as far as it could.
    fork = post(there, f"/v1/conversations/{copy}/fork", {"at_turn": 1}).json()["id"]
    assert held(say(there, fork, "other")["output"]) == of("one")
    post(there, f"/v1/conversations/{copy}/rollback", {"to_turn": 0})
    assert held(say(there, copy, "anew")["output"]) == []
    settled(there, copy)
    assert broken_links(chain(there, names[state_cube(here, began)])) == []


def test_versions_payloads_and_lineage_are_the_same(live: Live, here: httpx2.Client, there: httpx2.Client) -> None:
    began = spoken(live, here, "one", "two")
    post(here, f"/v1/conversations/{began}/rollback", {"to_turn": 1})
    cube = state_cube(here, began)
    told = taken_in(there, exported(here, cube_ids=[cube]))
    copy = renamed(told)[cube]
    old = everything(here, f"/v1/cubes/{cube}/versions")[::-1]
    new = everything(there, f"/v1/cubes/{copy}/versions")[::-1]
    *copies, head = new
    kept = ("number", "operation", "commitment", "payload_sha256", "size_bytes", "fingerprint", "created_at",
            "created_by", "turn_seq", "epoch")  # fmt: skip
    assert [{n: v[n] for n in kept} for v in copies] == [{n: v[n] for n in kept} for v in old]
    assert head["operation"] == "import"
    assert head["payload_sha256"] == old[-1]["payload_sha256"]
    origin = {name: head["metadata"][name] for name in ("cube_id", "version_id", "hash")}
    assert origin == {"cube_id": cube, "version_id": old[-1]["id"], "hash": old[-1]["hash"]}
    assert head["metadata"]["archive"] == told["archive_sha256"]
    assert broken_links(chain(there, copy)) == []
    for number in range(len(old)):
        path = "/v1/cubes/{}/versions/{}/payload"
        assert there.get(path.format(copy, number)).content == here.get(path.format(cube, number)).content
    assert _shape(there, copy) - {(len(old), len(old) - 1, r) for r in ("revises", "imports", "restores")} == _shape(
        here, cube
    )
    assert (
        there.get(f"/v1/cubes/{copy}/versions/1").json()["written"]
        == (here.get(f"/v1/cubes/{cube}/versions/1").json()["written"])
    )


def _shape(client: httpx2.Client, cube: str) -> set[tuple[int, int, str]]:
    graph = client.get(f"/v1/cubes/{cube}/lineage", params={"direction": "up"}).json()
    at = {node["id"]: node["number"] for node in graph["nodes"]}
    return {(at[edge["child"]], at[edge["parent"]], edge["relation"]) for edge in graph["edges"]}


def test_the_same_memory_gives_the_same_bytes(live: Live, here: httpx2.Client) -> None:
    began = spoken(live, here, "one")
    first = here.post("/v1/cubes/export", json={"conversation_id": began})
    assert first.content == exported(here, conversation_id=began)
    names = list(members(first.content))
    assert names[:4] == ["manifest.json", "conversations.jsonl", "turns.jsonl", "cubes.jsonl"]
    assert first.headers["etag"]


def test_a_fork_brings_its_parents_along(live: Live, here: httpx2.Client, there: httpx2.Client) -> None:
    began = spoken(live, here, "one", "two")
    fork = post(here, f"/v1/conversations/{began}/fork", {"at_turn": 1}).json()["id"]
    say(here, fork, "other")
    live.settled(here, fork)
    names = renamed(taken_in(there, exported(here, conversation_id=fork)))
    assert names.keys() >= {began, fork}
    view = there.get(f"/v1/conversations/{names[fork]}").json()
    assert view["forked_from"] == {"conversation_id": names[began], "at_turn": 1}
    assert [turn["input"] for turn in turns(there, names[fork])] == ["one", "other"]
    assert held(say(there, names[fork], "on")["output"]) == of("one", "other")


def test_a_user_is_taken_over_whole(live: Live, here: httpx2.Client, there: httpx2.Client) -> None:
    user, other = new_id("ten"), new_id("ten")
    mine = [spoken(live, here, f"{n} a", f"{n} b", user=user) for n in range(3)]
    spoken(live, here, "not mine", user=other)
    archive = exported(here, user_id=user)
    assert b"not mine" not in archive
    told = taken_in(there, archive, user_id="grace")
    assert {pair["archived_id"] for pair in told["conversations"]} == set(mine)
    for pair in told["conversations"]:
        assert there.get(f"/v1/conversations/{pair['id']}").json()["user_id"] == "grace"
    assert there.get("/v1/conversations", params={"user_id": user}).json()["items"] == []


def test_cubes_keep_what_is_known_of_them(
    live: Live, here: httpx2.Client, elsewhere: Live, there: httpx2.Client
) -> None:
    """A text with two versions, world time, tags and a life; and what was merged from it stays its child."""
    text = {"text": "Biscuit is a dog.", "user_id": "ada", "tags": ["pets"], "priority": 3}
    first = post(here, "/v1/cubes", text).json()
    other = post(here, "/v1/cubes", text | {"text": "Biscuit is two."}).json()
    edit = here.post(
        f"/v1/cubes/{first['id']}/versions", json={"text": "Biscuit is an old dog."}, headers={"If-Match": '"0"'}
    )
    assert edit.is_success, edit.text
    merged = post(here, "/v1/cubes/merge", {"cube_ids": [first["id"], other["id"]]}).json()
    merged_id = merged.get("id") or merged["cube"]["id"]
    post(here, f"/v1/cubes/{other['id']}/freeze", {"frozen": True, "reason": "evidence"})
    wanted = [first["id"], other["id"], merged_id]
    told = taken_in(there, exported(here, cube_ids=wanted))
    names = renamed(told)
    same = ("kind", "user_id", "lifecycle", "frozen", "tags", "priority", "sensitivity", "visibility", "origin",
            "semantic_type", "created_at", "reads")  # fmt: skip
    for old in wanted:
        a, b = here.get(f"/v1/cubes/{old}").json(), there.get(f"/v1/cubes/{names[old]}").json()
        assert {n: a[n] for n in same} == {n: b[n] for n in same}
        assert b["head_version"] == a["head_version"] + 1
        events = there.get(f"/v1/cubes/{names[old]}/events").json()["items"]
        assert events[0]["reason"] == "imported"
    payload = there.get(f"/v1/cubes/{names[first['id']]}/versions/1/payload")
    assert payload.text == "Biscuit is an old dog."
    graph = there.get(f"/v1/cubes/{names[merged_id]}/lineage", params={"direction": "up"}).json()
    assert {node["cube_id"] for node in graph["nodes"]} == {names[old] for old in wanted}
    assert {"merges"} <= {edge["relation"] for edge in graph["edges"]}


def test_what_is_pending_is_taken_in_where_it_arrives(live: Live, here: httpx2.Client, there: httpx2.Client) -> None:
    began = spoken(live, here, "one")
    two = {"turns": [{"input": "two", "output": "2"}, {"input": "three", "output": "3"}]}
    # Answered, and the job that takes them in is gone: as if the export had been quicker.
    post(here, f"/v1/conversations/{began}/turns/import", two)
    live.settled(here, began)
    archive = exported(here, conversation_id=began)
    copy = renamed(taken_in(there, _with_pending(archive)))[began]
    view = settled(there, copy)
    assert (view["turn_count"], view["pending_turns"]) == (3, 0)
    assert held(say(there, copy, "four")["output"]) == of("one", "two", "three")


def _with_pending(archive: bytes) -> bytes:
    """The archive as it was before the last two turns were taken in."""

    def untake(parts: dict[str, bytes]) -> None:
        versions = [json.loads(line) for line in parts["versions.jsonl"].splitlines()]
        gone = {v["id"] for v in versions if (v["turn_seq"] or 0) > 1}
        for sha256 in {v["payload_sha256"] for v in versions if v["id"] in gone}:
            del parts[f"payloads/{sha256}"]

        def drop(key: str) -> Callable[[list[dict[str, Any]]], None]:
            return lambda rows: rows.__setitem__(slice(None), [row for row in rows if row[key] not in gone])

        def unapply(rows: list[dict[str, Any]]) -> None:
            for row in rows[1:]:
                row.update(status="answered", written_version_id=None)

        edited("versions.jsonl", drop("id"))(parts)
        edited("edges.jsonl", drop("child"))(parts)
        edited("turns.jsonl", unapply)(parts)

    return forged(archive, untake)


def test_another_model_rebuilds_the_state_by_replay(live: Live, here: httpx2.Client, postgres_cluster: Cluster) -> None:
    began = spoken(live, here, "one", "two", "three")
    fork = post(here, f"/v1/conversations/{began}/fork", {"at_turn": 2}).json()["id"]
    archive = exported(here, conversation_id=fork)
    with serve(postgres_cluster.database(), generator="echo-2") as newer, newer.client() as there:
        names = renamed(taken_in(there, archive))
        answer = say(there, names[began], "four")
        assert answer["memory"]["lag"] == 0
        assert len(held(answer["output"])) == 3
        assert held(say(there, names[fork], "other")["output"])[:2] == held(answer["output"])[:2]
        newer.settled(there, names[began])
        assert broken_links(chain(there, renamed(taken_in(there, archive))[state_cube(here, began)])) == []
        view = there.get(f"/v1/conversations/{names[began]}").json()
        assert view["fingerprint"] != here.get(f"/v1/conversations/{began}").json()["fingerprint"]


def test_one_key_takes_it_in_once(live: Live, here: httpx2.Client, elsewhere: Live, there: httpx2.Client) -> None:
    archive = exported(here, conversation_id=spoken(live, here, "one"))
    first = taken_in(there, archive, key="import-once")
    assert taken_in(there, archive, key="import-once") == first
    again = there.post("/v1/cubes/import", content=archive + b"x", headers={"Idempotency-Key": "import-once"})
    assert again.status_code == 422
    assert renamed(taken_in(there, archive)) != renamed(first), "without a key it is another copy"


def test_an_imported_service_keeps_its_invariants(
    elsewhere: Live, live: Live, here: httpx2.Client, there: httpx2.Client
) -> None:

    began = spoken(live, here, "one", "two")
    post(here, f"/v1/conversations/{began}/rollback", {"to_turn": 1})
    taken_in(there, exported(here, conversation_id=began))
    runtime = Runtime(settings_for(elsewhere.database, elsewhere.data_dir))

    async def findings() -> list[str]:
        (row,) = look(elsewhere, "SELECT id FROM tenants LIMIT 1")
        work = runtime.database.single(row["id"])
        found = [
            f"{f.subject}: {f.detail}" for made in INVARIANTS.values() for f in await made(runtime.tools).check(work)
        ]
        await runtime.database.aclose()
        return found

    assert asyncio.run(findings()) == []


@pytest.mark.parametrize("wanted", [
    {"conversation_id": f"conv_{'0' * 32}"}, {"cube_ids": [f"cube_{'0' * 32}"]}, {"user_id": "nobody at all"},
], ids=["conversation", "cube", "user"])  # fmt: skip
def test_what_is_not_there_is_not_exported(here: httpx2.Client, wanted: dict[str, Any]) -> None:
    assert here.post("/v1/cubes/export", json=wanted).status_code == 404


@pytest.mark.parametrize("wanted", [{}, {"user_id": "a", "cube_ids": ["x"]}, {"cube_ids": []}, {"user_id": 5}])
def test_what_cannot_be_asked_for(here: httpx2.Client, wanted: dict[str, Any]) -> None:
    assert here.post("/v1/cubes/export", json=wanted).status_code == 422
