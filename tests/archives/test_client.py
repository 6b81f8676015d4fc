"""Archives through the client and the command line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from memos.cli.main import app
from memos.sdk import Memos, NotFoundError, UnprocessableError
from tests.api.talk import post, problem
from tests.support.live import Live


@pytest.fixture
def spoken(live: Live) -> str:
    with live.client() as client:
        began = live.conversation(client, "ada")
        post(client, f"/v1/conversations/{began}/turns", {"input": "one"})
        live.settled(client, began)
    return began


def test_the_client_takes_out_and_in(live: Live, elsewhere: Live, spoken: str) -> None:
    with Memos(live.url, live.key) as here, Memos(elsewhere.url, elsewhere.key) as there:
        archive = here.cubes.export(conversation_id=spoken)
        done = there.cubes.import_archive(archive, user_id="grace")
        (pair,) = done.conversations
        assert pair.archived_id == spoken
        assert there.conversations.get(pair.id).user_id == "grace"
        with pytest.raises(UnprocessableError) as refused:
            there.cubes.import_archive(archive.replace(b'"one"', b'"two"'))
        assert refused.value.code == "archive_tampered"
        assert "turns.jsonl" in refused.value.message
        with pytest.raises(NotFoundError):
            here.cubes.export(user_id="nobody at all")


def test_the_command_line_writes_a_file_and_takes_it_in(
    live: Live, elsewhere: Live, spoken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runner, file = CliRunner(), tmp_path / "ada.zip"
    out = ["--url", live.url, "--key", live.key, "--json"]
    into = ["--url", elsewhere.url, "--key", elsewhere.key, "--json"]
    made = runner.invoke(app, ["export", str(file), "--conversation", spoken, *out])
    assert made.exit_code == 0, made.stderr
    assert json.loads(made.stdout) == {"file": str(file), "bytes": file.stat().st_size}
    assert file.stat().st_mode & 0o777 == 0o600
    again = runner.invoke(app, ["export", str(file), "--conversation", spoken, *out])
    assert (again.exit_code, json.loads(again.stderr)["code"]) == (1, "cannot_write")
    which = runner.invoke(app, ["export", str(tmp_path / "b.zip"), *out])
    assert (which.exit_code, json.loads(which.stderr)["code"]) == (1, "what_to_export")
    none = runner.invoke(app, ["export", str(tmp_path / "b.zip"), "--user", "nobody at all", *out])
    assert (none.exit_code, (tmp_path / "b.zip").exists()) == (1, False)
    done = runner.invoke(app, ["import", str(file), *into])
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["turns"] == 1
    file.write_bytes(b"no archive")
    refused = runner.invoke(app, ["import", str(file), *into])
    assert (refused.exit_code, json.loads(refused.stderr)["code"]) == (1, "archive_unreadable")


def test_what_is_the_others_is_in_no_archive(live: Live, spoken: str) -> None:
    """Another tenant asks for ids and for a user of this one."""
    with live.client() as operator:
        key = post(operator, "/v1/tenants", {"name": "another"}).json()["admin_key"]["key"]
        cube = operator.get(f"/v1/conversations/{spoken}").json()["state_cube_id"]
    with live.client(key) as stranger:
        for wanted in ({"conversation_id": spoken}, {"cube_ids": [cube]}, {"user_id": "ada"}):
            told = problem(stranger.post("/v1/cubes/export", json=wanted), 404, "not_found")
            assert "one" not in told["detail"]


def test_a_user_takes_out_what_is_their_own(live: Live, spoken: str) -> None:
    """On behalf of a user, the database shows what that user may see: of anybody else there is nothing to export."""
    with live.client() as client:
        theirs = live.conversation(client, "somebody else")
        mine = {"X-Memos-User": "ada"}
        own = client.post("/v1/cubes/export", json={"conversation_id": spoken}, headers=mine)
        assert own.status_code == 200, own.text
        for wanted in ({"conversation_id": theirs}, {"user_id": "somebody else"}):
            problem(client.post("/v1/cubes/export", json=wanted, headers=mine), 404, "not_found")
