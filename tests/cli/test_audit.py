"""Grants, tokens and the audit log from the command line."""

import pytest

from tests.api.talk import look
from tests.cli.conftest import Run
from tests.support.live import Live


@pytest.fixture
def cube(run: Run) -> str:
    """The state of a new conversation of ada's."""
    turn = run("ask", "hello", "--user", "ada", "--json").json
    listed = run("conversations", "--user", "ada", "--limit", 200, "--json").json["items"]
    return next(str(item["state_cube_id"]) for item in listed if item["id"] == turn["conversation_id"])


def test_a_grant_from_its_giving_to_its_end(run: Run, cube: str) -> None:
    made = run("grants", "give", cube, "user:bob", "--json").json
    assert (made["grantee"], made["permission"]) == ({"user": "bob"}, "read")
    assert "role:support may write" in run("grants", "give", cube, "role:support", "--write").out
    assert f"{made['id']} is revoked" in run("grants", "revoke", cube, made["id"]).out
    listed = run("grants", "list", cube).out
    assert made["id"] in listed
    assert "role:support" in listed
    assert "error: usage" in run("grants", "give", cube, "bob", code=1).err


def test_a_token_stands_for_its_user(run: Run) -> None:
    token = run("tokens", "create", "ada", "--ttl-s", 60).out.strip()
    assert token.startswith("mt_")
    items = run("conversations", "--limit", 200, "--json", "--key", token).json["items"]
    assert {item["user_id"] for item in items} <= {"ada"}
    assert "not_for_persons" in run("jobs", "--key", token, code=1).err


def test_a_key_limited_to_a_user(run: Run) -> None:
    made = run("keys", "create", "phone", "--user", "ada", "--role", "support", "--json").json
    assert (made["user_id"], made["roles"]) == ("ada", ["support"])


def test_the_log_is_listed_and_its_chain_walked(run: Run, live: Live, cube: str) -> None:
    run("grants", "give", cube, "user:bob")
    shown = run("audit", "--subject", cube, "--action", "grants.create").out
    assert cube in shown
    whole = run("audit", "verify", "--json").json
    assert (whole["ok"], whole["complete"]) == (True, True)
    assert whole["unchained"]["count"] > 0
    assert "entries are not chained yet" in run("audit", "verify").out


def test_a_chain_that_is_broken_is_an_error(run: Run, live: Live, cube: str) -> None:
    """One link, which points nowhere."""
    look(
        live,
        "INSERT INTO audit_chain (tenant_id, seq, audit_id, previous, hash) SELECT tenant_id, 2, id, repeat('a', 64), "
        "repeat('b', 64) FROM audit_log WHERE %s = ANY (subjects) LIMIT 1",
        cube,
    )
    try:
        found = run("audit", "verify", code=1)
        assert "error: audit_chain_broken" in found.err
        assert "link 1" in found.err
    finally:
        look(live, "DELETE FROM audit_chain WHERE previous = repeat('a', 64)")
