"""`memos erase` against the real service: says what would go, asks, erases, and checks receipts."""

import json
from pathlib import Path

import pytest

from tests.api.talk import settled
from tests.cli.conftest import Run
from tests.support.live import Live


def said(service: Live, *texts: str) -> str:
    with service.client() as client:
        conversation = service.conversation(client)
        for text in texts:
            client.post(f"/v1/conversations/{conversation}/turns", json={"input": text}).raise_for_status()
        settled(client, conversation)
    return conversation


def test_a_dry_run_says_what_would_go_and_changes_nothing(run: Run, live: Live) -> None:
    conversation = said(live, "one", "two")
    found = run("erase", conversation, "--dry-run")
    assert found.err == ""
    for what in ("turns", "versions", "blobs", "cubes", conversation, "of an erased conversation"):
        assert what in found.out
    planned = run("erase", conversation, "--dry-run", "--json").json
    assert (planned["status"], planned["dry_run"], planned["receipt"]) == ("done", True, None)
    assert planned["plan"]["turns"] == {"erase": 2}
    assert run("turns", conversation, "--json").json["items"][0]["input"] == "one"


def test_it_asks_and_a_no_changes_nothing(run: Run, live: Live) -> None:
    conversation = said(live, "one")
    found = run("erase", conversation, input="n\n", code=1)
    assert "cannot be undone" in found.err
    assert len(run("turns", conversation, "--json").json["items"]) == 1


def test_it_erases_and_its_receipt_can_be_checked(run: Run, live: Live, tmp_path: Path) -> None:
    conversation = said(live, "one", "two")
    receipt = tmp_path / "receipt.json"
    found = run("erase", conversation, "--yes", "--receipt", receipt)
    assert found.err == ""
    assert "nothing of them is left" in found.out
    assert "physical stage: to come" in found.out
    run("turns", conversation, code=1)
    assert "none left; chains whole" in run("erase", "--verify", receipt).out
    changed = json.loads(receipt.read_text())
    changed["logical"]["target"] = "turn"
    receipt.write_text(json.dumps(changed))
    refused = run("erase", "--verify", receipt, code=1)
    assert "the signature of the stage logical does not hold" in refused.out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [((), "bad_usage"), (("key_1",), "bad_usage"), (("conv_1", "--user", "ada"), "bad_usage"),
     (("--user", "nobody of that name", "--yes"), "not_found"), (("--verify", "/nowhere"), "bad_receipt")],
)  # fmt: skip
def test_what_cannot_be_erased_is_said_by_name(run: Run, arguments: tuple[str, ...], code: str) -> None:
    assert f"error: {code}" in run("erase", *arguments, code=1).err
