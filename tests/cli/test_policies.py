"""Policies and consolidation from the command line, against the real service."""

from typing import Any

import pytest

from tests.api.talk import look
from tests.cli.conftest import Run
from tests.support.lab import remember
from tests.support.live import Live


@pytest.fixture
def tenant(live: Live) -> str:
    with live.client() as client:
        key = client.get("/v1/keys").json()["items"][0]["id"]
    return str(look(live, "SELECT tenant_id FROM api_keys WHERE id = %s", key)[0]["tenant_id"])


def lives(live: Live, cubes: list[str]) -> list[str]:
    rows = {row["id"]: row["lifecycle"] for row in look(live, "SELECT id, lifecycle FROM memcubes")}
    return [rows[cube] for cube in cubes]


def test_a_policy_from_its_making_to_its_end(live: Live, run: Run, tenant: str) -> None:
    cubes = remember(live.database, tenant, "policy user", "one", "two", "three")
    made = run("policies", "create", "short", "fifo", "most=1", "--user", "policy user", "--json").json
    assert (made["rule"], made["action"]) == ({"kind": "fifo", "most": 1}, "archive")
    dry = run("policies", "run", made["id"], "--dry-run")
    assert "would decide about 2" in dry.out
    assert "first in, first out" in dry.out
    assert lives(live, cubes) == ["activated"] * 3
    done: dict[str, Any] = run("policies", "run", made["id"], "--json").json
    assert [one["cube_id"] for one in done["decisions"]] == cubes[:2]
    assert done["run"]["done"] == 2
    assert lives(live, cubes) == ["archived", "archived", "activated"]
    assert "dry_run" in run("policies", "decisions", made["id"]).out
    assert run("policies", "disable", made["id"]).out == f"{made['id']} is disabled\n"
    assert run("policies", "enable", made["id"]).out == f"{made['id']} is enabled\n"
    assert made["id"] in run("policies", "--user", "policy user").out
    assert run("policies", "remove", made["id"]).out == f"{made['id']} is removed\n"
    assert "expires_at of each cube" in run("policies").out


def test_what_is_no_number_is_refused(run: Run) -> None:
    assert "bad_number" in run("policies", "create", "x", "fifo", "most=many", code=1).err
    assert "invalid" in run("policies", "create", "x", "fifo", "few=1", code=1).err


def test_a_users_memories_are_put_in_order(live: Live, run: Run, tenant: str) -> None:
    cubes = remember(live.database, tenant, "tidy user", "I like tea.", "i like  TEA", "I live in Oslo.")
    plan = run("consolidate", "tidy user", "--dry-run").out
    assert "2 memories say the same: the same text" in plan
    assert lives(live, cubes) == ["activated"] * 3
    done = run("consolidate", "tidy user", "--step", "merge", "--similarity", "0.9", "--json").json
    assert [(step["kind"], step["outcome"]) for step in done["steps"]] == [("merge", "done")]
    assert lives(live, cubes) == ["merged", "merged", "activated"]


def test_proposals_are_listed_and_decided(live: Live, run: Run, tenant: str) -> None:
    cubes = remember(live.database, tenant, "steady user", "I am a nurse.", "I play chess.")
    look(live, "UPDATE memcubes SET reads = 99 WHERE id = ANY(%s)", cubes)
    with live.client() as client:
        wanted = {"user_id": "steady user", "steps": ["propose"], "stable_s": 0}
        client.post("/v1/consolidations", json=wanted)
    assert run("consolidate", "steady user", "--json").json["status"] == "done"
    found: list[dict[str, Any]] = []
    while len(found) < 2:
        found = run("proposals", "--user", "steady user", "--status", "open", "--json").json["items"]
    assert "is dismissed" in run("proposals", "dismiss", found[0]["id"]).out
    assert "already_decided" in run("proposals", "accept", found[0]["id"], code=1).err
    assert "is accepted; the training is run run_" in run("proposals", "accept", found[1]["id"]).out
    assert "accepted" in run("proposals").out
