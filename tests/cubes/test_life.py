"""Plaintext cubes over REST: made, revised, labelled, archived, expired, frozen, split, merged; every change has its
event, and what a cube came from is kept.
"""

from itertools import product
from typing import Any, get_args

import httpx2
import pytest

from memos.kernel.lifecycle import Lifecycle, legal_from
from memos.kernel.version import broken_links
from tests.api.talk import chain, everything, look, post, problem
from tests.cubes.conftest import cube, events, freeze, made_from, remember, revise, text_of, to
from tests.support.live import Live

LATER = "2990-01-01T00:00:00Z"
NOWHERE = "cube_" + "0" * 32
STATES: tuple[Lifecycle, ...] = get_args(Lifecycle)
BORN = [("create", None, "generated"), ("transition", "generated", "activated")]


def test_a_cube_says_everything_it_was_given(client: httpx2.Client) -> None:
    given = {
        "agent_id": "helper", "semantic_type": "fact", "tags": ["pets", "dogs", "pets"], "priority": 7,
        "sensitivity": "sensitive", "visibility": "shared", "expires_at": "2999-01-01T00:00:00Z",
    }  # fmt: skip
    world = {"valid_from": "2020-01-01T00:00:00Z", "valid_to": "2021-01-01T00:00:00Z", "metadata": {"source": "form"}}
    made = remember(client, "Ada's dog is called Biscuit.", **given, **world)
    expected = given | {
        "tags": ["pets", "dogs"], "user_id": "ada", "kind": "plaintext", "lifecycle": "activated", "frozen": False,
        "head_version": 0, "origin": "user", "conversation_id": None, "model": None,
    }  # fmt: skip
    assert {name: made[name] for name in expected} == expected
    assert cube(client, made["id"]) == made
    version = client.get(f"/v1/cubes/{made['id']}/versions/0").json()
    assert (version["valid_from"], version["valid_to"]) == ("2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z")
    assert version["metadata"] == {"user": {"source": "form"}}
    assert text_of(client, made["id"]) == "Ada's dog is called Biscuit."
    assert events(client, made["id"]) == BORN
    for filters, found in (({"lifecycle": "activated"}, True), ({"lifecycle": "archived"}, False)):
        wanted = {"user_id": "ada", "kind": "plaintext", "limit": "1"} | filters
        listed = client.get("/v1/cubes", params=wanted).json()
        assert (made["id"] in {item["id"] for item in listed["items"]}) is found


def test_a_revision_needs_the_number_it_follows(client: httpx2.Client) -> None:
    one = remember(client, "first")["id"]
    problem(client.post(f"/v1/cubes/{one}/versions", json={"text": "second"}), 422, "invalid")
    assert revise(client, one, "second", 0).json()["number"] == 1
    refused = problem(revise(client, one, "third", 0), 409, "head_moved")
    assert "is at version 1, not 0" in refused["detail"]
    assert text_of(client, one) == "second"
    assert revise(client, one, "third", 1).status_code == 201
    assert broken_links(chain(client, one)) == []
    edges = client.get(f"/v1/cubes/{one}/lineage").json()["edges"]
    assert [edge["relation"] for edge in edges] == ["revises", "revises"]


def test_a_key_is_for_the_number_too(client: httpx2.Client) -> None:
    one = remember(client, "first")["id"]
    path, body = f"/v1/cubes/{one}/versions", {"text": "second"}
    headers = {"If-Match": "0", "Idempotency-Key": f"{one}-revise"}
    first = client.post(path, json=body, headers=headers)
    assert client.post(path, json=body, headers=headers).content == first.content
    problem(client.post(path, json=body, headers=headers | {"If-Match": "1"}), 422, "idempotency_key_reused")
    assert cube(client, one)["head_version"] == 1


def test_labels_change_and_what_they_were_stays_in_the_events(client: httpx2.Client) -> None:
    one = remember(client, "text", semantic_type="fact", priority=1)["id"]
    changed = client.patch(
        f"/v1/cubes/{one}", json={"priority": 9, "semantic_type": None, "reason": "important"}
    ).json()
    assert (changed["priority"], changed["semantic_type"], changed["head_version"]) == (9, None, 0)
    (event,) = [e for e in everything(client, f"/v1/cubes/{one}/events") if e["event"] == "change"]
    assert event["reason"] == "important"
    assert event["details"] == {
        "from": {"priority": 1, "semantic_type": "fact"},
        "to": {"priority": 9, "semantic_type": None},
    }
    client.patch(f"/v1/cubes/{one}", json={"priority": 9})
    assert len(events(client, one)) == len(BORN) + 1, "what stays the same is no change"
    problem(client.patch(f"/v1/cubes/{one}", json={"priority": None}), 422, "invalid")
    problem(client.patch(f"/v1/cubes/{one}", json={"lifecycle": "erased"}), 422, "invalid")


def test_every_illegal_transition_names_the_legal_ones(live: Live, client: httpx2.Client) -> None:
    """The kernel's table, state by state, over REST."""
    one = remember(client, "text")["id"]
    for now, then, frozen in product(STATES, ("activated", "archived", "expired"), (False, True)):
        # Where a caller cannot go on its own, the row is put there past the trigger.
        look(live, "SELECT set_config('session_replication_role', 'replica', false)")
        look(
            live,
            "WITH free AS (SELECT set_config('session_replication_role', 'replica', true)) "
            "UPDATE memcubes SET lifecycle = %s, frozen = %s FROM free WHERE id = %s", now, frozen, one,
        )  # fmt: skip
        answer = to(client, one, then)
        if now == "erased":
            problem(answer, 404, "not_found")
        elif now == "generated":
            problem(answer, 409, "cube_being_made")  # by a job, which alone ends that
        elif then in legal_from(now, frozen=frozen):
            assert answer.json()["lifecycle"] == then, (now, then, frozen)
        else:
            refused = problem(answer, 409, "illegal_transition")
            assert refused["context"]["legal"] == sorted(legal_from(now, frozen=frozen)), (now, then, frozen)


def test_frozen_means_nothing_changes(client: httpx2.Client) -> None:
    one, two = remember(client, "text")["id"], remember(client, "other")["id"]
    assert freeze(client, one).json()["frozen"] is True
    before = cube(client, one)
    problem(revise(client, one, "new", 0), 409, "cube_frozen")
    problem(client.patch(f"/v1/cubes/{one}", json={"priority": 3}), 409, "cube_frozen")
    problem(to(client, one, "archived"), 409, "illegal_transition")
    problem(client.post("/v1/cubes/merge", json={"cube_ids": [two, one]}), 409, "cube_frozen")
    problem(client.post(f"/v1/cubes/{one}/split", json={"parts": [{"text": "a"}, {"text": "b"}]}), 409, "cube_frozen")
    problem(client.post(f"/v1/cubes/{one}/promote", json={}), 409, "cube_frozen")
    assert cube(client, one) == before
    assert cube(client, two)["lifecycle"] == "activated", "a merge that is refused changes none"
    assert freeze(client, one, False).json()["frozen"] is False
    assert revise(client, one, "new", 0).status_code == 201
    assert [event for event, *_ in events(client, one)] == ["create", "transition", "freeze", "unfreeze"]


def test_only_a_living_cube_is_revised(client: httpx2.Client) -> None:
    one = remember(client, "text")["id"]
    to(client, one, "archived")
    refused = problem(revise(client, one, "new", 0), 409, "cube_not_live")
    assert refused["context"]["legal"] == ["activated", "erased", "expired"]
    to(client, one, "activated")
    assert revise(client, one, "new", 0).status_code == 201


def test_a_merge_keeps_its_sources(client: httpx2.Client) -> None:
    parts = [
        remember(client, "Ada has a dog.", tags=["a", "b"], priority=3, semantic_type="fact", expires_at=LATER),
        remember(client, "It is called Biscuit.", tags=["b", "c"], sensitivity="secret", semantic_type="fact"),
    ]
    ids = [part["id"] for part in parts]
    made = post(client, "/v1/cubes/merge", {"cube_ids": ids}).json()
    assert text_of(client, made["id"]) == "Ada has a dog.\nIt is called Biscuit."
    expected = {
        "tags": ["a", "b", "c"], "priority": 3, "semantic_type": "fact", "sensitivity": "secret",
        "visibility": "owner", "expires_at": None, "user_id": "ada",
    }  # fmt: skip
    assert {name: made[name] for name in expected} == expected, "as hidden as the most hidden, as long as the longest"
    assert made_from(client, made["id"]) == {("merges", one) for one in ids}
    for one in ids:
        assert cube(client, one)["lifecycle"] == "merged"
        assert events(client, one)[-1] == ("transition", "activated", "merged")
        assert text_of(client, one) in text_of(client, made["id"])
    assert client.get(f"/v1/cubes/{made['id']}/versions/0").json()["operation"] == "merge"


def test_what_cannot_be_merged_is_refused_whole(client: httpx2.Client, conversation: str) -> None:
    mine, theirs = remember(client, "mine")["id"], remember(client, "theirs", user_id="bob")["id"]
    state = client.get(f"/v1/conversations/{conversation}").json()["state_cube_id"]
    gone = remember(client, "gone")["id"]
    to(client, gone, "archived")
    for others, status, code in (
        ([theirs], 409, "different_owners"), ([state], 409, "wrong_kind"), ([gone], 409, "cube_not_live"),
        ([mine], 422, "named_twice"), ([NOWHERE], 404, "not_found"), ([], 422, "invalid"),
    ):  # fmt: skip
        problem(client.post("/v1/cubes/merge", json={"cube_ids": [mine, *others]}), status, code)
    assert cube(client, mine)["lifecycle"] == "activated"
    assert events(client, mine) == BORN


def test_a_split_keeps_its_source(client: httpx2.Client) -> None:
    one = remember(client, "Ada has a dog, and a cat.", tags=["pets"], semantic_type="fact", priority=4)["id"]
    wanted = [{"text": "Ada has a dog."}, {"text": "Ada has a cat.", "tags": ["cats"], "semantic_type": "guess"}]
    made = post(client, f"/v1/cubes/{one}/split", {"parts": wanted}).json()
    assert made["source"]["lifecycle"] == "archived"
    first, second = made["parts"]
    assert [(p["tags"], p["semantic_type"], p["priority"]) for p in (first, second)] == [
        (["pets"], "fact", 4), (["cats"], "guess", 4)
    ]  # fmt: skip
    assert [text_of(client, part["id"]) for part in made["parts"]] == ["Ada has a dog.", "Ada has a cat."]
    for part in made["parts"]:
        assert made_from(client, part["id"]) == {("splits", one)}
    assert text_of(client, one) == "Ada has a dog, and a cat."
    last = everything(client, f"/v1/cubes/{one}/events")[0]
    assert last["details"] == {"into": [first["id"], second["id"]]}


def test_metadata_has_the_four_groups(client: httpx2.Client) -> None:
    one = remember(client, "text", semantic_type="fact", tags=["a"])["id"]
    other = remember(client, "more")["id"]
    for _ in range(3):
        text_of(client, one)
    made = post(client, "/v1/cubes/merge", {"cube_ids": [one, other]}).json()["id"]
    found = client.get(f"/v1/cubes/{one}/metadata").json()
    assert set(found) == {"id", "descriptive", "governance", "behavioural", "provenance"}
    assert (found["descriptive"]["semantic_type"], found["descriptive"]["origin"]) == ("fact", "user")
    assert found["governance"]["lifecycle"] == "merged"
    assert found["behavioural"]["reads"] == 3
    assert found["behavioural"]["last_read_at"] is not None
    ((place, use),) = found["behavioural"]["context"].items()
    assert place.startswith("key_")
    assert use["reads"] == 3
    assert found["provenance"]["trigger"]["reason"] == "created"
    assert [(link["relation"], link["cube_id"]) for link in found["provenance"]["links"]] == [("merges", made)]


def test_the_fingerprint_of_use_keeps_the_latest_places(live: Live, client: httpx2.Client) -> None:
    one = remember(client, "text")["id"]
    keys = [post(client, "/v1/keys", {"name": str(n), "scopes": ["read"]}).json() for n in range(18)]
    for key in keys:
        with live.client(key["key"]) as reader:
            assert reader.get(f"/v1/cubes/{one}/versions/0/payload").text == "text"
    used = client.get(f"/v1/cubes/{one}/metadata").json()["behavioural"]
    assert used["reads"] == 18
    assert set(used["context"]) == {key["id"] for key in keys[2:]}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"text": "a", "user_id": None}, 422, "owner_missing"),
        ({"text": "a", "valid_from": LATER, "valid_to": "2020-01-01T00:00:00Z"}, 422, "valid_to_before_valid_from"),
        ({"text": "a" * 32_001}, 413, "too_large"),
        ({"text": ""}, 422, "invalid"),
        ({"text": "a", "tags": ["t"] * 51}, 422, "invalid"),
        ({"text": "a", "priority": "high"}, 422, "invalid"),
        ({"text": "a", "kind": "activation"}, 422, "invalid"),
        ({"text": "a", "sensitivity": "top secret"}, 422, "invalid"),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_a_cube_that_does_not_fit_is_refused(
    client: httpx2.Client, body: dict[str, Any], status: int, code: str
) -> None:
    problem(client.post("/v1/cubes", json={"user_id": "ada"} | body), status, code)


@pytest.mark.usefixtures("put_away")
def test_a_memory_of_the_tenant_needs_no_owner(client: httpx2.Client) -> None:
    made = remember(client, "We close at five.", user_id=None, visibility="tenant")
    assert (made["user_id"], made["visibility"]) == (None, "tenant")
    problem(client.patch(f"/v1/cubes/{made['id']}", json={"visibility": "owner"}), 422, "owner_missing")


def test_every_change_takes_a_key(client: httpx2.Client) -> None:
    def twice(path: str, body: dict[str, Any]) -> dict[str, Any]:
        key = f"{path}-{body}"[:200].replace(" ", "")
        first, second = (post(client, path, body, key=key) for _ in range(2))
        assert first.content == second.content
        answer: dict[str, Any] = first.json()
        return answer

    one = twice("/v1/cubes", {"text": "made once", "user_id": "twice"})["id"]
    here = f"/v1/cubes/{one}"
    twice(f"{here}/freeze", {"frozen": True, "reason": "r"})
    twice(f"{here}/freeze", {"frozen": False, "reason": "r"})
    twice(f"{here}/transition", {"to": "archived", "reason": "r"})
    twice(f"{here}/transition", {"to": "activated", "reason": "r"})
    parts = twice(f"{here}/split", {"parts": [{"text": "a"}, {"text": "b"}]})["parts"]
    merged = twice("/v1/cubes/merge", {"cube_ids": [part["id"] for part in parts]})
    twice(f"/v1/cubes/{merged['id']}/convert", {"to": "activation"})
    assert len(client.get("/v1/cubes", params={"user_id": "twice"}).json()["items"]) == 5
