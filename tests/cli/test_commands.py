"""Every command against the real service. Its generator is the deterministic fake: `echo N [...] text` tells how many
turns the state held that the answer came from.
"""

import json
from typing import Any

import pytest

from memos.generation.port import ModelUnavailable
from memos.sdk import Memos
from tests.cli.conftest import Run, invoke
from tests.support.live import Live

NOWHERE = "conv_" + "0" * 32


def conversation(run: Run, *texts: str) -> str:
    """A new conversation with these turns; its id."""
    first, *rest = texts
    turn = run("ask", first, "--json").json
    for text in rest:
        run("ask", text, "--conversation", turn["conversation_id"])
    return str(turn["conversation_id"])


def test_ask_prints_the_answer_alone(run: Run) -> None:
    found = run("ask", "my dog is called Biscuit")
    assert found.out == "echo 0 [] my dog is called Biscuit\n"
    assert found.err.startswith("(conversation conv_")
    assert run("ask", "hello", "--conversation", found.err.split()[1].rstrip(")\n")).out.startswith("echo 1 [1:")


def test_ask_as_json_is_the_turn(run: Run) -> None:
    turn = run("ask", "hello", "--user", "ada", "--max-tokens", 5, "--seed", 1, "--json").json
    assert (turn["seq"], turn["input"], turn["status"]) == (1, "hello", "answered")
    listed = run("conversations", "--user", "ada", "--limit", 200, "--json").json["items"]
    assert turn["conversation_id"] in {item["id"] for item in listed}


def test_chat_reads_lines_from_a_pipe(run: Run) -> None:
    found = run("chat", input="first\n\n  second  \n/quit\nnever said\n")
    assert found.out.splitlines()[0] == "echo 0 [] first"
    assert found.out.splitlines()[1].startswith("echo 1 [1:")
    assert len(found.out.splitlines()) == 2
    assert "/help lists the commands" in found.err


def test_chat_commands(run: Run) -> None:
    begun = conversation(run, "one", "two")
    script = "/turns\n/explain\n/explain 1\n/fork 1\nthree\n/rollback 0\nfour\n/help\n"
    found = run("chat", "--conversation", begun, input=script)
    assert "forked from" in found.out
    assert "echo 1 [1:" in found.out
    assert "echo 0 [] four" in found.out
    assert "/rollback TURN" in found.err
    assert len(run("turns", begun, "--json").json["items"]) == 2  # the fork took the rest


def test_chat_as_json_is_one_value_on_each_line(run: Run) -> None:
    found = run("chat", "--json", input="first\n/fork\n/turns\nsecond\n")
    values = [json.loads(line) for line in found.out.splitlines()]
    assert [sorted(value)[0] for value in values] == ["conversation_id", "agent_id", "items", "conversation_id"]
    assert values[3]["seq"] == 2
    assert values[3]["conversation_id"] == values[1]["id"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("/bogus", "no_such_command"),
        ("/rollback", "usage"),
        ("/rollback 9", "no_such_turn"),
        ("/explain 9", "no_such_turn"),
        ('/fork "1', "no_such_command"),
    ],
)
def test_a_script_ends_at_its_first_error(run: Run, line: str, code: str) -> None:
    found = run("chat", input=f"first\n{line}\nnever said\n", code=1)
    assert f"error: {code}: " in found.err
    assert "hint:  " in found.err
    assert "never said" not in found.out


def test_turns_shows_the_newest_in_their_order(run: Run) -> None:
    begun = conversation(run, "one", "two", "three")
    assert [turn["input"] for turn in run("turns", begun, "--limit", 2, "--json").json["items"]] == ["two", "three"]
    assert "three" in run("turns", begun).out


def test_explain_names_what_was_read(run: Run) -> None:
    begun = conversation(run, "one", "two")
    last = run("turns", begun, "--json").json["items"][-1]
    found = run("explain", last["id"], "--json").json
    assert (found["seq"], found["state_turns"]) == (2, [1])
    shown = run("explain", last["id"]).out
    assert found["read"][0]["version_id"] in shown
    assert found["model"] in shown


def test_explain_says_which_slot_was_read_and_what_it_is_from(run: Run) -> None:
    begun = conversation(run, "my dog is called Biscuit", "what is it called")
    last = run("turns", begun, "--json").json["items"][-1]
    assert run("explain", last["id"], "--json").json["slots"][0]["written_at"]["seq"] == 1
    shown = run("explain", last["id"]).out
    assert "The answer read slot 0 of layer 0, written at turn 1 from 'my dog is called Biscuit'." in shown
    assert "100%" in shown


def test_explain_without_the_model_says_why(run: Run, live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*args: Any) -> Any:
        raise ModelUnavailable("the model worker is away")

    begun = conversation(run, "one", "two")
    last = run("turns", begun, "--json").json["items"][-1]
    monkeypatch.setattr(live.app.state.runtime.generator, "reads", away)
    shown = run("explain", last["id"]).out
    assert "slots it read: not known (model_unavailable: the model worker is away)" in shown
    assert last["id"] in shown


def test_how_answers_are_drawn_can_be_said(run: Run) -> None:
    drawn = ("--temperature", 0.5, "--top-k", 3, "--top-p", 0.5, "--seed", 1, "--stop", "four", "--stop", "three")
    assert run("ask", "one two three four", *drawn).out == "echo 0 [] one two \n"
    assert run("chat", *drawn, input="two three\nonly this\n").out.splitlines()[0] == "echo 0 [] two "
    refused = run("ask", "hello", "--top-p", 0, code=1)
    assert "top_p" in refused.err


def test_rollback_by_number_and_by_id(run: Run) -> None:
    begun = conversation(run, "one", "two", "three")
    first = run("turns", begun, "--json").json["items"][0]
    run("ask", "four", "--conversation", begun)
    assert "2 turns are superseded" in run("rollback", begun, 2).out
    found = run("rollback", begun, first["id"], "--json").json
    assert found["superseded_turns"] == 1
    assert [turn["status"] for turn in run("turns", begun, "--json").json["items"]] == [
        "applied", "superseded", "superseded", "superseded",
    ]  # fmt: skip


def test_a_turn_of_another_conversation_is_refused(run: Run) -> None:
    mine, other = conversation(run, "one"), conversation(run, "two")
    turn = run("turns", other, "--json").json["items"][0]["id"]
    for command in ("rollback", "fork"):
        assert "error: other_conversation: " in run(command, mine, turn, code=1).err


def test_fork_and_lineage(run: Run, live: Live) -> None:
    begun = conversation(run, "one", "two", "three")
    made = run("fork", begun, 2, "--title", "what if", "--json").json
    assert (made["title"], made["forked_from"]) == ("what if", {"conversation_id": begun, "at_turn": 2})
    answer = run("ask", "again", "--conversation", made["id"]).out
    assert answer.startswith("echo 2 [1:")
    with Memos(live.url, live.key) as client:
        cube = client.conversations.get(begun).state_cube_id
    shown = run("lineage", begun).out
    assert shown.startswith(f"{cube}  activation memory of {begun}")
    lines = shown.splitlines()
    at = next(index for index, line in enumerate(lines) if "── v2 " in line)
    assert made["state_cube_id"] in lines[at + 1], "the fork opens below the version it began at"
    up = run("lineage", made["id"], "--direction", "up", "--json").json
    assert {node["cube_id"] for node in up["nodes"]} == {cube, made["state_cube_id"]}
    assert run("lineage", cube, "--direction", "down").out.count(made["state_cube_id"]) >= 1
    assert run("lineage", begun, "--direction", "sideways", code=2).out == ""


def test_lineage_of_a_turn_keeps_to_its_version(run: Run, live: Live) -> None:
    begun = conversation(run, "one", "two", "three")
    run("fork", begun, 1)
    run("ask", "four", "--conversation", begun)
    second = run("turns", begun, "--json").json["items"][1]["id"]
    found = run("lineage", second, "--json").json
    assert second in {node["turn_id"] for node in found["nodes"]}
    assert {node["operation"] for node in found["nodes"]} == {"create", "advance"}, "the fork left before this turn"
    with live.client() as client:
        live.settled(client, begun)
    last = run("turns", begun, "--json").json["items"][-1]
    assert "── v4  advance" in run("lineage", last["id"]).out


def test_lineage_says_when_it_did_not_look_far_enough(run: Run) -> None:
    begun = conversation(run, *"abcdef")
    first = run("turns", begun, "--json").json["items"][0]["id"]
    found = run("lineage", first, "--direction", "up", "--depth", 1, code=1)
    assert "error: too_deep: " in found.err


def test_jobs(run: Run) -> None:
    begun = conversation(run, "one", "two")
    done = run("jobs", "--status", "done", "--limit", 200, "--json").json["items"]
    mine = next(job for job in done if job["subject"] == begun)
    assert mine["id"] in run("jobs", "--limit", 200).out
    assert "error: job_not_failed: " in run("jobs", "retry", mine["id"], code=1).err
    assert "error: invalid: " in run("jobs", "--status", "bogus", code=1).err


def test_keys(run: Run, live: Live) -> None:
    made = run("keys", "create", "for a test", "--scope", "read", "--json").json
    secret = run("keys", "create", "plain").out.strip()
    assert secret.startswith("mk_")
    assert secret not in run("keys", "list", "--json").out
    assert made["prefix"] in run("keys", "list").out
    assert "error: forbidden: " in run("ask", "hello", "--key", made["key"], code=1).err
    assert run("conversations", "--key", made["key"]).code == 0
    assert run("keys", "revoke", made["id"], "--json").json == {"id": made["id"], "revoked": True}
    refused = run("conversations", "--key", made["key"], code=1)
    assert "error: unauthorized: " in refused.err


def test_a_tenant_sees_nothing_of_ours(run: Run) -> None:
    begun = conversation(run, "one")
    made = run("tenants", "create", "acme", "--json").json
    key = made["admin_key"]["key"]
    assert run("conversations", "--key", key, "--json").json == {"items": []}
    assert "error: not_found: " in run("turns", begun, "--key", key, code=1).err
    assert run("tenants", "create", "other").out.startswith("mk_")


# -- errors --------------------------------------------------------------------------------------------------------


def test_an_error_is_code_detail_and_hint(run: Run) -> None:
    found = run("turns", NOWHERE, code=1)
    first, second, third = found.err.splitlines()
    assert first.startswith("error: not_found: ")
    assert second.startswith("hint:  ")
    assert "request" in third
    assert found.out == ""


def test_an_error_as_json_leaves_stdout_alone(run: Run) -> None:
    found = run("turns", NOWHERE, "--json", code=1)
    described = json.loads(found.err)
    assert (found.out, described["code"], described["status"]) == ("", "not_found", 404)
    assert described["hint"]
    assert described["request_id"]


COMMANDS: list[tuple[Any, ...]] = [
    ("conversations",), ("turns", NOWHERE), ("explain", "turn_" + "0" * 32), ("lineage", NOWHERE), ("ask", "hello"),
    ("rollback", NOWHERE, 0), ("fork", NOWHERE, 0), ("jobs",), ("jobs", "retry", "job_" + "0" * 32), ("keys", "list"),
    ("keys", "create", "a"), ("keys", "revoke", "key_" + "0" * 32), ("tenants", "create", "a"), ("chat",),
    ("asof", "ada", "2026-01-01T00:00:00Z"), ("diff", "cube_" + "0" * 32, 0, 1), ("merge", NOWHERE, NOWHERE),
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(map(str, command[:2])))
def test_without_a_service_every_command_says_how_to_start_one(command: tuple[Any, ...]) -> None:
    found = invoke(*command)
    assert found.code == 1
    assert "error: not_configured: " in found.err
    assert "make run" in found.err


def test_a_wrong_use_is_told_apart_from_a_failure() -> None:
    for command in (("ask",), ("turns",), ("bogus",), ("turns", NOWHERE, "--limit", 0), ("keys", "create")):
        assert invoke(*command).code == 2


def test_text_cannot_steer_the_terminal(run: Run) -> None:
    found = run("ask", "\x1b[2Jclear \x07bell")
    assert "\x1b" not in found.out
    assert "\x07" not in found.out
    assert "clear" in found.out
    assert "\x1b" not in run("turns", found.err.split()[1].rstrip(")\n")).out
